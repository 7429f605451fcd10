import type { Trajectory } from "../records/trajectory.js";
import { responseLength } from "../records/trajectory.js";
import type { GroupOrder } from "./rollout.js";

/** Share of what is expected that the newest observation makes up. */
const NEWEST = 0.5;
/** Tasks that are remembered; of more, those that came last. */
const MOST_TASKS = 16_384;

/**
 * How long the responses to a task are likely to be, from what was seen of it before; of a task that was not seen, what
 * was seen of its domain. Only what is done where and when depends on it, no result.
 */
export class ExpectedLengths {
  readonly #byTask = new Map<string, number>();
  readonly #byDomain = new Map<string, number>();

  /**
   * Takes the trajectories of one group into account.
   *
   * @param isSeenAgain whether its task may come again: of one that never does, only the domain is remembered
   */
  observe({ task }: GroupOrder, trajectories: readonly Trajectory[], isSeenAgain: boolean): void {
    if (trajectories.length === 0) return;
    const mean = trajectories.reduce((sum, one) => sum + responseLength(one), 0) / trajectories.length;
    if (isSeenAgain) note(this.#byTask, task.id, mean);
    note(this.#byDomain, task.domain, mean);
    const oldest = this.#byTask.size > MOST_TASKS ? this.#byTask.keys().next().value : undefined;
    if (oldest !== undefined) this.#byTask.delete(oldest);
  }

  /** Tokens that a group's responses are expected to have together; 0 when nothing is known. */
  of({ task, size }: GroupOrder): number {
    return size * (this.#byTask.get(task.id) ?? this.#byDomain.get(task.domain) ?? 0);
  }
}

function note(known: Map<string, number>, key: string, mean: number): void {
  const before = known.get(key) ?? mean;
  known.delete(key);
  known.set(key, before + NEWEST * (mean - before));
}

/**
 * Deals groups out to actors so that all are done at about the same time: the longest go first, each to the actor with
 * the least to do so far. Where nothing is known, as many to each.
 *
 * @returns shape [actors]; every group once
 */
export function dealOut(
  groups: readonly GroupOrder[],
  actors: number,
  tokensOf: (group: GroupOrder) => number,
): readonly (readonly GroupOrder[])[] {
  const shares = Array.from({ length: actors }, () => ({ tokens: 0, groups: [] as GroupOrder[] })); // filled below
  // Groups of no known length count too, so that they are dealt out evenly.
  const costs = groups.map((group) => ({ group, tokens: Math.max(1, tokensOf(group)) }));
  for (const { group, tokens } of costs.toSorted((a, b) => b.tokens - a.tokens)) {
    const share = shares.reduce((least, other) => (other.tokens < least.tokens ? other : least));
    share.tokens += tokens;
    share.groups.push(group);
  }
  return shares.map((share) => share.groups);
}
