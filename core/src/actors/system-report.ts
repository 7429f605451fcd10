import type { ActorStatus, Wait } from "./actor-status.js";
import type { Down } from "./actor-ref.js";
import type { DeadLetter } from "./dead-letters.js";

/** An end of an actor that is still worth knowing. */
export interface PastEnd extends Pick<Down, "address" | "incarnation" | "reason" | "restarts"> {
  /** Milliseconds since the epoch, as everywhere in a report. */
  readonly at: number;
  /** The error's code and message, when there was one. */
  readonly problem?: string;
}

/** A system at one moment, as plain data. */
export interface SystemReport {
  readonly at: number;
  readonly actors: readonly ActorStatus[];
  readonly waits: readonly Wait[];
  readonly deadLetters: Readonly<Record<DeadLetter["reason"], number>>;
  /** The newest ends, the newest last. */
  readonly ends: readonly PastEnd[];
}

/** An end as a report keeps it. */
export function pastEnd({ address, incarnation, reason, restarts, error }: Down, at: number): PastEnd {
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : "";
  const problem = error === undefined ? undefined : code + (error instanceof Error ? error.message : String(error));
  return { at, address, incarnation, reason, restarts, ...(problem === undefined ? {} : { problem }) };
}
