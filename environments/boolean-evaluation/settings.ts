import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";
import { CONNECTIVES } from "./formula.js";

/** Settings of the boolean-evaluation environment. */
export const settingsSchema = z
  .strictObject({
    ...gradedFields(10, 5, "depth of the formula, connectives on its longest way down"),
    connectives: z
      .array(z.enum(CONNECTIVES))
      .min(1)
      .default([...CONNECTIVES])
      .describe("Connectives that formulas use, each equally likely"),
  })
  .superRefine(checkGrades);

/** Checked settings of the boolean-evaluation environment. */
export type Settings = z.output<typeof settingsSchema>;
