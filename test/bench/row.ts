import { quantile } from "@troupe/core/sdk";

/** One figure of a benchmark. */
export interface Row {
  /** `what/size/how`, unique over all areas. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The limit that was measured in the same run, in the same unit; null where there is none. */
  readonly limit: number | null;
  /** What another system does with the same work in the same run; null where there is none. */
  readonly peer: number | null;
  /** Half the distance between the quartiles of the repetitions, as a share of the median; null for a single reading. */
  readonly spread: number | null;
  /** CPU seconds per second that this process got meanwhile: on a busy machine less than its threads could use. */
  readonly cores: number | null;
}

/** A row as programs read it. */
export interface JsonRow {
  readonly value: number;
  readonly unit: string;
  readonly limit: number | null;
  readonly ratio: number | null;
  readonly peer: number | null;
}

/** The middle of some repetitions, and how far apart they lie. */
export interface Middle {
  readonly value: number;
  readonly spread: number | null;
}

/** Median and spread of readings, shape [R], R ≥ 1. */
export function middleOf(readings_R: readonly number[]): Middle {
  const value = quantile(readings_R, 0.5);
  if (readings_R.length < 3) return { value, spread: null };
  return { value, spread: (quantile(readings_R, 0.75) - quantile(readings_R, 0.25)) / 2 / value };
}

/** How much work per second, from how many seconds each repetition took. */
export function rateOf(work: number, seconds_R: readonly number[]): Middle {
  return middleOf(seconds_R.map((seconds) => work / seconds));
}

/** A row with whatever is not given left empty. */
export function row(name: string, unit: string, { value, spread }: Middle, limit: number | null = null): Row {
  return { name, value, unit, limit, peer: null, spread, cores: null };
}

/**
 * Value over limit: the share of the limit that a rate reaches, how many times the least possible a time takes. Null
 * without a limit, and where the limit is 0.
 */
export function ratioOf({ value, limit }: Row): number | null {
  return limit === null || limit === 0 ? null : value / limit;
}

/** All rows as one object, by name. */
export function toJson(rows: readonly Row[]): Readonly<Record<string, JsonRow>> {
  return Object.fromEntries(
    rows.map((one) => [
      one.name,
      { value: one.value, unit: one.unit, limit: one.limit, ratio: ratioOf(one), peer: one.peer },
    ]),
  );
}
