import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BudgetRule, Completion, GenerateRequest } from "../../core/src/engines/policy-engine.js";
import { ORIGIN } from "../../core/src/records/trajectory.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3, requestOf } from "./engine-fixtures.js";

const { sampled, forced, injected } = ORIGIN;
/** A token that ends thinking, and what is put in when it does not come. */
const [OPEN, CLOSE] = [35, 36];
const INJECT = [1, CLOSE, 2];

let engine: NativeEngine;
beforeAll(async () => {
  engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 21 });
});
afterAll(() => engine.dispose());

const never: readonly (readonly [number, number])[] = [
  [OPEN, -1e4],
  [CLOSE, -1e4],
];

async function sample(fields: Partial<GenerateRequest>, index = 4): Promise<Completion> {
  return (await engine.generate([requestOf(index, { maxTokens: 30, logitBias: never, ...fields })]))[0]!;
}

function rule(fields: Partial<BudgetRule> = {}): BudgetRule {
  return { limit: 6, from: [], until: [CLOSE], inject: INJECT, ...fields };
}

function origins(...spans: [number, number][]): Uint8Array {
  return Uint8Array.from(spans.flatMap(([count, origin]) => Array.from({ length: count }, () => origin)));
}

describe("GenerateRequest.budgetRules", () => {
  it("injects when the limit is spent and the span is open, and samples on", async () => {
    const free = await sample({});
    const ruled = await sample({ budgetRules: [rule()] });
    expect([...ruled.tokens.slice(6, 9)]).toEqual(INJECT);
    expect(ruled.tokens.slice(0, 6)).toEqual(free.tokens.slice(0, 6));
    expect(ruled.origins).toEqual(origins([6, sampled], [3, injected], [21, sampled]));
    expect(ruled.stopReason).toBe("length");
  });

  it("samples after the injection what the same text forced would have been followed by", async () => {
    const ruled = await sample({ budgetRules: [rule()] });
    const again = await sample({ forcedTokens: ruled.tokens.slice(0, 9) });
    expect(again.tokens).toEqual(ruled.tokens);
    expect(again.logprobs).toEqual(ruled.logprobs);
    expect(again.entropies).toEqual(ruled.entropies);
    expect(again.origins).toEqual(origins([9, forced], [21, sampled]));
  });

  it("stays away when the span ended in time, and applies once", async () => {
    const closed = await sample({ forcedTokens: Int32Array.of(3, CLOSE), budgetRules: [rule()] });
    expect(closed.origins).toEqual(origins([2, forced], [28, sampled]));
    const once = await sample({ budgetRules: [rule({ inject: [1] })] });
    expect(once.origins).toEqual(origins([6, sampled], [1, injected], [23, sampled]));
  });

  it("counts from the token that opens the span, or never when it does not come", async () => {
    const opened = await sample({ forcedTokens: Int32Array.of(3, OPEN, 4), budgetRules: [rule({ from: [OPEN] })] });
    expect(opened.origins).toEqual(origins([3, forced], [5, sampled], [3, injected], [19, sampled]));
    const unopened = await sample({ budgetRules: [rule({ from: [OPEN] })] });
    expect(unopened.origins).toEqual(origins([30, sampled]));
  });

  it("waits for the end of a forced prefix", async () => {
    const forcedTokens = Int32Array.from({ length: 10 }, (_, t) => t);
    const late = await sample({ forcedTokens, budgetRules: [rule()] });
    expect(late.origins).toEqual(origins([10, forced], [3, injected], [17, sampled]));
    const closed = await sample({ forcedTokens: Int32Array.of(...forcedTokens, CLOSE), budgetRules: [rule()] });
    expect(closed.origins).toEqual(origins([11, forced], [19, sampled]));
  });

  it("injects at once when the limit is 0, several rules one after the other", async () => {
    const both = await sample({ budgetRules: [rule({ limit: 0 }), rule({ limit: 2, until: [OPEN], inject: [9] })] });
    expect(both.origins).toEqual(origins([4, injected], [26, sampled]));
    expect([...both.tokens.slice(0, 4)]).toEqual([...INJECT, 9]);
  });

  it("stays within maxTokens, and an injected stop token ends nothing", async () => {
    const cut = await sample({ maxTokens: 8, budgetRules: [rule()] });
    expect([...cut.tokens.slice(6)]).toEqual(INJECT.slice(0, 2));
    expect(cut.stopReason).toBe("length");
    const on = await sample({ stopTokens: [CLOSE], budgetRules: [rule()] });
    expect(on.tokens.length).toBe(30);
  });

  it("records for injected tokens the logprobs that training computes, bit for bit", async () => {
    const request = requestOf(4, { maxTokens: 30, budgetRules: [rule()] });
    const completion = await sample({ budgetRules: [rule()] });
    const tokens_N = Int32Array.of(...request.promptTokens, ...completion.tokens);
    const { logprobs_N } = await engine.score(tokens_N, Int32Array.of(0, tokens_N.length), 1);
    expect(completion.logprobs).toEqual(logprobs_N.subarray(request.promptTokens.length));
  });

  it.each<[string, Partial<BudgetRule>]>([
    ["a limit below 0", { limit: -1 }],
    ["2.5, which is not whole", { limit: 2.5 }],
    ["without a token that ends its span", { until: [] }],
    ["without tokens to inject", { inject: [] }],
    ["has token 37", { inject: [37] }],
  ])("throws INPUT_NOT_VALID naming the request for a rule with %s", async (problem, fields) => {
    const failure = sample({ budgetRules: [rule(fields)] });
    await expect(failure).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
    await expect(failure).rejects.toThrow(problem);
    await expect(failure).rejects.toThrow("request 0");
  });
});

