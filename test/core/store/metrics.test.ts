import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { rewardMetrics, sampleMetrics } from "../../../core/src/learn/step-metrics.js";
import { policyLoss } from "../../../core/src/numerics/policy-loss.js";
import { METRICS, metricsTable } from "../../../core/src/store/metrics.js";
import { rollout } from "./rollout-example.js";

describe("METRICS", () => {
  it("has names of the form area/name or area/name/stat", () => {
    for (const name of Object.keys(METRICS)) expect(name).toMatch(/^([a-z]+(\/[a-zA-Z0-9_]+){1,2}|pg_clipfrac)$/);
  });

  it("is the table in core/docs/metrics.md", async () => {
    const page = await readFile(new URL("../../../core/docs/metrics.md", import.meta.url), "utf8");
    expect(page).toContain(metricsTable());
  });

  it("lists everything that samples, rewards and losses are measured by", () => {
    const { trajectory, verdict } = rollout("1/0/0", [1, 2, 3]);
    const { metrics } = policyLoss({
      spec: {
        temperature: 1,
        ratio: "token",
        clipLow: 0.2,
        clipHigh: 0.2,
        dualClip: 3,
        aggregation: "token-mean",
        normConstant: 1,
        klCoefficient: 0.1,
        klEstimator: "k3",
        entropyCoefficient: 0.1,
        importance: { level: "token", outside: "truncate", low: 0, high: 2 },
        maskTruncated: false,
        nextTokenCoefficient: 0.1,
      },
      batch: {
        tokens_N: trajectory.tokens,
        offsets_S1: new Int32Array([0, 3]),
        weights_N: new Float32Array([0, 0.5, 0.5]),
        advantages_N: new Float32Array([0, 1, -1]),
        behaviourLogprobs_N: new Float32Array([0, -1, -5]),
        referenceLogprobs_N: new Float32Array([0, -1, -2]),
        nextTokenWeights_N: new Float32Array([0, 0, 1]),
      },
      logprobs_N: new Float32Array([0, -0.5, -1]),
      entropies_N: new Float32Array([0, 1, 1]),
    });
    const samples = sampleMetrics([
      { trajectory, verdict },
      { trajectory: { ...trajectory, stopReason: "stop" }, verdict },
    ]);
    const emitted = Object.keys({ ...metrics, ...samples, ...rewardMetrics([{ rewards_G: [0, 1] }], [0, 1]) });
    expect(emitted.filter((name) => !(name in METRICS))).toEqual([]);
  });
});
