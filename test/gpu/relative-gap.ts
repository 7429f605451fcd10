/** Largest difference over the largest value. */
export function relativeGap(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [gap, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    gap = Math.max(gap, Math.abs((actual[i] ?? NaN) - (expected[i] ?? 0)));
    size = Math.max(size, Math.abs(expected[i] ?? 0));
  }
  return size === 0 ? gap : gap / size;
}
