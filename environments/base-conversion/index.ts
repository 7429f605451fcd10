import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { settingsSchema } from "./settings.js";
import { conversionFamily } from "./taskset.js";
import { conversionTeacher } from "./teacher.js";
import { conversionVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "base-conversion",
  version: "1.0.0",
  description: "Whole numbers from one base into another, graded by their digits",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(conversionFamily(settings), settings, split, seed),
  verifier: () => conversionVerifier,
  teacher: conversionTeacher,
});
