import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateRequest } from "../../core/src/engines/policy-engine.js";
import { Random } from "../../core/src/numerics/random.js";
import { runReferenceTransformer } from "../../core/src/numerics/reference-transformer.js";
import { sampleToken } from "../../core/src/numerics/sample-token.js";
import { nativeAddon } from "../../gpu/src/addon.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3, requestOf } from "./engine-fixtures.js";

describe("philox", () => {
  // Known answers published with Random123, file kat_vectors.
  it.each([
    [
      [0, 0],
      [0, 0, 0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0xa4093822, 0x299f31d0],
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("gives the published words when the key is %j", (key, counter, words) => {
    expect([...nativeAddon().philox(Uint32Array.from(key), Uint32Array.from(counter))]).toEqual(words);
  });
});

describe("NativeSampler.generate()", () => {
  let engine: NativeEngine;
  beforeAll(async () => {
    engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 21 });
  });
  afterAll(() => engine.dispose());

  const variants: [string, Partial<GenerateRequest>][] = [
    ["nothing is restricted", {}],
    ["the temperature is low", { temperature: 0.4 }],
    ["the temperature is 0", { temperature: 0 }],
    ["top-k is 3", { topK: 3 }],
    ["top-p is 0.6", { topP: 0.6 }],
    ["min-p is 0.3", { minP: 0.3 }],
    ["all of them apply", { temperature: 1.3, topK: 20, topP: 0.9, minP: 0.05 }],
    [
      "logits are biased",
      {
        logitBias: [
          [5, 3],
          [6, -4],
        ],
      },
    ],
    ["the temperature is 0 and logits are biased", { temperature: 0, logitBias: [[5, 30]] }],
  ];
  it.each(variants)("draws the token that the reference draws when %s", async (_, fields) => {
    const requests = Array.from({ length: 6 }, (_, i) => requestOf(i * 9, { ...fields, maxTokens: 24 }));
    const completions = await engine.generate(requests);
    const weights = new Map([...(await engine.weights())].map(([name, values]) => [name, Float64Array.from(values)]));
    completions.forEach((completion, i) => {
      const request = requests[i] ?? requestOf(0);
      const tokens_N = [...request.promptTokens, ...completion.tokens];
      const { logits_NV } = runReferenceTransformer({
        shape: ODD_QWEN3,
        weights,
        tokens_N,
        offsets_S1: [0, tokens_N.length],
        temperature: 1,
      });
      const drawn = Array.from(completion.tokens, (_, t) => {
        const row = request.promptTokens.length + t - 1;
        const logits_V = logits_NV.subarray(row * ODD_QWEN3.vocabSize, (row + 1) * ODD_QWEN3.vocabSize);
        return sampleToken(logits_V, request, new Random(request.seed, t).uniform());
      });
      expect([...completion.tokens]).toEqual(drawn);
      expect(completion.stopReason).toBe("length");
    });
  });

  it("begins with the forced tokens, and does not stop at a forced stop token", async () => {
    const forcedTokens = Int32Array.of(3, 8, 2);
    const [completion] = await engine.generate([requestOf(4, { forcedTokens, stopTokens: [8], maxTokens: 9 })]);
    expect([...(completion?.tokens.slice(0, 3) ?? [])]).toEqual([3, 8, 2]);
    expect(completion?.logprobs.every((logprob) => logprob < 0)).toBe(true);
  });

  it("counts forced tokens against the budget", async () => {
    const forcedTokens = Int32Array.of(3, 8, 2);
    const [cut, exact] = await engine.generate([
      requestOf(4, { forcedTokens, maxTokens: 2 }),
      requestOf(4, { forcedTokens, maxTokens: 3 }),
    ]);
    expect([...(cut?.tokens ?? [])]).toEqual([3, 8]);
    expect([...(exact?.tokens ?? [])]).toEqual([3, 8, 2]);
    expect([cut?.stopReason, exact?.stopReason]).toEqual(["length", "length"]);
  });

  it("ends with the stop token that it drew", async () => {
    const stopTokens = [0, 2, 4, 6, 8, 10, 12];
    const completions = await engine.generate(
      Array.from({ length: 30 }, (_, i) => requestOf(i, { stopTokens, maxTokens: 60 })),
    );
    for (const { tokens, stopReason } of completions) {
      const isStop = Array.from(tokens, (token) => stopTokens.includes(token));
      expect(isStop.slice(0, -1)).not.toContain(true);
      expect(stopReason).toBe(isStop.at(-1) ? "stop" : "length");
    }
    expect(completions.filter((one) => one.stopReason === "stop").length).toBeGreaterThan(20);
  });

  it("gives what it has, marked aborted, when the signal fires", async () => {
    const requests = Array.from({ length: 3000 }, (_, i) => requestOf(i, { maxTokens: 100 }));
    const controller = new AbortController();
    const all = engine.generate(requests, { signal: controller.signal });
    controller.abort();
    const completions = await all;
    expect(completions.length).toBe(3000);
    expect(completions.at(-1)?.stopReason).toBe("aborted");
    expect(
      (await engine.generate(requests.slice(0, 2), { signal: AbortSignal.abort() })).map((one) => one.tokens.length),
    ).toEqual([0, 0]);
  });

  it("gives nothing for no requests", async () => {
    expect(await engine.generate([])).toEqual([]);
  });

  it.each<[string, Partial<GenerateRequest>]>([
    ["has an empty prompt", { promptTokens: new Int32Array() }],
    ["has token 37", { promptTokens: Int32Array.of(1, 37) }],
    ["has token -1", { stopTokens: [-1] }],
    ["has token 1.5", { stopTokens: [1.5] }],
    ["may reach 161 tokens", { promptTokens: Int32Array.of(1), maxTokens: 160 }],
    ["must be allowed at least one token", { maxTokens: 0 }],
    ["needs a whole maxTokens", { maxTokens: 2.5 }],
    ["needs a temperature", { temperature: -1 }],
    ["needs a temperature", { temperature: NaN }],
    ["needs topP", { topP: 0 }],
    ["needs minP", { minP: 2 }],
    ["needs topK", { topK: -1 }],
    ["bias that is not finite", { logitBias: [[1, Infinity]] }],
  ])("throws INPUT_NOT_VALID naming the request when it %s", async (problem, fields) => {
    const failure = engine.generate([requestOf(1), requestOf(2, fields)]);
    await expect(failure).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
    await expect(failure).rejects.toThrow(`request 1 ${problem}`.replace("request 1 bias", "bias"));
  });
});
