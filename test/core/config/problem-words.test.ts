import { expect, test } from "vitest";
import { z } from "zod";
import { problemWords, valueAt } from "../../../core/src/config/problem-words.js";

const schema = z.strictObject({
  share: z.number().max(1),
  rate: z.number().positive(),
  steps: z.int(),
  mode: z.enum(["async", "lockstep"]),
  names: z.array(z.string()).min(1),
  pairs: z.number().multipleOf(2),
  either: z.union([z.string(), z.array(z.string())]),
  own: z.number().refine((value) => value !== 3, "three is taken"),
});

const GOOD = { share: 1, rate: 1, steps: 1, mode: "async", names: ["a"], pairs: 2, either: "a", own: 1 };

test.each([
  [{ share: 2 }, "2 was found, at most 1 is wanted"],
  [{ rate: 0 }, "0 was found, more than 0 is wanted"],
  [{ rate: Number.NaN }, "NaN was found, a number is wanted"],
  [{ steps: 1.5 }, "1.5 was found, a whole number is wanted"],
  [{ steps: undefined }, "missing, a number is wanted"],
  [{ mode: "asinc" }, '"asinc" was found, one of "async", "lockstep" is wanted'],
  [{ names: [] }, "[] was found, at least 1 entry is wanted"],
  [{ names: "one" }, '"one" was found, a list is wanted'],
  [{ pairs: 3 }, "3 was found, a multiple of 2 is wanted"],
  [{ either: 3 }, "3 was found, a text or a list is wanted"],
  [{ own: 3 }, "three is taken"],
  [{ share: "x".repeat(100) }, `"${"x".repeat(58)}… was found, a number is wanted`],
])("problemWords() of %j names what was found and what is wanted", (change, wanted) => {
  const value = { ...GOOD, ...change };
  const issue = schema.safeParse(value).error?.issues[0];
  expect(issue && problemWords(issue, valueAt(value, issue.path))).toBe(wanted);
});
