import type { Placement } from "./transport.js";

/** "restarting" covers the pause before a restart and the restart itself. */
export type ActorState = "starting" | "running" | "restarting" | "stopping" | "ended";

/** Somebody waits for something. */
export interface Wait {
  /** Who waits: an actor's address, or words. */
  readonly by: string;
  /** What for: an actor's address, or words. */
  readonly on: string;
  readonly why: string;
  /** Milliseconds since the epoch, as `deadlineAt`. */
  readonly since: number;
  /** When the wait ends by itself; absent when it does not. */
  readonly deadlineAt?: number;
}

/** One line of the actor tree. */
export interface ActorStatus {
  readonly address: string;
  /** Address of the actor that this one ends and restarts with. */
  readonly parent?: string;
  readonly placement: Placement["at"];
  readonly state: ActorState;
  readonly incarnation: number;
  readonly restarts: number;
  readonly mailbox: { readonly depth: number; readonly capacity: number };
  /** What runs now, and since when; absent when nothing does. */
  readonly current?: { readonly type: string; readonly since: number };
  /** Since when the oldest asker has waited; absent when nobody waits. */
  readonly oldestAskAt?: number;
}
