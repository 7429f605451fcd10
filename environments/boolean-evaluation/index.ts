import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { settingsSchema } from "./settings.js";
import { formulaFamily } from "./taskset.js";
import { formulaTeacher } from "./teacher.js";
import { formulaVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "boolean-evaluation",
  version: "1.0.0",
  description: "Nested formulas over true and false, graded by their depth",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(formulaFamily(settings), settings, split, seed),
  verifier: () => formulaVerifier,
  teacher: formulaTeacher,
});
