import { existsSync } from "node:fs";
import { join } from "node:path";
import { readModelShape, type RewardModel } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { checkTokens } from "./check-requests.js";
import { ONNX_FILE } from "./export-onnx.js";
import { OnnxProcess } from "./onnx-process.js";
import { onnxProviders } from "./runtime.js";

/**
 * Opens a reward model that `exportOnnx(directory, "reward")` exported, in a process of its own.
 *
 * @throws ONNX_MODEL_NOT_VALID, MODEL_CONFIG_NOT_VALID, ONNX_RUNTIME_MISSING
 */
export async function openRewardModel(options: {
  readonly directory: string;
  readonly threads?: number;
}): Promise<RewardModel> {
  const { directory, threads = 1 } = options;
  const path = join(directory, ONNX_FILE);
  if (!existsSync(path)) throw errors.onnxModelNotValid({ path, problem: "the file is missing" });
  const shape = readModelShape(directory, 0, "reward");
  const model = new OnnxProcess({ path, shape, threads, providers: onnxProviders() });
  return {
    async score(sequences) {
      sequences.forEach((tokens, i) => {
        const fail = (problem: string) =>
          errors.inputNotValid({ action: "score", problem: `sequence ${i} ${problem}` });
        if (tokens.length === 0) throw fail("is empty");
        if (tokens.length > shape.maxPositions)
          throw fail(`has ${tokens.length} tokens, more than maxPositions ${shape.maxPositions}`);
        checkTokens(tokens, shape, fail);
      });
      return model.ask("judge", { sequences }, "score");
    },
    dispose: () => model.dispose(),
  };
}
