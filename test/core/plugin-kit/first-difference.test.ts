import { expect, test } from "vitest";
import { firstDifference } from "../../../core/src/plugin-kit/first-difference.js";

test.each([
  [{ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, { place: "a[1].b", first: 2, second: 3 }],
  [{ a: [1] }, { a: [1, 2] }, { place: "a[1]", first: undefined, second: 2 }],
  [1, 2, { place: "", first: 1, second: 2 }],
  [{ a: [] }, { a: {} }, { place: "a", first: [], second: {} }],
  [{ a: Number.NaN }, { a: Number.NaN }, undefined],
])("firstDifference() of %j and %j is where they part", (first, second, wanted) => {
  expect(firstDifference(first, second)).toEqual(wanted);
});
