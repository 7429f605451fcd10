import { describe, expect, it } from "vitest";
import { memoryReport } from "../../gpu/src/memory-report.js";
import { runScript } from "../support/run-script.js";
import { ODD_QWEN3 } from "./engine-fixtures.js";

const ENGINE = new URL("../../gpu/dist/src/index.js", import.meta.url).href;

/** Large enough that what Node itself takes meanwhile is small beside it. */
const SHAPE = {
  ...ODD_QWEN3,
  vocabSize: 6000,
  hiddenSize: 320,
  layers: 6,
  heads: 10,
  headSize: 32,
  intermediateSize: 960,
};

/** Trains, publishes and samples in a process of its own; gives the growth of its resident memory and the report. */
async function growth(options: object): Promise<{ grown: number; reported: number }> {
  const { stdout, stderr } = await runScript(`
    import { readFileSync } from "node:fs";
    const { NativeEngine, memoryReport } = await import(${JSON.stringify(ENGINE)});
    const shape = ${JSON.stringify(SHAPE)};
    const options = { shape, seed: 1, threads: 2, training: { microBatchTokens: 3000 }, ...${JSON.stringify(options)} };
    const resident = () => 1024 * Number(/VmRSS:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
    const reported = memoryReport(options, { trains: true, keepsReference: false, sequences: 24, sequenceTokens: 120 }).bytes;
    const before = resident();
    const engine = await NativeEngine.create(options);
    const count = 20, length = 150, n = count * length;
    const batch = {
      tokens_N: Int32Array.from({ length: n }, (_, i) => (i * 7919) % shape.vocabSize),
      offsets_S1: Int32Array.from({ length: count + 1 }, (_, s) => s * length),
      weights_N: new Float32Array(n).fill(1 / n),
      advantages_N: new Float32Array(n).fill(1),
      behaviourLogprobs_N: new Float32Array(n),
    };
    const loss = { temperature: 1, ratio: "token", clipLow: 9, clipHigh: 9, dualClip: Infinity, aggregation: "token-mean", normConstant: 1, klCoefficient: 0, klEstimator: "k3", entropyCoefficient: 0, importance: null, maskTruncated: false, nextTokenCoefficient: 0 };
    await engine.forwardBackward(batch, loss);
    await engine.optimStep({ learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 });
    await engine.publish();
    const request = (i) => ({ promptTokens: Int32Array.from({ length: 40 }, (_, t) => i + t), maxTokens: 80, temperature: 1, topP: 1, topK: 0, minP: 0, stopTokens: [], seed: [i, 1] });
    await engine.generate(Array.from({ length: 24 }, (_, i) => request(i)));
    console.log(JSON.stringify({ grown: resident() - before, reported }));
    engine.dispose();
  `);
  expect(stderr).toBe("");
  // What the line above printed.
  return JSON.parse(stdout) as { grown: number; reported: number };
}

describe("memoryReport()", () => {
  it.skipIf(process.platform !== "linux").each([
    ["all is kept", {}],
    ["layers are computed again", { training: { microBatchTokens: 3000, recompute: "layers" } }],
    ["an adapter is trained", { lora: { rank: 16, alpha: 32, targets: ["q_proj", "v_proj", "down_proj"] } }],
  ])("is within a tenth of what the process grows by when %s", async (_, options) => {
    const { grown, reported } = await growth(options);
    expect(reported / grown).toBeGreaterThan(0.9);
    expect(reported / grown).toBeLessThan(1.1);
  });

  it("grows with what is asked for and names every part", () => {
    const use = { trains: true, keepsReference: false, sequences: 8, sequenceTokens: 64 };
    const of = (changes: object, used: object = {}) =>
      memoryReport({ shape: SHAPE, seed: 1, ...changes }, { ...use, ...used })!;
    const whole = of({});
    const sum = (kind: string, report = whole) =>
      report.entries.filter((entry) => entry.kind === kind).reduce((total, { bytes }) => total + bytes, 0);
    expect(whole.bytes).toBe(whole.entries.reduce((total, { bytes }) => total + bytes, 0));
    expect(sum("optimizer")).toBe(2 * sum("gradients"));
    expect(sum("activations", of({ training: { recompute: "layers" } }))).toBeLessThan(sum("activations") / 2);
    expect(sum("optimizer", of({ lora: { rank: 4, alpha: 8, targets: ["q_proj"] } }))).toBeLessThan(
      sum("optimizer") / 50,
    );
    expect(sum("weights", of({}, { keepsReference: true }))).toBeGreaterThan(sum("weights"));
    expect(sum("cache", of({}, { sequences: 16 }))).toBe(2 * sum("cache"));
    expect(sum("activations", of({}, { trains: false, sequences: 0 }))).toBeLessThan(sum("activations") / 10);
  });
});
