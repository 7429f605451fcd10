import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";

/** Settings of the countdown environment. */
export const settingsSchema = z
  .strictObject({
    ...gradedFields(7, 4, "operations that a solution needs, one less than there are numbers"),
    maxNumber: z.int().min(2).max(99).default(20).describe("The numbers lie between 1 and this"),
  })
  .superRefine(checkGrades);

/** Checked settings of the countdown environment. */
export type Settings = z.output<typeof settingsSchema>;