describe("GenerateRequest.stopStrings", () => {
  /** Token t stands for one letter, the last for "é" in two bytes, some for two letters, one for none. */
  const texts = Array.from({ length: 37 }, (_, t) =>
    t === 36
      ? "é"
      : t === 35
        ? ""
        : t < 26
          ? String.fromCharCode(97 + t)
          : String.fromCharCode(97 + t - 26, 98 + t - 26),
  );

  it("needs the vocabulary", async () => {
    const failure = sample({ stopStrings: ["a"] });
    await expect(failure).rejects.toThrow("has stop strings, and the engine was not given the vocabulary's bytes");
  });

  it("ends with the drawn token in which a string ends, wherever it begins", async () => {
    const utf8 = new TextEncoder();
    const offsets_V1 = new Int32Array(38);
    texts.forEach((text, t) => (offsets_V1[t + 1] = offsets_V1[t]! + utf8.encode(text).length));
    engine.setVocabulary({ bytes: utf8.encode(texts.join("")), offsets_V1 });
    const free = await engine.generate(Array.from({ length: 40 }, (_, i) => requestOf(i, { maxTokens: 60 })));
    let ended = 0;
    for (const stopStrings of [["q"], ["ab"], ["bcd", "é"], ["ca", "dab", "xyz"], ["abc"]]) {
      const stopped = await engine.generate(
        Array.from({ length: 40 }, (_, i) => requestOf(i, { maxTokens: 60, stopStrings })),
      );
      stopped.forEach((completion, i) => {
        const tokens = free[i]!.tokens;
        const texts_T = Array.from(tokens, (_, t) => textOf(tokens.subarray(0, t + 1)));
        const first = texts_T.findIndex((text) => stopStrings.some((string) => text.includes(string)));
        expect(completion.tokens).toEqual(first < 0 ? tokens : tokens.subarray(0, first + 1));
        expect(completion.stopReason).toBe(first < 0 ? "length" : "stop");
        ended += first < 0 ? 0 : 1;
      });
    }
    expect(ended).toBeGreaterThan(30);
  });

  it("does not end in a forced token, but may begin there", async () => {
    const forcedTokens = Int32Array.of(0, 1); // "ab"
    const on = await sample({ forcedTokens, stopStrings: ["ab"], maxTokens: 4, logitBias: [[2, 100]] });
    expect(textOf(on.tokens)).toBe("abcc");
    const ended = await sample({ forcedTokens, stopStrings: ["bc"], maxTokens: 4, logitBias: [[2, 100]] });
    expect(textOf(ended.tokens)).toBe("abc");
    expect(ended.stopReason).toBe("stop");
  });

  it("is refused when it is empty", async () => {
    await expect(sample({ stopStrings: [""] })).rejects.toThrow("has an empty stop string");
  });

  function textOf(tokens: Int32Array): string {
    return Array.from(tokens, (token) => texts[token]).join("");
  }
});
