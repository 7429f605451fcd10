import type { Selection, Task } from "@troupe/core/sdk";
import { nextPlace, type EpochWalk } from "../epoch-walk.js";
import type { Stage } from "./settings.js";

/** Where a stage is in its tasks; of an endless taskset `taken` counts those looked at. */
export interface TaskWalk extends EpochWalk {
  /** Keys the orders of the epochs; drawn when the stage begins. */
  key: number;
  isFinite: boolean;
}

/** What is known of how often the policy solves each task: its id → share of its answers that passed. */
export interface SolvedShares {
  /** When the present stage measured its tasks; empty where it does not. */
  readonly measured: Readonly<Record<string, number>>;
  /** When a task was last trained on. */
  readonly trained: Readonly<Record<string, number>>;
}

/** Whether a task belongs to a stage, whatever the policy makes of it. */
export function belongs(task: Task, { domain, difficulty }: Pick<Stage, "domain" | "difficulty">): boolean {
  if (domain !== undefined && task.domain !== domain) return false;
  if (difficulty === undefined) return true;
  const known = task.meta["difficulty"];
  return typeof known === "number" && known >= (difficulty.min ?? -Infinity) && known <= (difficulty.max ?? Infinity);
}

/**
 * Whether a stage has something to learn from a task. One that was never tried is not known to be easy, and one that was
 * never solved is hard: both stay. Source: AceReason (arXiv:2505.16400), difficulty and epoch filters.
 *
 * @param epoch of the stage, from 0; what every answer solved is dropped from the second on
 */
export function admits(
  { id }: Pick<Task, "id">,
  { maxSolved, dropMastered }: Pick<Stage, "maxSolved" | "dropMastered">,
  { measured, trained }: SolvedShares,
  epoch: number,
): boolean {
  if (dropMastered && epoch > 0 && trained[id] === 1) return false;
  const solved = measured[id] ?? trained[id];
  return maxSolved === undefined || solved === undefined || solved <= maxSolved;
}

/** How many tasks of an endless taskset are looked at for each one that is wanted. */
const LOOKS_PER_TASK = 1000;

/**
 * The next tasks that a filter lets through: every epoch in a new order, as far as the walk goes; an endless taskset in its
 * own order. Gives fewer than wanted when two epochs hold too few.
 *
 * @param takes undefined for tasks of other stages, which count as not looked at
 * @returns indices, no two equal, and how many tasks were looked at for them
 */
export function chooseTasks(
  { size, count, at }: Selection,
  walk: TaskWalk,
  takes: (task: Task) => boolean | undefined,
): { readonly indices: readonly number[]; readonly looked: number } {
  walk.isFinite = size !== Infinity;
  const bound = walk.isFinite ? 2 * size : LOOKS_PER_TASK * count;
  const chosen = new Set<number>();
  let looked = 0;
  for (let places = 0; chosen.size < count && places < bound; places++) {
    const index = walk.isFinite ? nextPlace(walk, size, walk.key) : walk.taken++;
    if (chosen.has(index)) continue;
    const answer = takes(at(index));
    if (answer !== undefined) looked++;
    if (answer) chosen.add(index);
  }
  return { indices: [...chosen], looked };
}

/**
 * The next tasks of a stage in the order of the file, for a pass over all of them.
 *
 * @param from first index that is looked at
 * @returns indices, filled up with the stage's first tasks at the end, and the index of the task after them: `size` when
 *   there is none
 */
export function nextToMeasure(
  { size, count, at }: Selection,
  from: number,
  isOfStage: (task: Task) => boolean,
): { readonly indices: readonly number[]; readonly next: number } {
  const following = (index: number): number => {
    let next = index;
    while (next < size && !isOfStage(at(next))) next++;
    return next;
  };
  const indices: number[] = [];
  let next = following(from);
  for (; next < size && indices.length < count; next = following(next + 1)) indices.push(next);
  for (let again = following(0); again < size && indices.length < count; again = following(again + 1))
    if (!indices.includes(again)) indices.push(again);
  return { indices, next };
}
