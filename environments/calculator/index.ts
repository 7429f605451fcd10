import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { calculatorEpisodes } from "./episodes.js";
import { settingsSchema } from "./settings.js";
import { calculatorFamily } from "./taskset.js";
import { calculatorTeacher } from "./teacher.js";
import { calculatorVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "calculator",
  version: "1.0.0",
  description:
    "Chains of operations on whole numbers with a calculator that does one at a time, graded by their number",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(calculatorFamily(settings), settings, split, seed),
  episodes: () => calculatorEpisodes,
  verifier: () => calculatorVerifier,
  teacher: calculatorTeacher,
});
