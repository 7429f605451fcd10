import type { ActorDefinition, Protocol } from "../../core/src/actors/actor.js";

/** The same actor with the built file as its module: threads of Node 20 cannot load TypeScript. */
export function compiled<P extends Protocol, State, Args>(
  definition: ActorDefinition<P, State, Args>,
): ActorDefinition<P, State, Args> {
  return {
    ...definition,
    module: definition.module.replace("/test/support/", "/test/dist/support/").replace(/\.ts$/, ".js"),
  };
}
