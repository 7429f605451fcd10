import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";

/** Settings of the calculator environment. */
export const settingsSchema = z
  .strictObject({
    maxOperand: z.int().min(2).max(99).default(50).describe("The numbers in a problem lie between 2 and this"),
    ...gradedFields(9, 4, "operations, each a call of the calculator"),
  })
  .superRefine(checkGrades);

/** Checked settings of the calculator environment. */
export type Settings = z.output<typeof settingsSchema>;
