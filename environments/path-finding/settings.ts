import { z } from "@troupe/core/sdk";
import { checkGrades, gradedFields } from "../procedural/graded-settings.js";

/** Settings of the path-finding environment. */
export const settingsSchema = z
  .strictObject(gradedFields(12, 4, "edges of the shortest path"))
  .superRefine(checkGrades);

/** Checked settings of the path-finding environment. */
export type Settings = z.output<typeof settingsSchema>;
