import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { settingsSchema } from "./settings.js";
import { chainFamily } from "./taskset.js";
import { chainTeacher } from "./teacher.js";
import { chainVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "modular-sums",
  version: "1.0.0",
  description: "Chains of sums, each reduced by a modulus of its own, graded by their number",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(chainFamily(settings), settings, split, seed),
  verifier: () => chainVerifier,
  teacher: chainTeacher,
});
