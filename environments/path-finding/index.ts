import { defineEnvironment } from "@troupe/core/sdk";
import { gradedTaskset } from "../procedural/graded-taskset.js";
import { settingsSchema } from "./settings.js";
import { pathFamily } from "./taskset.js";
import { pathTeacher } from "./teacher.js";
import { pathVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "path-finding",
  version: "1.0.0",
  description: "Shortest paths in small weighted graphs, graded by the edges on them",
  config: settingsSchema,
  taskset: async (settings, split, { seed }) => gradedTaskset(pathFamily, settings, split, seed),
  verifier: () => pathVerifier,
  teacher: pathTeacher,
});
