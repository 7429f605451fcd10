import { defineEnvironment } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { arithmeticTaskset } from "./taskset.js";
import { arithmeticTeacher } from "./teacher.js";
import { arithmeticVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "arithmetic",
  version: "1.0.0",
  description: "Chains of operations on digits, each result modulo 10, of known difficulty",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => arithmeticTaskset(settings, split, seed),
  verifier: () => arithmeticVerifier,
  teacher: arithmeticTeacher,
});
