import type {
  Completion,
  EngineCapabilities,
  GenerateOptions,
  GenerateRequest,
  Sampler,
  ScoreOptions,
  Scores,
} from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { checkRequests, checkTokens } from "./check-requests.js";
import { OnnxProcess } from "./onnx-process.js";
import type { OnnxModel } from "./protocol.js";

/**
 * Samples from an exported policy by ONNX Runtime, in a process of its own.
 *
 * Chance, sampling rules and the meaning of logprobs are those of the native sampler; its numbers agree with the native
 * ones within rounding, not to the bit. Calls are served one after the other.
 */
export class OnnxSampler implements Sampler {
  readonly capabilities: EngineCapabilities = { generate: true, score: true, train: false, zeroMismatch: false };
  readonly kernelSet = "onnxruntime";
  readonly #model: OnnxModel;
  readonly #version: number;
  readonly #process: OnnxProcess;

  /** @throws ONNX_RUNTIME_MISSING */
  constructor(model: OnnxModel, version: number) {
    this.#model = model;
    this.#version = version;
    this.#process = new OnnxProcess(model);
  }

  version(): number {
    return this.#version;
  }

  /** Tokens come to `onTokens` when all are there. @throws INPUT_NOT_VALID naming the request, ONNX_MODEL_NOT_VALID, ONNX_PROCESS_ENDED */
  async generate(requests: readonly GenerateRequest[], options: GenerateOptions = {}): Promise<readonly Completion[]> {
    checkRequests(requests, this.#model.shape);
    const order = { requests, version: this.#version };
    const completions = await this.#process.ask("generate", order, "generate", options.signal);
    completions.forEach(({ tokens }, index) => options.onTokens?.(index, tokens));
    return completions;
  }

  /** @throws INPUT_NOT_VALID, ONNX_MODEL_NOT_VALID, ONNX_PROCESS_ENDED */
  async score(
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
    { topK = 0 }: ScoreOptions = {},
  ): Promise<Scores> {
    const fail = (problem: string) => errors.inputNotValid({ action: "score", problem: `the call ${problem}` });
    if (topK > 0) throw fail("asks for topK, which the onnx engine does not have");
    checkTokens(tokens_N, this.#model.shape, fail);
    return this.#process.ask("score", { tokens_N, offsets_S1, temperature }, "score");
  }

  dispose(): void {
    this.#process.dispose();
  }
}
