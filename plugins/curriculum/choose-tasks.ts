import { deriveKey, Random, type Selection, type Task } from "@troupe/core/sdk";

/** Where a stage is in its tasks; plain data, changed in place. */
export interface TaskWalk {
  /** Places of the present epoch's order that were looked at; of an endless taskset, tasks. */
  taken: number;
  epoch: number;
  /** Keys the orders of the epochs; drawn when the stage begins. */
  key: number;
  isFinite: boolean;
}

/** Whether a stage takes a task. */
export type TaskFilter = (task: Task) => boolean;

/** What a stage asks of its tasks. */
export interface TaskConditions {
  readonly domain: string | undefined;
  readonly difficulty: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined;
  /** Largest share of samples that passed when the task was last tried. */
  readonly maxSolved: number | undefined;
}

/**
 * Whether a task fits a stage. A task that was never tried is not known to be easy, and one that was never solved is hard:
 * both stay. Source: AceReason (arXiv:2505.16400), difficulty filters by the current policy.
 *
 * @param solved share of the task's samples that passed when it was last tried, if it was
 */
export function admits(task: Task, conditions: TaskConditions, solved: number | undefined): boolean {
  const { domain, difficulty, maxSolved } = conditions;
  if (domain !== undefined && task.domain !== domain) return false;
  if (maxSolved !== undefined && solved !== undefined && solved > maxSolved) return false;
  if (difficulty === undefined) return true;
  const known = task.meta["difficulty"];
  return typeof known === "number" && known >= (difficulty.min ?? -Infinity) && known <= (difficulty.max ?? Infinity);
}

/** How many tasks of an endless taskset are looked at for each one that is wanted. */
const LOOKS_PER_TASK = 1000;

/**
 * The next tasks that a filter lets through: every epoch in a new order, as far as the walk goes; an endless taskset in its
 * own order. Gives fewer than wanted when two epochs hold too few.
 *
 * @returns indices, no two equal, and how many tasks were looked at for them
 */
export function chooseTasks(
  { size, count, at }: Selection,
  walk: TaskWalk,
  takes: TaskFilter,
): { readonly indices: readonly number[]; readonly looked: number } {
  walk.isFinite = size !== Infinity;
  const bound = walk.isFinite ? 2 * size : LOOKS_PER_TASK * count;
  const chosen = new Set<number>();
  let order = walk.isFinite ? orderOf(size, walk) : [];
  let looked = 0;
  for (; chosen.size < count && looked < bound; looked++) {
    if (walk.isFinite && walk.taken >= size) {
      walk.taken = 0;
      walk.epoch += 1;
      order = orderOf(size, walk);
    }
    const index = walk.isFinite ? order[walk.taken]! : walk.taken;
    walk.taken += 1;
    if (!chosen.has(index) && takes(at(index))) chosen.add(index);
  }
  return { indices: [...chosen], looked };
}

function orderOf(size: number, { key, epoch }: TaskWalk): readonly number[] {
  const indices = Array.from({ length: size }, (_, index) => index);
  return new Random(deriveKey(key, epoch)).shuffle(indices);
}
