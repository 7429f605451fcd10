import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { combineLossMetrics, policyLoss, updateImportanceScale } from "../../../core/src/numerics/policy-loss.js";
import type { Batch } from "../../../core/src/records/batch.js";
import type { LossSpec } from "../../../core/src/records/loss-spec.js";
import { anyCase, anySpec, batchOf, DAPO } from "./loss-fixtures.js";

const zeros = (count: number) => new Float32Array(count);
const f32 = (...values: number[]) => Float32Array.from(values);

describe("policyLoss()", () => {
  it("has the gradient of REINFORCE when ratios are 1", () => {
    // A2: logits and actions of three tokens that share one row of logits.
    const logits = [0.2, -0.1, 0.4];
    const actions = [0, 2, 1];
    const advantages_N = [1.5, -0.5, -0.5];
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const probabilities = logits.map((logit) => Math.exp(logit) / total);
    const logprobs_N = Float32Array.from(actions, (action) => Math.log(probabilities[action]!));
    const third = 1 / 3;
    const batch = batchOf([1, 1, 1], {
      weights_N: [third, third, third],
      advantages_N,
      behaviourLogprobs_N: [...logprobs_N],
    });
    const { dLogprobs_N, metrics } = policyLoss({ spec: DAPO, batch, logprobs_N, entropies_N: zeros(3) });
    const gradient = logits.map((_, v) =>
      actions.reduce((sum, action, t) => sum - dLogprobs_N[t]! * (Number(action === v) - probabilities[v]!), 0),
    );
    expect(gradient[0]).toBeCloseTo(0.443736, 6);
    expect(gradient[1]).toBeCloseTo(-0.208348, 6);
    expect(gradient[2]).toBeCloseTo(-0.235388, 6);
    expect(metrics["ratio/max"]).toBe(1);
    expect(metrics["mismatch/max"]).toBe(0);
    expect(metrics["kl/mismatch"]).toBe(0);
  });

  it("gives every token the sequence's ratio when the ratio is of sequences", () => {
    // O3: the log ratios 0.1, -0.1, 0.3 have mean 0.1.
    const batch = batchOf([3], { weights_N: [1, 1, 1], advantages_N: [1, 1, 1], behaviourLogprobs_N: [-1, -1, -1] });
    const spec: LossSpec = { ...DAPO, ratio: "sequence", clipLow: 1, clipHigh: 1 };
    const { loss, dLogprobs_N } = policyLoss({ spec, batch, logprobs_N: f32(-0.9, -1.1, -0.7), entropies_N: zeros(3) });
    expect(-loss / 3).toBeCloseTo(1.10517, 5);
    for (const gradient of dLogprobs_N) expect(-gradient).toBeCloseTo(1.10517, 5);
    const clipped = policyLoss({
      spec: { ...spec, clipLow: 3e-4, clipHigh: 4e-4 },
      batch,
      logprobs_N: f32(-0.9, -1.1, -0.7),
      entropies_N: zeros(3),
    });
    expect(-clipped.loss / 3).toBeCloseTo(1.0004, 6);
    expect([...clipped.dLogprobs_N]).toEqual([0, 0, 0]);
    expect(clipped.metrics["pg_clipfrac"]).toBe(3);
  });

  it("is REINFORCE with a weight when the ratio is one, whatever the old logprobs and bounds are", () => {
    const old = [-0.5, -1.2];
    const batch = batchOf([2], {
      weights_N: [0.5, 0.5],
      advantages_N: [2, -1],
      oldLogprobs_N: old,
      behaviourLogprobs_N: [-1.5, -1],
    });
    const importance = { level: "token", outside: "truncate", low: 0, high: 2 } as const;
    const spec: LossSpec = { ...DAPO, ratio: "one", clipLow: 0, clipHigh: 0, importance };
    const { loss, dLogprobs_N, metrics } = policyLoss({
      spec,
      batch,
      logprobs_N: f32(-0.1, -3),
      entropies_N: zeros(2),
    });
    expect(dLogprobs_N[0]).toBeCloseTo(-0.5 * 2 * 2, 6);
    expect(dLogprobs_N[1]).toBeCloseTo(0.5 * Math.exp(-0.2), 6);
    expect(loss).toBeCloseTo(-0.5 * (2 * 2 - Math.exp(-0.2)), 6);
    expect(metrics).toMatchObject({ "ratio/mean": 1, "ratio/max": 1, pg_clipfrac: 0 });
  });

  it("brings the mean importance weight of the update to 1 when it is to be normalised, however the batch is cut", () => {
    const batch = batchOf([2, 1], {
      weights_N: [0.5, 0.25, 0.25],
      advantages_N: [1, 1, 1],
      oldLogprobs_N: [-0.5, -1.2, -1],
      behaviourLogprobs_N: [-1.5, -1, -1],
    });
    const importance = { level: "token", outside: "truncate", low: 0, high: 2, normalize: true } as const;
    const spec: LossSpec = { ...DAPO, importance };
    const logprobs_N = f32(-0.5, -1.2, -1);
    const whole = policyLoss({ spec, batch, logprobs_N, entropies_N: zeros(3) });
    const mean = (2 + Math.exp(-0.2) + 1) / 3;
    expect(-whole.dLogprobs_N[0]! / 0.5).toBeCloseTo(2 / mean, 6);
    expect(-whole.dLogprobs_N[2]! / 0.25).toBeCloseTo(1 / mean, 6);
    const { batch: part, start, end } = partOf(batch, 1, 2);
    const importanceScale = updateImportanceScale(batch, spec);
    const cut = policyLoss({
      spec,
      batch: part,
      logprobs_N: logprobs_N.slice(start, end),
      entropies_N: zeros(1),
      importanceScale,
    });
    expect(cut.dLogprobs_N[0]).toBe(whole.dLogprobs_N[2]);
  });

  it("gives each token the gradient of its own objective when a sequence's advantages differ", () => {
    const batch = batchOf([2], { weights_N: [0.5, 0.25], advantages_N: [2, -1], behaviourLogprobs_N: [-1, -1] });
    const spec: LossSpec = { ...DAPO, ratio: "sequence", clipLow: 1, clipHigh: 1 };
    const { dLogprobs_N } = policyLoss({ spec, batch, logprobs_N: f32(-0.8, -1), entropies_N: zeros(2) });
    expect(dLogprobs_N[0]).toBeCloseTo(-0.5 * Math.exp(0.1) * 2, 6);
    expect(dLogprobs_N[1]).toBeCloseTo(0.25 * Math.exp(0.1), 6);
  });

  it("gives prompt, block and padding a gradient of exactly zero when their weight is 0", () => {
    // T2: prompt of 10, empty think block of 4, response of 3, padding of 2.
    const mask = [...new Array<number>(14).fill(0), 1, 1, 1, 0, 0];
    const batch = batchOf([19], {
      weights_N: mask.map((m) => m / 3),
      advantages_N: new Array<number>(19).fill(1),
      behaviourLogprobs_N: new Array<number>(19).fill(-1),
      referenceLogprobs_N: new Array<number>(19).fill(-2),
    });
    const spec: LossSpec = { ...DAPO, klCoefficient: 0.1, entropyCoefficient: 0.1 };
    const logprobs_N = new Float32Array(19).fill(-1);
    const before = policyLoss({ spec, batch, logprobs_N, entropies_N: zeros(19) });
    mask.forEach((m, t) => {
      expect(before.dLogprobs_N[t] !== 0).toBe(m === 1);
      expect(before.dEntropies_N[t] !== 0).toBe(m === 1);
    });
    const moved = logprobs_N.map((logprob, t) => (mask[t] === 1 ? logprob : -7));
    expect(policyLoss({ spec, batch, logprobs_N: moved, entropies_N: zeros(19) }).loss).toBe(before.loss);
  });

  it("has the finite differences of its loss as gradient when spec and batch are any", () => {
    // The token form of a sequence's ratio has the loss's own gradient only where all weights of a sequence are one.
    const evenSpec = anySpec.filter((spec) => spec.ratio === "token" || spec.importance?.level !== "token");
    fc.assert(
      fc.property(evenSpec, anyCase, (spec, { batch, logprobs_N, entropies_N }) => {
        const { dLogprobs_N, dEntropies_N } = policyLoss({ spec, batch, logprobs_N, entropies_N });
        const lossAt = (logprobs: Float32Array, entropies: Float32Array) =>
          policyLoss({ spec, batch, logprobs_N: logprobs, entropies_N: entropies });
        for (let t = 0; t < logprobs_N.length; t++) {
          const step = (array: Float32Array, by: number) => array.map((value, i) => (i === t ? value + by : value));
          const [up, down] = [step(logprobs_N, 1e-3), step(logprobs_N, -1e-3)];
          const [above, below] = [lossAt(up, entropies_N), lossAt(down, entropies_N)];
          const width = up[t]! - down[t]!;
          // Across a bound the loss has a kink, and no derivative to compare with.
          const bounds = ["pg_clipfrac", "clip/dual"];
          if (bounds.every((key) => above.metrics[key] === below.metrics[key])) {
            expect(dLogprobs_N[t]! - (above.loss - below.loss) / width).toBeCloseTo(0, 4);
          }
          const [more, less] = [step(entropies_N, 0.01), step(entropies_N, -0.01)];
          const slope = (lossAt(logprobs_N, more).loss - lossAt(logprobs_N, less).loss) / (more[t]! - less[t]!);
          expect(dEntropies_N[t]! - slope).toBeCloseTo(0, 5);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("adds up over micro-batches when a batch is cut between sequences", () => {
    fc.assert(
      fc.property(anySpec, anyCase, fc.nat(4), (spec, { batch, logprobs_N, entropies_N }, at) => {
        const cut = Math.min(at, batch.offsets_S1.length - 1);
        const whole = policyLoss({ spec, batch, logprobs_N, entropies_N });
        const parts = [partOf(batch, 0, cut), partOf(batch, cut, batch.offsets_S1.length - 1)].map((part) =>
          policyLoss({
            spec,
            batch: part.batch,
            logprobs_N: logprobs_N.slice(part.start, part.end),
            entropies_N: entropies_N.slice(part.start, part.end),
          }),
        );
        expect(parts.flatMap((part) => [...part.dLogprobs_N])).toEqual([...whole.dLogprobs_N]);
        expect(parts.flatMap((part) => [...part.dEntropies_N])).toEqual([...whole.dEntropies_N]);
        expect(parts[0]!.loss + parts[1]!.loss).toBeCloseTo(whole.loss, 9);
        const combined = combineLossMetrics(parts.map((part) => part.metrics));
        for (const [key, value] of Object.entries(whole.metrics)) expect(combined[key]).toBeCloseTo(value, 9);
      }),
    );
  });

  it("gives the loss as the sum of its terms and finite numbers when spec and batch are any", () => {
    fc.assert(
      fc.property(anySpec, anyCase, (spec, { batch, logprobs_N, entropies_N }) => {
        const { loss, metrics } = policyLoss({ spec, batch, logprobs_N, entropies_N });
        const terms = ["loss/policy", "loss/kl", "loss/entropy", "loss/next_token"].map((key) => metrics[key]!);
        expect(terms.reduce((sum, term) => sum + term, 0)).toBeCloseTo(loss, 12);
        for (const value of Object.values(metrics)) expect(Number.isFinite(value)).toBe(true);
        expect(metrics["pg_clipfrac"]).toBeCloseTo(metrics["clip/low"]! + metrics["clip/high"]!, 12);
      }),
    );
  });

  it("stays the same when importance weights meet identical logprobs", () => {
    fc.assert(
      fc.property(anySpec, anyCase, (spec, { batch, logprobs_N, entropies_N }) => {
        const same: Batch = { ...batch, oldLogprobs_N: batch.behaviourLogprobs_N };
        const without = policyLoss({ spec: { ...spec, importance: null }, batch: same, logprobs_N, entropies_N });
        const { loss, dLogprobs_N } = policyLoss({ spec, batch: same, logprobs_N, entropies_N });
        expect(loss).toBe(without.loss);
        expect(dLogprobs_N).toEqual(without.dLogprobs_N);
      }),
    );
  });

  it("scales the surrogate alone by the importance weight when engines disagree", () => {
    // O6: token weights 2 (capped from 2.7183) and 0.8187; the ratio is taken against the learner's old logprobs.
    const old = [-0.5, -1.2];
    const batch = batchOf([2], {
      weights_N: [0.5, 0.5],
      advantages_N: [1, 1],
      oldLogprobs_N: old,
      behaviourLogprobs_N: [-1.5, -1],
    });
    const spec: LossSpec = { ...DAPO, importance: { level: "token", outside: "truncate", low: 0, high: 2 } };
    const { loss, dLogprobs_N, metrics } = policyLoss({ spec, batch, logprobs_N: f32(...old), entropies_N: zeros(2) });
    expect(-dLogprobs_N[0]! / 0.5).toBeCloseTo(2, 6);
    expect(-dLogprobs_N[1]! / 0.5).toBeCloseTo(0.8187, 4);
    expect(-loss).toBeCloseTo((2 + Math.exp(-0.2)) / 2, 6);
    expect(metrics["importance/outside"]).toBeCloseTo(0.5, 12);
    expect(metrics["importance/mean"]).toBeCloseTo((2 + Math.exp(-0.2)) / 2, 6);
    expect(metrics["mismatch/max"]).toBeCloseTo(1, 6);
    expect(metrics["mismatch/mean"]).toBeCloseTo(0.6, 6);
    const k3 = (Math.exp(1) - 1 - 1 + Math.exp(-0.2) + 0.2 - 1) / 2;
    expect(metrics["kl/mismatch"]).toBeCloseTo(k3, 6);
  });

  it("counts low, high and dual clips apart when ratios leave their bounds", () => {
    const ratios = [1.3, 0.7, 4, 1];
    const batch = batchOf([4], {
      weights_N: [0.25, 0.25, 0.25, 0.25],
      advantages_N: [1, -1, -1, 1],
      behaviourLogprobs_N: [0, 0, 0, 0],
    });
    const logprobs_N = Float32Array.from(ratios, Math.log);
    const { metrics, dLogprobs_N } = policyLoss({
      spec: { ...DAPO, dualClip: 3 },
      batch,
      logprobs_N,
      entropies_N: zeros(4),
    });
    expect(metrics).toMatchObject({
      pg_clipfrac: 0.5,
      "clip/high": 0.25,
      "clip/low": 0.25,
      "clip/dual": 0.25,
      "weight/sum": 1,
    });
    expect(metrics["ratio/max"]).toBeCloseTo(4, 5);
    expect([...dLogprobs_N]).toEqual([0, 0, 0, -0.25]);
  });

  it("is finite and has no gradient when a ratio would overflow", () => {
    const batch = batchOf([1], { weights_N: [1], advantages_N: [-1], behaviourLogprobs_N: [-900] });
    const { loss, dLogprobs_N } = policyLoss({ spec: DAPO, batch, logprobs_N: f32(-1), entropies_N: zeros(1) });
    expect(loss).toBeCloseTo(Math.exp(20), 0);
    expect(dLogprobs_N[0]).toBe(0);
  });

  it("shows a wrong prompt as a mismatch when behaviour was conditioned on another", () => {
    // T3: the check `mismatch/max < 1e-5` on the first forward holds only under the prompt that was sampled from.
    const batch = batchOf([2], { weights_N: [0.5, 0.5], advantages_N: [1, 1], behaviourLogprobs_N: [-1, -2] });
    const right = policyLoss({ spec: DAPO, batch, logprobs_N: f32(-1, -2), entropies_N: zeros(2) });
    const wrong = policyLoss({ spec: DAPO, batch, logprobs_N: f32(-1.3, -2), entropies_N: zeros(2) });
    expect(right.metrics["mismatch/max"]).toBe(0);
    expect(wrong.metrics["mismatch/max"]).toBeCloseTo(0.3, 6);
  });

  it("throws REFERENCE_LOGPROBS_MISSING when the KL term is on and the batch has none", () => {
    const batch = batchOf([1], { weights_N: [1] });
    const compute = () =>
      policyLoss({ spec: { ...DAPO, klCoefficient: 0.1 }, batch, logprobs_N: zeros(1), entropies_N: zeros(1) });
    expect(compute).toThrow(
      expect.objectContaining({
        code: "REFERENCE_LOGPROBS_MISSING",
        hint: expect.stringContaining("loss.klCoefficient"),
      }),
    );
  });

  it("throws LENGTH_MISMATCH when logprobs belong to another batch", () => {
    const batch = batchOf([2], {});
    const compute = () => policyLoss({ spec: DAPO, batch, logprobs_N: zeros(3), entropies_N: zeros(2) });
    expect(compute).toThrow(expect.objectContaining({ code: "LENGTH_MISMATCH" }));
  });
});

/** Sequences [first, last) of a batch, and where their tokens stood. */
function partOf(batch: Batch, first: number, last: number): { batch: Batch; start: number; end: number } {
  const start = batch.offsets_S1[first]!;
  const end = batch.offsets_S1[last]!;
  const cut = (array: Float32Array) => array.slice(start, end);
  return {
    start,
    end,
    batch: {
      tokens_N: batch.tokens_N.slice(start, end),
      offsets_S1: batch.offsets_S1.slice(first, last + 1).map((offset) => offset - start),
      weights_N: cut(batch.weights_N),
      advantages_N: cut(batch.advantages_N),
      behaviourLogprobs_N: cut(batch.behaviourLogprobs_N),
      ...(batch.oldLogprobs_N && { oldLogprobs_N: cut(batch.oldLogprobs_N) }),
      ...(batch.referenceLogprobs_N && { referenceLogprobs_N: cut(batch.referenceLogprobs_N) }),
      ...(batch.nextTokenWeights_N && { nextTokenWeights_N: cut(batch.nextTokenWeights_N) }),
    },
  };
}
