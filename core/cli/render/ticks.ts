/**
 * Round numbers that cover a range: steps of 1, 2 or 5 times a power of ten, the first at or below `low`, the last
 * at or above `high`.
 *
 * @param wanted about how many steps; the result has at most twice as many
 * @example
 * ticks(0.11, 0.76, 4); // [0, 0.2, 0.4, 0.6, 0.8]
 */
export function ticks(low: number, high: number, wanted: number): readonly number[] {
  const span = high > low ? high - low : Math.abs(low) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil((low + span) / step - 1e-9)];
  // Multiplying by whole numbers and rounding keeps 0.6 from being 0.6000000000000001.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
