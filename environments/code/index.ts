import { defineEnvironment } from "@troupe/core/sdk";
import { codeVerifier } from "./code-verifier.js";
import { codeJudge } from "./judge.js";
import { openSandbox } from "./open-sandbox.js";
import { recogniseCodeTasks } from "./recognise-code-tasks.js";
import { settingsSchema } from "./settings.js";
import { codeTaskset } from "./taskset.js";

export default defineEnvironment({
  name: "code",
  version: "1.0.0",
  description:
    "Programming problems from a JSON Lines or Parquet file, judged by running programs on tests in a sandbox",
  config: settingsSchema,
  async taskset(settings, split, context) {
    const { testMs, memoryMb, outputKb } = settings.limits;
    // A run that could judge nothing is refused before it starts.
    const limits = { testMs, memoryMb, outputBytes: outputKb * 1024 };
    const sandbox = await openSandbox({
      language: settings.data.language ?? "python",
      limits,
      boundary: settings.sandbox,
    });
    await sandbox.close();
    return codeTaskset(settings, split, context.baseDirectory);
  },
  verifier: codeVerifier,
  judge: codeJudge,
  recognise: recogniseCodeTasks,
});
