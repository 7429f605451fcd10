import { expect, test } from "vitest";
import { topEntropy } from "../../../core/src/numerics/top-entropy.js";

const nats = (probabilities: readonly number[], renormalise = false) =>
  topEntropy(probabilities.map(Math.log), renormalise);

test.each([
  [[0.5, 0.25, 0.125, 0.125], 1.213008],
  [[0.9, 0.1], 0.325083],
  [[0.7, 0.2, 0.1], 0.801819],
  [[0.4, 0.3, 0.2, 0.1], 1.279854],
  [[0.25, 0.25, 0.25, 0.25], 1.386294],
  [[0.2, 0.2, 0.2, 0.2, 0.2], 1.609438],
])("topEntropy() of %j is %d nats, renormalised or not", (probabilities, entropy) => {
  expect(nats(probabilities)).toBeCloseTo(entropy, 6);
  expect(nats(probabilities, true)).toBeCloseTo(entropy, 6);
});

test("topEntropy() scales what is left of a distribution only when it is asked to", () => {
  expect(nats([0.4, 0.4], true)).toBeCloseTo(Math.LN2, 12);
  expect(nats([0.4, 0.4])).toBeCloseTo(-0.8 * Math.log(0.4), 12);
  expect(nats([1, 0])).toBe(0);
});
