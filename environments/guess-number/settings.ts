import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";

/** Settings of the guess-number environment. */
export const settingsSchema = z
  .strictObject({
    maxStart: z
      .int()
      .min(1)
      .max(9000)
      .default(200)
      .describe("The lowest number that comes into question lies between 1 and this"),
    ...gradedFields(9, 4, "one guess less than there are; with each the numbers double"),
  })
  .superRefine(checkGrades);

/** Checked settings of the guess-number environment. */
export type Settings = z.output<typeof settingsSchema>;
