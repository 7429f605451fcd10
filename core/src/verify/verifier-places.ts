import { readFileSync } from "node:fs";
import type { ActorSystem } from "../actors/actor-system.js";
import { connectNode } from "../actors/node-link.js";
import type { NodeSecurity } from "../actors/node-service.js";
import type { Placement } from "../actors/transport.js";

/** What the config says of where verifiers live. */
export type VerifierPlacement = "thread" | "process" | { readonly nodes: readonly string[] };

/**
 * The places that verifier actors take by turns. Nodes are dialled now, and closed when the system stops; they are shown
 * what the environment holds: TROUPE_NODE_TOKEN, and the files TROUPE_NODE_CA, TROUPE_NODE_CERT and TROUPE_NODE_KEY.
 *
 * Rejects with NODE_UNREACHABLE, NODE_REFUSED or NODE_NOT_SECURED.
 */
export async function verifierPlaces(
  placement: VerifierPlacement,
  system: ActorSystem,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<readonly Placement[]> {
  if (typeof placement === "string") return [{ at: placement }];
  const security = securityIn(environment);
  const places: Placement[] = [];
  for (const address of placement.nodes) {
    const node = await connectNode({ address, security });
    system.closeAtEnd(() => node.close());
    places.push({ at: "remote", node });
  }
  return places;
}

function securityIn(environment: NodeJS.ProcessEnv): NodeSecurity {
  const token = environment["TROUPE_NODE_TOKEN"];
  const [ca, cert, key] = ["CA", "CERT", "KEY"].map((name) => {
    const path = environment[`TROUPE_NODE_${name}`];
    return path === undefined ? undefined : readFileSync(path, "utf8");
  });
  return {
    ...(token === undefined ? {} : { token }),
    ...(ca !== undefined && cert !== undefined && key !== undefined ? { tls: { ca, cert, key } } : {}),
  };
}
