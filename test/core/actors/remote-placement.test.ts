import { afterAll, beforeAll } from "vitest";
import { connectNode, type NodeLink } from "../../../core/src/actors/node-link.js";
import { listenNode, type ActorNode } from "../../../core/src/actors/node-server.js";
import { describeActorPlacement } from "../../contracts/actor-placement.js";

const security = { token: "a token for tests alone" };
let host: ActorNode;
let node: NodeLink;

beforeAll(async () => {
  host = await listenNode({ address: "127.0.0.1:0", security });
  node = await connectNode({ address: host.address, security });
});

afterAll(async () => {
  await node.close();
  await host.close();
});

describeActorPlacement("remote", () => ({ at: "remote", node }));
describeActorPlacement("remote, inline", () => ({ at: "remote", node, within: "inline" }));
