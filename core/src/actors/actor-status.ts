import type { Placement } from "./transport.js";

/** "restarting" covers the pause before a restart and the restart itself. */
export type ActorState = "starting" | "running" | "restarting" | "stopping" | "ended";

/** One line of the actor tree. */
export interface ActorStatus {
  readonly address: string;
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
