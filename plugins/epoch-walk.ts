import { deriveKey, Random } from "@troupe/core/sdk";

/** Where a choice stands among tasks that it goes through again and again; plain data, changed in place. */
export interface EpochWalk {
  /** Places of the present epoch's order that were looked at. */
  taken: number;
  epoch: number;
}

/**
 * The next place in [0, size) of a walk: every epoch in an order of its own, so that none comes again before all did.
 *
 * @param key of the walk's orders
 */
export function nextPlace(walk: EpochWalk, size: number, ...key: readonly [number, ...string[]]): number {
  if (walk.taken >= size) {
    walk.taken = 0;
    walk.epoch++;
  }
  return orderOf(size, [...key, walk.epoch])[walk.taken++]!;
}

/** Orders of the walks in use, as steps ask for the same ones many times; the one made first goes first. */
const orders = new Map<string, readonly number[]>();
const ORDERS_KEPT = 8;

function orderOf(size: number, key: readonly [number, ...(number | string)[]]): readonly number[] {
  const id = `${size}/${key.join("/")}`;
  const known = orders.get(id);
  if (known) return known;
  const order = new Random(deriveKey(...key)).shuffle(Array.from({ length: size }, (_, place) => place));
  const [oldest] = orders.keys();
  if (orders.size >= ORDERS_KEPT && oldest !== undefined) orders.delete(oldest);
  orders.set(id, order);
  return order;
}
