export * from "./actor.js";
export * from "./actor-ref.js";
export * from "./actor-system.js";
export * from "./clock.js";
export type { DeadLetter } from "./dead-letters.js";
export { decodeError, encodeError, type WireError } from "./error-codec.js";
export type { ActorState, ActorStatus } from "./supervised-actor.js";
export type { Supervision } from "./supervisor.js";
export type { Placement } from "./transport.js";
