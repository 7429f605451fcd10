import type { GenerateRequest } from "@troupe/core/sdk";
import type { FlatRequests } from "./addon.js";
import { errors } from "./errors.js";

const utf8 = new TextEncoder();

/**
 * Requests as the flat arrays that cross to native code. Native code checks tokens and ranges; here is checked what an
 * array of 32-bit numbers could no longer tell.
 *
 * @throws INPUT_NOT_VALID naming the request
 */
export function flattenRequests(requests: readonly GenerateRequest[]): FlatRequests {
  requests.forEach((request, i) => {
    for (const field of ["maxTokens", "topK"] as const) {
      if (!isInt32(request[field])) throw notValid(i, `needs a whole ${field}: ${request[field]}`);
    }
    for (const token of [...request.stopTokens, ...(request.logitBias ?? []).map(([token]) => token)]) {
      if (!isInt32(token)) throw notValid(i, `has token ${token}, which is not whole`);
    }
    for (const { limit, from, until, inject } of request.budgetRules ?? []) {
      const wrong = [limit, ...from, ...until, ...inject].find((value) => !isInt32(value));
      if (wrong !== undefined) throw notValid(i, `has a budget rule with ${wrong}, which is not whole`);
    }
    if (!(request.promptTokens instanceof Int32Array)) throw notValid(i, "needs its prompt as an Int32Array");
  });
  const prompts = flatten(requests.map((request) => request.promptTokens));
  const forced = flatten(requests.map((request) => request.forcedTokens ?? []));
  const stops = flatten(requests.map((request) => request.stopTokens));
  const biases = flatten(requests.map((request) => (request.logitBias ?? []).map(([token]) => token)));
  const strings = requests.map((request) => (request.stopStrings ?? []).map((text) => utf8.encode(text)));
  const stopBytes = flatten(strings.flat());
  const rules = requests.map((request) => request.budgetRules ?? []);
  const from = flatten(rules.flat().map((rule) => rule.from));
  const until = flatten(rules.flat().map((rule) => rule.until));
  const inject = flatten(rules.flat().map((rule) => rule.inject));
  return {
    promptTokens: prompts.values,
    promptOffsets: prompts.offsets,
    forcedTokens: forced.values,
    forcedOffsets: forced.offsets,
    stopTokens: stops.values,
    stopOffsets: stops.offsets,
    biasTokens: biases.values,
    biasOffsets: biases.offsets,
    biasValues: Float32Array.from(requests.flatMap((request) => (request.logitBias ?? []).map(([, bias]) => bias))),
    maxTokens: Int32Array.from(requests, (request) => request.maxTokens),
    topK: Int32Array.from(requests, (request) => request.topK),
    temperature: Float32Array.from(requests, (request) => request.temperature),
    topP: Float32Array.from(requests, (request) => request.topP),
    minP: Float32Array.from(requests, (request) => request.minP),
    seeds: Uint32Array.from(requests.flatMap((request) => [...request.seed])),
    stopBytes: Uint8Array.from(stopBytes.values),
    stopByteOffsets: stopBytes.offsets,
    stopStringOffsets: flatten(strings.map((texts) => texts.map(() => 0))).offsets,
    ruleLimits: Int32Array.from(rules.flat(), (rule) => rule.limit),
    ruleOffsets: flatten(rules.map((list) => list.map(() => 0))).offsets,
    fromTokens: from.values,
    fromOffsets: from.offsets,
    untilTokens: until.values,
    untilOffsets: until.offsets,
    injectTokens: inject.values,
    injectOffsets: inject.offsets,
  };
}

function flatten(lists: readonly ArrayLike<number>[]): { values: Int32Array; offsets: Int32Array } {
  const offsets = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => (offsets[i + 1] = (offsets[i] ?? 0) + list.length));
  const values = new Int32Array(offsets[lists.length] ?? 0);
  lists.forEach((list, i) => values.set(list, offsets[i]));
  return { values, offsets };
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}

function notValid(request: number, problem: string): Error {
  return errors.inputNotValid({ action: "generate", problem: `request ${request} ${problem}` });
}
