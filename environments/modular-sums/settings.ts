import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";
import { NAMES } from "./chain.js";

/** Settings of the modular-sums environment. */
export const settingsSchema = z
  .strictObject({
    ...gradedFields(NAMES.length, 6, "sums in the chain"),
    summands: z.int().min(2).max(5).default(2).describe("Summands of every sum, the result before among them"),
    maxSummand: z.int().min(9).max(9999).default(50).describe("Largest summand"),
    maxModulus: z.int().min(5).max(999).default(20).describe("Largest modulus; the smallest is 2"),
  })
  .superRefine(checkGrades);

/** Checked settings of the modular-sums environment. */
export type Settings = z.output<typeof settingsSchema>;
