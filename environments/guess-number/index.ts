import { defineEnvironment, outcomeVerifier } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { guessEpisodes } from "./episodes.js";
import { settingsSchema } from "./settings.js";
import { guessFamily } from "./taskset.js";
import { guessTeacher } from "./teacher.js";

export default defineEnvironment({
  name: "guess-number",
  version: "1.0.0",
  description: "A hidden number to be found by halving, told higher or lower, graded by the guesses it takes",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(guessFamily(settings), settings, split, seed),
  episodes: () => guessEpisodes,
  verifier: () => outcomeVerifier("guess-number", "1.0.0"),
  teacher: guessTeacher,
});
