import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Completion, GenerateRequest } from "../../core/src/engines/policy-engine.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3, requestOf } from "./engine-fixtures.js";

const BLOCK_TOKENS = 32;

/** Engines of the same weights; `blocks` bounds the cache. */
const engines: NativeEngine[] = [];
async function engineWith(blocks: number, threads?: number): Promise<NativeEngine> {
  const probe = await NativeEngine.create({ shape: ODD_QWEN3, seed: 6, cacheBytes: 1 });
  const cacheBytes = blocks * probe.cache().blockBytes;
  probe.dispose();
  const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 6, cacheBytes, ...(threads && { threads }) });
  engines.push(engine);
  return engine;
}
afterAll(() => engines.forEach((engine) => engine.dispose()));

function prompt(group: number, length: number): Int32Array {
  return Int32Array.from({ length }, (_, t) => (group * 11 + t * 5) % 37);
}

async function oneByOne(engine: NativeEngine, requests: readonly GenerateRequest[]): Promise<readonly Completion[]> {
  const alone: Completion[] = [];
  for (const request of requests) alone.push(...(await engine.generate([request])));
  return alone;
}

const request = fc
  .record({
    group: fc.integer({ min: 0, max: 3 }),
    promptTokens: fc.constantFrom(1, 2, 31, 32, 33, 64, 65, 90),
    maxTokens: fc.integer({ min: 1, max: 70 }),
    forced: fc.integer({ min: 0, max: 40 }),
    seed: fc.integer({ min: 0, max: 1000 }),
    stop: fc.boolean(),
    rule: fc.boolean(),
  })
  .map(({ group, promptTokens, maxTokens, forced, seed, stop, rule }) =>
    requestOf(0, {
      promptTokens: prompt(group, promptTokens),
      maxTokens,
      seed: [seed, 5],
      stopTokens: stop ? [3, 4] : [],
      ...(forced > 20 && { forcedTokens: prompt(9, forced - 20) }),
      ...(rule && { budgetRules: [{ limit: 12, from: [], until: [7], inject: [7, 8, 9] }] }),
    }),
  );

describe("the key/value cache", () => {
  it("changes no sample by joins, shared prompts, chunks and a bound that makes sequences give way", async () => {
    const roomy = await engineWith(1000);
    const tight = await engineWith(Math.ceil(160 / BLOCK_TOKENS) + 1);
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 30 }), async (requests) => {
        const alone = await oneByOne(roomy, requests);
        expect(await roomy.generate(requests)).toEqual(alone);
        expect(await tight.generate(requests)).toEqual(alone);
        expect(tight.cache().lent).toBe(0);
        expect(roomy.cache().lent).toBe(0);
      }),
      { numRuns: 40, seed: 7 },
    );
    expect(tight.cache().preemptions).toBeGreaterThan(10);
    expect(tight.cache().mostLent).toBeLessThanOrEqual(tight.cache().blocks);
    expect(roomy.cache().preemptions).toBe(0);
    expect(roomy.cache().sharedTokens).toBeGreaterThan(200);
  });

  it("changes no sample when several calls share a bound and some are aborted", async () => {
    const engine = await engineWith(12);
    const calls = Array.from({ length: 6 }, (_, call) =>
      Array.from({ length: 12 }, (_, i) =>
        requestOf(i, { promptTokens: prompt(call, 20 + 12 * call), maxTokens: 10 + 7 * (i % 8), seed: [call, i] }),
      ),
    );
    const alone: (readonly Completion[])[] = [];
    for (const requests of calls) alone.push(await oneByOne(engine, requests));
    const controllers = calls.map(() => new AbortController());
    const running = calls.map((requests, call) => {
      // Whenever this comes, what was made until then is the beginning of the same sample.
      let heard = 0;
      const onTokens = (): void => {
        if (call % 2 === 1 && ++heard === 20 * call) controllers[call]?.abort();
      };
      return engine.generate(requests, { signal: controllers[call]!.signal, onTokens });
    });
    for (const [call, completions] of (await Promise.all(running)).entries()) {
      for (const [i, completion] of completions.entries()) {
        const whole = alone[call]?.[i];
        if (completion.stopReason !== "aborted") expect(completion).toEqual(whole);
        else {
          expect(call % 2).toBe(1);
          for (const field of ["tokens", "logprobs", "entropies", "origins"] as const)
            expect(completion[field]).toEqual(whole?.[field].subarray(0, completion.tokens.length));
        }
      }
    }
    expect(engine.cache().lent).toBe(0);
    expect(engine.cache().mostLent).toBeLessThanOrEqual(12);
  });

  it("computes the prompt of a group once, and holds its blocks once", async () => {
    // Threads take parts of a large group each, and compute its prompt each.
    const engine = await engineWith(1000, 1);
    const group = Array.from({ length: 16 }, (_, i) =>
      requestOf(i, { promptTokens: prompt(1, 100), maxTokens: 4, seed: [i, 1] }),
    );
    await engine.generate(group);
    expect(engine.cache().sharedTokens).toBe(15 * 99);
    // Three whole blocks for all, and each one's own with the prompt's last tokens; the last takes over the kept one.
    expect(engine.cache().mostLent).toBeLessThanOrEqual(3 + 16 + 1);
  });

  it("is an error that names the request when one sequence cannot fit", async () => {
    const engine = await engineWith(3);
    const failure = engine.generate([requestOf(1), requestOf(0, { promptTokens: prompt(0, 90), maxTokens: 10 })]);
    await expect(failure).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
    await expect(failure).rejects.toThrow("request 1 may need 4 blocks of the key/value cache, which has 3");
    await expect(engine.generate([requestOf(0, { promptTokens: prompt(0, 90), maxTokens: 6 })])).resolves.toHaveLength(
      1,
    );
  });
});

describe("GenerateOptions.onTokens", () => {
  it("gives every token once, in order, before the call settles", async () => {
    const engine = await engineWith(8);
    const requests = Array.from({ length: 40 }, (_, i) =>
      requestOf(i, { stopTokens: [5], forcedTokens: Int32Array.of(1, 2) }),
    );
    const heard = requests.map((): number[] => []);
    let crossings = 0;
    const completions = await engine.generate(requests, {
      onTokens: (index, tokens) => {
        crossings++;
        heard[index]?.push(...tokens);
      },
    });
    expect(heard).toEqual(completions.map(({ tokens }) => [...tokens]));
    expect(crossings).toBeLessThan(heard.flat().length);
  });

  it("ends the call with what the listener throws", async () => {
    const engine = await engineWith(8);
    const onTokens = (): never => {
      throw new Error("no more");
    };
    await expect(engine.generate([requestOf(7, { maxTokens: 100 })], { onTokens })).rejects.toThrow("no more");
    expect(engine.cache().lent).toBe(0);
  });
});
