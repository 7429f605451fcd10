import { readFileSync } from "node:fs";
import type { ActorSystem } from "./actor-system.js";
import { connectNode, type NodeLink } from "./node-link.js";
import type { NodeSecurity } from "./node-service.js";
import type { Placement } from "./transport.js";

/** What a config says of where actors live. */
export type PlaceNames = "thread" | "process" | { readonly nodes: readonly string[] };

/**
 * The places of a system's actors, by their names in a config. Each node is dialled once, when it is first asked for, and
 * closed when the system stops; it is shown what the environment holds: TROUPE_NODE_TOKEN, and the files TROUPE_NODE_CA,
 * TROUPE_NODE_CERT and TROUPE_NODE_KEY.
 */
export class ActorPlaces {
  readonly #system: ActorSystem;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #nodes = new Map<string, Promise<NodeLink>>();

  constructor(system: ActorSystem, environment: NodeJS.ProcessEnv = process.env) {
    this.#system = system;
    this.#environment = environment;
  }

  /**
   * The places that actors take by turns.
   *
   * Rejects with NODE_UNREACHABLE, NODE_REFUSED or NODE_NOT_SECURED.
   */
  async of(names: PlaceNames): Promise<readonly Placement[]> {
    if (typeof names === "string") return [{ at: names }];
    const places: Placement[] = [];
    for (const address of names.nodes) places.push({ at: "remote", node: await this.#node(address) });
    return places;
  }

  #node(address: string): Promise<NodeLink> {
    const known = this.#nodes.get(address);
    if (known) return known;
    const dialled = connectNode({ address, security: securityIn(this.#environment) });
    this.#nodes.set(address, dialled);
    this.#system.closeAtEnd(async () => (await dialled).close());
    return dialled;
  }
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
