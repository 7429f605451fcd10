import { describe, expect, test } from "vitest";
import { TINY_POLICY, writeTinyPolicy } from "../../support/tiny-run.js";
import { runScript } from "../../support/run-script.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const policy = writeTinyPolicy(temporaryFolder());

/** A script in which `spawn()` starts a learner of the native engine. */
function script(body: string): string {
  return `
    import { ActorSystem } from "CORE/actors/actor-system.js";
    import { readModelShape } from "CORE/engines/model-shape.js";
    import { learnActor } from "CORE/learn/learn-actor.js";
    const shape = readModelShape(${JSON.stringify(policy)}, ${TINY_POLICY.vocab_size});
    const system = new ActorSystem();
    const spawn = (changes = {}) => system.spawn(learnActor, { engine: "@troupe/gpu", options: { shape, seed: 1, threads: 2 }, hasReference: false, ...changes }, { placement: { at: "thread" } });
    const batch = { tokens_N: Int32Array.of(1, 2, 3, 4), offsets_S1: Int32Array.of(0, 4), weights_N: Float32Array.of(0, 0, 0.5, 0.5), advantages_N: Float32Array.of(0, 0, 1, -1), behaviourLogprobs_N: new Float32Array(4) };
    const spec = { temperature: 1, ratio: "token", clipLow: 0.2, clipHigh: 0.2, dualClip: Infinity, aggregation: "token-mean", normConstant: 1, klCoefficient: 0, klEstimator: "k3", entropyCoefficient: 0, importance: null, maskTruncated: false, nextTokenCoefficient: 0 };
    const optimizer = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
    const update = (learner, changes = {}) => learner.ask("update", { batches: [batch], spec: { ...spec, ...changes }, optimizer, resetOptimizer: false }, { deadlineMs: 600_000 });
    ${body}
    await system.stop();
  `;
}

describe("learnActor", () => {
  test("can be ended and started again in one process, while the engine's threads wait for work", async () => {
    const { exitCode, signal, stdout, stderr } = await runScript(
      script(`
        for (let time = 0; time < 8; time++) {
          const learner = await spawn();
          await update(learner);
          await learner.stop();
        }
        console.log("alive");
      `),
    );
    expect({ exitCode, signal, stdout, stderr }).toEqual({ exitCode: 0, signal: null, stdout: "alive\n", stderr: "" });
  });

  test("keeps the weights that it began with as the reference of the KL term", async () => {
    const { stdout, stderr } = await runScript(
      script(`
        const learner = await spawn({ hasReference: true });
        const kl = [];
        for (let step = 0; step < 3; step++) kl.push((await update(learner, { klCoefficient: 0.1 }))["loss/kl"]);
        console.log(JSON.stringify(kl));
      `),
    );
    expect(stderr).toBe("");
    const [first, ...later] = JSON.parse(stdout);
    expect(first).toBe(0);
    for (const kl of later) expect(kl).toBeGreaterThan(0);
  });

  test("adds raw texts with a pass of their own: masked tokens and a weight of 0 change no bit", async () => {
    const { stdout, stderr } = await runScript(
      script(`
        import { packLabelled } from "CORE/learn/pack.js";
        const probe = { tokens_N: Int32Array.of(5, 6, 7, 8), offsets_S1: Int32Array.of(0, 4), topK: 2 };
        const after = async (nextTokenCoefficient, sequences, temperature = 0.7) => {
          const learner = await spawn();
          const auxiliary = sequences && [packLabelled(sequences)];
          const metrics = await learner.ask("update", { batches: [batch], ...(auxiliary && { auxiliary }), spec: { ...spec, nextTokenCoefficient, temperature }, optimizer, resetOptimizer: false }, { deadlineMs: 600_000 });
          await learner.ask("publish", { version: 1 }, { deadlineMs: 600_000 });
          const scores = await learner.ask("score", probe, { deadlineMs: 600_000 });
          await learner.stop();
          return { loss: metrics["loss/next_token"], logprobs: [...scores.logprobs_N], topIds: [...scores.topIds_NK] };
        };
        const text = { tokens: Int32Array.of(9, 8, 7, 6), lossFrom: 1 };
        console.log(JSON.stringify({
          pure: await after(0),
          weightless: await after(0, [text]),
          masked: await after(0.5, [{ ...text, without: [[1, 2], [2, 3], [3, 4]] }]),
          read: await after(0.5, [text]),
          hotter: await after(0.5, [text], 1.3),
          // A masked token is predicted from, but not learned.
          partly: await after(0.5, [{ ...text, without: [[2, 3]] }]),
        }));
      `),
    );
    expect(stderr).toBe("");
    const { pure, weightless, masked, read, hotter, partly } = JSON.parse(stdout);
    expect(weightless).toEqual(pure);
    expect(masked).toEqual(pure);
    expect(pure.topIds.slice(0, 2)).toEqual([-1, -1]);
    expect(read.loss).toBeGreaterThan(0);
    // Text was not sampled: the sampler's temperature is none of its business.
    expect(hotter.loss).toBe(read.loss);
    expect(read.logprobs).not.toEqual(pure.logprobs);
    expect(partly.logprobs).not.toEqual(read.logprobs);
  });
});
