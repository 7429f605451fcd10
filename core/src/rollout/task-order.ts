import { deriveKey, Random } from "../numerics/random.js";

/** Where the default selection stands; saved with every checkpoint. */
export interface TaskCursor {
  /** Tasks given out so far, over all epochs. */
  readonly taken: number;
}

/**
 * The next tasks of a run: a new shuffle of the taskset every epoch, or consecutive indices of an endless one.
 * Pure: the same cursor gives the same tasks.
 *
 * @returns indices in [0, size), and the cursor after them
 */
export function nextTasks(
  cursor: TaskCursor,
  count: number,
  size: number,
  seed: number,
): { indices: readonly number[]; cursor: TaskCursor } {
  const positions = Array.from({ length: count }, (_, i) => cursor.taken + i);
  const indices =
    size === Infinity
      ? positions
      : positions.map((position) => shuffled(Math.floor(position / size), size, seed)[position % size]!);
  return { indices, cursor: { taken: cursor.taken + count } };
}

let last: { key: string; order: readonly number[] } | undefined;

function shuffled(epoch: number, size: number, seed: number): readonly number[] {
  const key = `${seed}/${epoch}/${size}`;
  if (last?.key !== key) {
    const order = Array.from({ length: size }, (_, index) => index);
    last = { key, order: new Random(deriveKey(seed, "tasks", epoch)).shuffle(order) };
  }
  return last.order;
}
