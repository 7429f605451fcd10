import { describe, expect, test } from "vitest";
import { systemClock } from "../../../core/src/actors/clock.js";
import type { Sampler } from "../../../core/src/engines/policy-engine.js";
import { generateThroughVersions } from "../../../core/src/rollout/generate-through.js";
import { NativeEngine } from "../../../gpu/src/native-engine.js";
import { NEXT_TOKEN, ODD_QWEN3, randomBatch, requestOf, STEP } from "../../gpu/engine-fixtures.js";

const requests = Array.from({ length: 24 }, (_, index) => requestOf(index, { maxTokens: 110 }));
const never = new AbortController().signal;

/** Publishes while the requests are under way; `change` is made to the weights before. */
async function through(engine: NativeEngine, change: () => Promise<void>) {
  const answer = generateThroughVersions(engine, requests, never);
  await change();
  await engine.publish();
  return answer;
}

describe("generateThroughVersions()", () => {
  test("says the same through versions of equal weights, token for token and logprob for logprob", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 5 });
    const plain = await engine.generate(requests);
    const completions = await through(engine, () => Promise.resolve());
    for (const [index, { completion }] of completions.entries()) {
      expect(completion.tokens).toEqual(plain[index]?.tokens);
      expect(completion.logprobs).toEqual(plain[index]?.logprobs);
      expect(completion.origins).toEqual(plain[index]?.origins);
      expect(completion.stopReason).toBe(plain[index]?.stopReason);
    }
    engine.dispose();
  });

  test("goes on with a new version: spans in order without a gap, each token with its own version's logprob", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 5 });
    const first = await engine.generate(requests);
    const completions = await through(engine, async () => {
      // Long enough for some tokens, far too short for all of them.
      await new Promise<void>((resolve) => systemClock.after(5, resolve));
      await engine.forwardBackward(randomBatch(ODD_QWEN3, [60, 60]), NEXT_TOKEN);
      await engine.optimStep(STEP);
    });
    const old = engine.version() - 1;
    for (const [index, { completion, versions }] of completions.entries()) {
      let end = 0;
      for (const span of versions) {
        expect(span.start).toBe(end);
        expect(span.end).toBeGreaterThan(span.start);
        end = span.end;
      }
      expect(end).toBe(completion.tokens.length);
      const before = versions[0]?.version === old ? versions[0].end : 0;
      expect(completion.tokens.slice(0, before)).toEqual(first[index]?.tokens.slice(0, before));
      expect(completion.logprobs.slice(0, before)).toEqual(first[index]?.logprobs.slice(0, before));
      if (before === 0 || versions.length === 1) continue;
      // What the new version says of its own tokens is what it scores them with.
      const tokens = Int32Array.from([...requests[index]!.promptTokens, ...completion.tokens]);
      const { logprobs_N } = await engine.score(tokens, Int32Array.of(0, tokens.length), 1);
      const start = requests[index]!.promptTokens.length + before;
      expect(completion.logprobs.slice(before)).toEqual(logprobs_N.slice(start));
    }
    engine.dispose();
  });

  test("names a version once that went live between the look at it and the first token", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 5 });
    let calls = 0;
    const late: Sampler = {
      capabilities: engine.capabilities,
      kernelSet: engine.kernelSet,
      version: () => engine.version(),
      score: (...scored) => engine.score(...scored),
      dispose: () => engine.dispose(),
      async generate(wanted, options) {
        if (++calls > 1) return engine.generate(wanted, options);
        await engine.publish();
        const begun = await engine.generate(wanted.map((request) => ({ ...request, maxTokens: 10 })));
        return begun.map((completion) => ({ ...completion, stopReason: "aborted" }));
      },
    };
    const plain = await engine.generate(requests.slice(0, 2));
    const completions = await generateThroughVersions(late, requests.slice(0, 2), never);
    expect(calls).toBe(2);
    for (const [index, { completion, versions }] of completions.entries()) {
      expect(completion.tokens).toEqual(plain[index]?.tokens);
      expect(versions).toEqual([{ version: engine.version(), start: 0, end: completion.tokens.length }]);
    }
    late.dispose();
  });

  test("stops for good when its caller aborts, with what there is", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 5 });
    const stop = new AbortController();
    stop.abort();
    const completions = await generateThroughVersions(engine, requests.slice(0, 2), stop.signal);
    expect(completions.map(({ completion }) => completion.stopReason)).toEqual(["aborted", "aborted"]);
    engine.dispose();
  });
});
