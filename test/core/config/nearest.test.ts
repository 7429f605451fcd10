import { expect, test } from "vitest";
import { nearest } from "../../../core/src/config/nearest.js";

const KEYS = ["groupSize", "steps", "learningRate", "beta1", "beta2"];

test.each([
  ["groupsize", "groupSize"],
  ["group_size", "groupSize"],
  ["group-sise", "groupSize"],
  ["setps", "steps"],
  ["step", "steps"],
  ["lerningrate", "learningRate"],
  ["beta3", "beta1"],
  ["temperature", undefined],
  ["", undefined],
])("nearest() of %j is %j", (word, wanted) => {
  expect(nearest(word, KEYS)).toBe(wanted);
});

test("nearest() finds nothing where nothing is known", () => {
  expect(nearest("steps", [])).toBeUndefined();
});
