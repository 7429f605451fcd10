/**
 * Arithmetic mean; NaN of nothing. Deviations from the first value are averaged, so the mean of equal values is that
 * value exactly.
 */
export function mean(values: ArrayLike<number>): number {
  const first = values[0];
  if (first === undefined) return NaN;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - first;
  return first + sum / values.length;
}

/** Variance over n − 1 ("sample", NaN of fewer than 2 values) or over n ("population"). */
export function variance(values: ArrayLike<number>, kind: "sample" | "population"): number {
  if (kind === "sample" && values.length < 2) return NaN;
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - center) ** 2;
  return sum / (kind === "sample" ? values.length - 1 : values.length);
}

/** Square root of the variance, with the same n − 1 or n. */
export function standardDeviation(values: ArrayLike<number>, kind: "sample" | "population"): number {
  return Math.sqrt(variance(values, kind));
}

/**
 * The value below which a share `q` of the values lies, by linear interpolation between order statistics
 * (type 7 of Hyndman and Fan, the default of NumPy and R); NaN of nothing.
 *
 * @param q in [0, 1]
 * @example
 * quantile([4, 1, 3, 2], 0.5); // 2.5
 */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) return NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** Bounds of a confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % quantile of the standard normal distribution. */
const Z_95 = 1.959963984540054;

/**
 * Wilson score interval, 95 %, of a proportion; it stays inside [0, 1] and has width at 0 and at n successes too.
 *
 *     (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n)
 *
 * Source: E. B. Wilson, JASA 22 (1927). The trials must be independent: several samples of one task are not.
 *
 * @returns [0, 1] when there were no trials
 */
export function wilsonInterval(successes: number, trials: number): Interval {
  if (trials === 0) return { low: 0, high: 1 };
  const share = successes / trials;
  const shrink = 1 + Z_95 ** 2 / trials;
  const center = (share + Z_95 ** 2 / (2 * trials)) / shrink;
  const half = (Z_95 / shrink) * Math.sqrt((share * (1 - share)) / trials + Z_95 ** 2 / (4 * trials ** 2));
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/**
 * Normal interval, 95 %, of the mean of independent values: mean ± z s / √n with the sample deviation s. For accuracies
 * averaged over several samples per task, give one mean per task; for a comparison on the same tasks, the differences.
 */
export function meanInterval(values: ArrayLike<number>): Interval {
  const center = mean(values);
  const half = (Z_95 * standardDeviation(values, "sample")) / Math.sqrt(values.length);
  return { low: center - half, high: center + half };
}

/** Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const T_95 = [
  12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216, 2.22814, 2.20099, 2.17881, 2.16037,
  2.14479, 2.13145, 2.11991, 2.10982, 2.10092, 2.09302, 2.08596, 2.07961, 2.07387, 2.06866, 2.0639, 2.05954, 2.05553,
  2.05183, 2.04841, 2.04523, 2.04227,
];

/**
 * Student's interval, 95 %, of the mean of few independent values: mean ± t s / √n with n − 1 degrees of freedom and the
 * sample deviation s. For a comparison that was repeated, give one difference a repetition. Above 31 values t is expanded
 * around the normal quantile, z + (z³ + z) / 4(n − 1), which is within 0.001 there.
 *
 * @returns NaN bounds for fewer than 2 values
 * @example
 * studentInterval([1, 2, 3]); // 2 ± 2.484
 */
export function studentInterval(values: ArrayLike<number>): Interval {
  const freedom = values.length - 1;
  const t = T_95[freedom - 1] ?? Z_95 + (Z_95 ** 3 + Z_95) / (4 * freedom);
  const center = mean(values);
  const half = (t * standardDeviation(values, "sample")) / Math.sqrt(values.length);
  return { low: center - half, high: center + half };
}
