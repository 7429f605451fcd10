import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { settingsSchema } from "./settings.js";
import { countdownFamily } from "./taskset.js";
import { countdownTeacher } from "./teacher.js";
import { countdownVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "countdown",
  version: "1.0.0",
  description: "Reach a target with given numbers, graded by the operations it takes",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(countdownFamily(settings), settings, split, seed),
  verifier: () => countdownVerifier,
  teacher: countdownTeacher,
});
