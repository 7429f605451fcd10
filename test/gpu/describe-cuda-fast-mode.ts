import { expect, it } from "vitest";
import type { EngineOptions, ModelShape } from "../../core/src/engines/policy-engine.js";
import type { NativeEngine } from "../../gpu/src/native-engine.js";
import { packCompletions } from "./describe-native-engine.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, STEP } from "./engine-fixtures.js";
import { relativeDistance } from "./relative-gap.js";

const NAMED = "TROUPE_CUBLASLT";

/** What `invariant: false` changes on CUDA kernels, and what it leaves; where cuBLASLt, or what stands for it, is found. */
export function describeCudaFastMode(even: ModelShape, make: (options: EngineOptions) => Promise<NativeEngine>): void {
  const shape = { ...even, layers: 1, tieEmbeddings: false };
  const lora = { rank: 3, alpha: 6, targets: ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj", "lm_head"] };

  // Before the library is opened, which happens once a process.
  it("throws INPUT_NOT_VALID naming the files when invariant is false and cuBLASLt is not there", async () => {
    const before = process.env[NAMED];
    process.env[NAMED] = "/nowhere/libcublasLt.so";
    await expect(make({ shape, seed: 1, device: "cuda", invariant: false })).rejects.toMatchObject({
      code: "INPUT_NOT_VALID",
      message: expect.stringMatching(/needs cuBLASLt; looked for \/nowhere\/libcublasLt\.so .*leave invariant true/),
    });
    if (before === undefined) delete process.env[NAMED];
    else process.env[NAMED] = before;
    await expect(make({ shape, seed: 1, invariant: false })).rejects.toThrow(/only device "cuda" has a fast mode/);
  });

  /** False, with a line, where the machine has no cuBLASLt. */
  async function hasLibrary(): Promise<boolean> {
    if (process.env[NAMED] !== undefined) return true;
    const problem = await make({ shape, seed: 1, device: "cuda", invariant: false }).then(() => undefined, String);
    if (problem !== undefined) console.log(`The fast mode is not tested. ${problem}`);
    return problem === undefined;
  }

  it.each<[string, Partial<EngineOptions>, number, boolean?]>([
    ["fp32", {}, 1e-5],
    ["bf16", { dtype: "bf16" }, 1e-2],
    // The library need not take odd sizes: what it refuses the engine's own products compute.
    ["bf16 of odd sizes", { dtype: "bf16", shape: { ...ODD_QWEN3, layers: 1 } }, 1e-2],
    ["fp32 with an adapter", { lora }, 1e-4],
    // Only inputs' gradients are the library's, and rounding to bf16 hides the order of so short sums.
    ["bf16 with an adapter", { dtype: "bf16", lora }, 1e-2, true],
  ])(
    "computes other bits of gradients that are as good when invariant is false, in %s",
    async (_, fields, gap, isHidden = false) => {
      if (!(await hasLibrary())) return;
      const run = async (invariant: boolean) => {
        const engine = await make({ shape, seed: 5, device: "cuda", invariant, ...fields });
        const batch = randomBatch(engine.shape, [3, 1, 30, 0, 41]);
        if (fields.lora) {
          await engine.forwardBackward(batch, EVERY_TERM);
          await engine.optimStep(STEP);
        }
        await engine.forwardBackward(batch, EVERY_TERM);
        return { gradients: await engine.gradients(), kernelSet: engine.kernelSet };
      };
      const [actual, expected] = [await run(false), await run(true)];
      expect(actual.kernelSet).toBe(`${expected.kernelSet}/fast`);
      if (!isHidden) expect(actual.gradients).not.toEqual(expected.gradients);
      for (const [name, values] of expected.gradients)
        expect(relativeDistance(actual.gradients.get(name) ?? values, values), name).toBeLessThan(gap);
    },
  );

  it("reports a mismatch of 0 when invariant is false, for only gradients change", async () => {
    if (!(await hasLibrary())) return;
    const engine = await make({ shape, seed: 5, device: "cuda", dtype: "bf16", invariant: false });
    await engine.forwardBackward(randomBatch(shape, [20, 30]), EVERY_TERM);
    await engine.optimStep(STEP);
    await engine.publish();
    const requests = Array.from({ length: 8 }, (_, i) => requestOf(i, { maxTokens: 12 }));
    const { recorded, ...packed } = packCompletions(requests, await engine.generate(requests));
    const zeros_N = new Float32Array(packed.tokens_N.length);
    const [behaviourLogprobs_N, weights_N] = [zeros_N.slice(), zeros_N.slice()];
    for (const { place, logprob } of recorded) {
      behaviourLogprobs_N[place] = logprob;
      weights_N[place] = 1;
    }
    const batch = { ...packed, weights_N, advantages_N: zeros_N, behaviourLogprobs_N };
    expect(recorded.length).toBeGreaterThan(50);
    expect(await engine.forwardBackward(batch, { ...EVERY_TERM, temperature: 1 })).toMatchObject({ "mismatch/max": 0 });
  });
}
