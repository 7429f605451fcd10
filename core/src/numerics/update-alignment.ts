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
  const alignments = new Map<string, Alignment>();
  const whole = { aligned: new Products(), control: new Products() };
  for (const [name, start_N] of start) {
    const [updated_N, reference_N] = [updated.get(name) ?? [], reference.get(name) ?? []];
    for (const other of [updated_N, reference_N]) {
      if (other.length !== start_N.length) {
        throw errors.lengthMismatch({
          action: "compare updates",
          name,
          length: other.length,
          expected: start_N.length,
        });
      }
    }
    const moved = (to: ArrayLike<number>, i: number) => to[i]! - start_N[i]!;
    const aligned = productsOf(start_N.length, (i) => [moved(updated_N, i), moved(reference_N, i)]);
    const control = productsOf(start_N.length, (i) => [random.normal(), moved(reference_N, i)]);
    whole.aligned.add(aligned);
    whole.control.add(control);
    alignments.set(name, { cosine: cosineOf(aligned), control: cosineOf(control) });
  }
  return alignments.set("", { cosine: cosineOf(whole.aligned), control: cosineOf(whole.control) });
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
