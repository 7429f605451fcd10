/** Largest difference over the largest value. */
export function relativeGap(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [gap, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    gap = Math.max(gap, Math.abs((actual[i] ?? NaN) - (expected[i] ?? 0)));
    size = Math.max(size, Math.abs(expected[i] ?? 0));
  }
  return size === 0 ? gap : gap / size;
}

/** Euclidean length of the difference over that of the values. */
export function relativeDistance(actual: Float32Array, expected: Float32Array): number {
  const square = (sum: number, x: number) => sum + x * x;
  return Math.sqrt(actual.map((x, i) => x - (expected[i] ?? 0)).reduce(square, 0) / expected.reduce(square, 0));
}
