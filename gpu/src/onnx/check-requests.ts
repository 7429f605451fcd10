import type { GenerateRequest, ModelShape } from "@troupe/core/sdk";
import { errors } from "../errors.js";

/** What a `GenerateRequest` may ask of this engine. */
const KNOWN = [
  "promptTokens",
  "forcedTokens",
  "maxTokens",
  "temperature",
  "topP",
  "topK",
  "minP",
  "stopTokens",
  "logitBias",
  "seed",
];

/**
 * Refuses requests that the model cannot serve, before they cross to its process.
 *
 * @throws INPUT_NOT_VALID naming the request and what is wrong
 */
export function checkRequests(requests: readonly GenerateRequest[], shape: ModelShape): void {
  for (const [i, request] of requests.entries()) {
    const fail = (problem: string) => errors.inputNotValid({ action: "generate", problem: `request ${i} ${problem}` });
    const { promptTokens, maxTokens, temperature } = request;
    const isAsked = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);
    const unknown = Object.entries(request).find(([key, value]) => isAsked(value) && !KNOWN.includes(key));
    if (unknown) throw fail(`asks for ${unknown[0]}, which the onnx engine does not have`);
    if (promptTokens.length === 0) throw fail("has an empty prompt");
    if (maxTokens < 1) throw fail("must be allowed at least one token");
    if (promptTokens.length + maxTokens > shape.maxPositions)
      throw fail(`may reach ${promptTokens.length + maxTokens} tokens, more than maxPositions ${shape.maxPositions}`);
    if (!(temperature >= 0 && Number.isFinite(temperature))) throw fail("needs a temperature of 0 or more");
    checkTokens([...promptTokens, ...(request.forcedTokens ?? [])], shape, fail);
  }
}

/** @throws what `fail` makes, naming the first token outside of the vocabulary */
export function checkTokens(tokens: Iterable<number>, shape: ModelShape, fail: (problem: string) => Error): void {
  for (const token of tokens) {
    if (!(token >= 0 && token < shape.vocabSize))
      throw fail(`has token ${token}, outside the vocabulary of ${shape.vocabSize}`);
  }
}
