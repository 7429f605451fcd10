import { defineEnvironment } from "@troupe/core/sdk";
import { recogniseTexts } from "./recognise-texts.js";
import { settingsSchema } from "./settings.js";
import { corpusTaskset } from "./taskset.js";
import { corpusTeacher } from "./teacher.js";
import { corpusVerifier } from "./verifier.js";

export default defineEnvironment({
  name: "corpus",
  version: "1.0.0",
  description: "Next-token reasoning: which token comes next in a text, easy, medium or hard by a policy's own entropy",
  config: settingsSchema,
  taskset: corpusTaskset,
  verifier: ({ match }) => corpusVerifier(match),
  teacher: corpusTeacher,
  recognise: recogniseTexts,
});
