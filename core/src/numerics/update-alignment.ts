import { errors } from "../errors.js";
import type { Random } from "./random.js";

/** Cosine between two updates, and between one of them and chance. */
export interface Alignment {
  readonly cosine: number;
  /** Cosine of the reference update with a random direction: what two unrelated updates of this size show. */
  readonly control: number;
}

/** Parameters by tensor name. */
export type Parameters = ReadonlyMap<string, ArrayLike<number>>;

/**
 * Cosine of the angle between two vectors; 0 when one of them is 0.
 *
 * @throws LENGTH_MISMATCH
 */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    throw errors.lengthMismatch({ action: "compare directions", name: "b", length: b.length, expected: a.length });
  }
  return cosineOf(productsOf(a.length, (i) => [a[i]!, b[i]!]));
}

/** One tensor at the start of two trainings, and where each of them took it. */
export interface MovedTensor {
  readonly name: string;
  readonly start: ArrayLike<number>;
  readonly updated: ArrayLike<number>;
  readonly reference: ArrayLike<number>;
}

/** `updateAlignment` of tensors that come one after another, so that not all of them have to be in memory. */
export class AlignmentSums {
  readonly #random: Random;
  readonly #parts = new Map<string, { readonly aligned: Products; readonly control: Products }>();
  readonly #whole = { aligned: new Products(), control: new Products() };

  /** @param random consumed in the order of the tensors */
  constructor(random: Random) {
    this.#random = random;
  }

  /** Adds a tensor to a part, which may have several. @throws LENGTH_MISMATCH */
  add(part: string, { name, start, updated, reference }: MovedTensor): void {
    for (const { length } of [updated, reference]) {
      if (length !== start.length)
        throw errors.lengthMismatch({ action: "compare updates", name, length, expected: start.length });
    }
    const random = this.#random;
    const moved = (to: ArrayLike<number>, i: number) => to[i]! - start[i]!;
    const aligned = productsOf(start.length, (i) => [moved(updated, i), moved(reference, i)]);
    const control = productsOf(start.length, (i) => [random.normal(), moved(reference, i)]);
    const sums = this.#parts.get(part) ?? { aligned: new Products(), control: new Products() };
    this.#parts.set(part, sums);
    for (const { aligned: into, control: intoControl } of [sums, this.#whole]) {
      into.add(aligned);
      intoControl.add(control);
    }
  }

  /** By part, with the whole under "". */
  alignments(): Map<string, Alignment> {
    const of = ({ aligned, control }: { aligned: Products; control: Products }): Alignment => ({
      cosine: cosineOf(aligned),
      control: cosineOf(control),
    });
    return new Map([...this.#parts].map(([part, sums]) => [part, of(sums)] as const)).set("", of(this.#whole));
  }
}

/**
 * How far two trainings from one start moved parameters in the same direction, per tensor and as a whole.
 *
 *     cos(θ_updated − θ_start, θ_reference − θ_start)
 *
 * Shared data aligns any two trainings somewhat, so the control stands beside it: a direction of independent normal
 * numbers. Its norm does not matter to a cosine.
 *
 * @param random consumed in the order of the start's tensors
 * @returns by tensor name, with the whole under ""
 * @throws LENGTH_MISMATCH
 */
export function updateAlignment(
  start: Parameters,
  updated: Parameters,
  reference: Parameters,
  random: Random,
): Map<string, Alignment> {
  const sums = new AlignmentSums(random);
  for (const [name, start_N] of start)
    sums.add(name, { name, start: start_N, updated: updated.get(name) ?? [], reference: reference.get(name) ?? [] });
  return sums.alignments();
}

/** Inner products of two vectors; those of parts add up to those of the whole. */
class Products {
  ab = 0;
  aa = 0;
  bb = 0;

  add(other: Products): void {
    this.ab += other.ab;
    this.aa += other.aa;
    this.bb += other.bb;
  }
}

function productsOf(length: number, at: (index: number) => readonly [number, number]): Products {
  const products = new Products();
  for (let i = 0; i < length; i++) {
    const [a, b] = at(i);
    products.ab += a * b;
    products.aa += a * a;
    products.bb += b * b;
  }
  return products;
}

function cosineOf({ ab, aa, bb }: Products): number {
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
