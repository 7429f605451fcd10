import { defineEnvironment } from "@troupe/core/sdk";
import { settingsSchema } from "../arithmetic/settings.js";
import { programTaskset } from "./taskset.js";
import { programTeacher } from "./teacher.js";
import { programVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "programs",
  version: "1.0.0",
  description: "Long programs of sums to be shortened to one operation, judged by tests",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => programTaskset(settings, split, seed),
  verifier: () => programVerifier,
  teacher: programTeacher,
});
