import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";

/** Settings of the base-conversion environment. */
export const settingsSchema = z
  .strictObject({
    ...gradedFields(10, 5, "digits of the number that is given"),
    bases: z
      .array(z.int().min(2).max(36))
      .min(2)
      .refine((bases) => new Set(bases).size === bases.length, "must differ from each other")
      .default([2, 3, 8, 10, 16])
      .describe("Bases that numbers are converted between, each pair equally likely"),
  })
  .superRefine(checkGrades);

/** Checked settings of the base-conversion environment. */
export type Settings = z.output<typeof settingsSchema>;
