import { errors } from "../errors.js";

/** Key of a generator: two words in [0, 2^32). */
export type RandomKey = readonly [number, number];

/** Four words in [0, 2^32): a counter, or the block that it maps to. */
export type PhiloxBlock = readonly [number, number, number, number];

/** All that a `Random` is; plain data, for checkpoints. */
export interface RandomState {
  readonly key: RandomKey;
  /** Number of blocks drawn so far, below 2^53. */
  readonly counter: number;
}

/**
 * Philox4x32-10: a keyed bijection of 128-bit counters whose values pass for chance.
 *
 * Ten rounds, each of two 32 × 32 → 64 bit products, with the key raised between rounds by two constants.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC11).
 */
export function philox4x32(counter: PhiloxBlock, key: RandomKey): PhiloxBlock {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * Chance that depends on nothing but a key and a count, so a result is the same whichever actor draws it.
 *
 * Draw i reads block philox4x32([i mod 2^32, floor(i / 2^32), 0, 0], key); every accepted draw uses one block of its
 * own, whatever its kind, and `integer` takes further blocks in the rare case that it has to reject one.
 *
 * @example
 * const random = new Random(deriveKey(7, "step", 3, "shuffle"));
 * const saved = random.state;
 * random.uniform() === new Random(saved.key, saved.counter).uniform(); // true
 */
export class Random {
  readonly #key: RandomKey;
  #counter: number;

  constructor(key: RandomKey, counter = 0) {
    this.#key = key;
    this.#counter = counter;
  }

  get state(): RandomState {
    return { key: this.#key, counter: this.#counter };
  }

  /**
   * A number in [0, 1): the top 24 bits of the block's first word over 2^24. A float32 holds it exactly, so native
   * code that counts in floats draws the same number.
   */
  uniform(): number {
    return (this.#nextBlock()[0] >>> 8) / 0x1000000;
  }

  /**
   * A whole number in [low, high), each equally likely: 53 bits, redrawn in the incomplete last stretch.
   *
   * @throws EMPTY_RANGE
   */
  integer(lowInclusive: number, highExclusive: number): number {
    const size = highExclusive - lowInclusive;
    const isUsable = Number.isSafeInteger(lowInclusive) && Number.isSafeInteger(highExclusive) && size > 0;
    if (!isUsable || !Number.isSafeInteger(size)) throw errors.emptyRange({ low: lowInclusive, high: highExclusive });
    const limit = 2 ** 53 - (2 ** 53 % size);
    for (;;) {
      const [word0, word1] = this.#nextBlock();
      const draw = word0 * 2 ** 21 + (word1 >>> 11);
      if (draw < limit) return lowInclusive + (draw % size);
    }
  }

  /**
   * One of the items, each equally likely.
   *
   * @throws EMPTY_RANGE
   */
  pick<Item>(items: readonly Item[]): Item {
    // `integer` gives an index that exists, or throws.
    return items[this.integer(0, items.length)] as Item;
  }

  /** The items in an order drawn from all orders alike (Fisher–Yates); the argument stays as it is. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.integer(0, last + 1);
      // Both indices lie inside the array.
      [shuffled[last], shuffled[other]] = [shuffled[other] as Item, shuffled[last] as Item];
    }
    return shuffled;
  }

  /** A number from the standard normal distribution (Box–Muller on the block's first two words). */
  normal(): number {
    const [word0, word1] = this.#nextBlock();
    // Word + 1 keeps the logarithm finite.
    return Math.sqrt(-2 * Math.log((word0 + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * word1) / 2 ** 32);
  }

  #nextBlock(): PhiloxBlock {
    const counter = this.#counter++;
    return philox4x32([counter >>> 0, Math.floor(counter / 2 ** 32), 0, 0], this.#key);
  }
}

/**
 * The key of one purpose within a run, for example `deriveKey(seed, step, taskId, slot, "sample")`.
 *
 * Starting from key (0, 0), the seed and then every part is folded in: the key becomes the first two words of
 * philox4x32(block, key). A number is one block [low word, high word, 0, 1] of its float64; a string of n UTF-16 units
 * is ⌈n / 4⌉ blocks (at least one) [units 0–1, units 2–3, n, 2]. So 1 and "1" differ, and so do ("ab", "c") and
 * ("a", "bc"); two tuples share a key with probability 2^-64. The last word keeps these blocks apart from those that
 * `Random` draws.
 */
export function deriveKey(seed: number, ...parts: readonly (number | string)[]): RandomKey {
  let key: RandomKey = [0, 0];
  for (const part of [seed, ...parts]) {
    for (const block of typeof part === "number" ? blocksOfNumber(part) : blocksOfString(part)) {
      const [word0, word1] = philox4x32(block, key);
      key = [word0, word1];
    }
  }
  return key;
}

/** A key as 16 hexadecimal digits, first word first. */
export function keyToHex(key: RandomKey): string {
  return key.map((word) => word.toString(16).padStart(8, "0")).join("");
}

function blocksOfNumber(value: number): PhiloxBlock[] {
  const bytes = new DataView(new ArrayBuffer(8));
  // Adding 0 makes -0 the same seed as 0.
  bytes.setFloat64(0, value + 0, true);
  return [[bytes.getUint32(0, true), bytes.getUint32(4, true), 0, 1]];
}

function blocksOfString(text: string): PhiloxBlock[] {
  const unit = (index: number) => (index < text.length ? text.charCodeAt(index) : 0);
  const word = (index: number) => (unit(index) | (unit(index + 1) << 16)) >>> 0;
  const blocks: PhiloxBlock[] = [];
  for (let start = 0; start === 0 || start < text.length; start += 4) {
    blocks.push([word(start), word(start + 2), text.length, 2]);
  }
  return blocks;
}

/** Upper word of the 64-bit product; 16-bit halves, because a float64 holds 53 bits. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middleLow = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (middleLow >>> 16);
}
