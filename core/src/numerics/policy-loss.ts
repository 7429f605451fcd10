import { errors } from "../errors.js";
import type { Batch } from "../records/batch.js";
import type { LossSpec } from "../records/loss-spec.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import {
  clampLogRatio,
  importanceScale,
  importanceWeights,
  MAX_LOG_RATIO,
  sumDifferences,
} from "./importance-weights.js";
import { klEstimate } from "./kl.js";

/** A batch with what the policy now says of its tokens, at the temperature of the spec; arrays of shape [N]. */
export interface PolicyLossInput {
  readonly spec: LossSpec;
  readonly batch: Batch;
  readonly logprobs_N: Float32Array;
  readonly entropies_N: Float32Array;
  /** `updateImportanceScale` of the update batch that this one is a part of; that of this batch when absent. */
  readonly importanceScale?: number;
}

/** The loss, its derivatives with respect to each token's logprob and entropy, and metrics that add up. */
export interface PolicyLoss {
  readonly loss: number;
  readonly dLogprobs_N: Float32Array;
  readonly dEntropies_N: Float32Array;
  readonly metrics: Record<string, number>;
}

/**
 * Loss of a batch (to be minimised) and its gradient with respect to logprobs and entropies.
 *
 *     loss = Σ_t ω_t (−w_t J_t + κ k_t − η H_t) − λ Σ_t ν_t logprob_t
 *
 * ω `weights_N` (mask and denominator are in it) · w importance weight, a constant to the gradient, 1 unless
 * `spec.importance` · J clipped surrogate of ratio ρ_t and advantage · κ k_t `klCoefficient` and estimate against the
 * reference · η H_t `entropyCoefficient` and entropy · λ ν_t `nextTokenCoefficient` and `nextTokenWeights_N`.
 *
 *     ρ_t = exp(logprob_t − old_t)                                   spec.ratio "token"
 *     ρ_t = π_t / sg[π_t]                                            "one": value 1, gradient A ∇logprob (REINFORCE)
 *     ρ_t = sg[s] · π_t / sg[π_t],  s = exp(mean_u (logprob_u − old_u))      "sequence" (GSPO, arXiv:2507.18071)
 *
 * The mean runs over the sequence's acting tokens (ω ≠ 0). The token form of the sequence ratio gives each token the
 * gradient of its own objective; it equals the gradient of `loss` where a sequence has one A, one ω and one w.
 * `old` is `oldLogprobs_N`, or the behaviour logprobs; where it equals the current logprob, ρ is exactly 1. Log ratios
 * are clamped to ±20, with no gradient beyond. Sums are float64. A token with ω = ν = 0 has gradient exactly 0.
 *
 * Every metric is a sum over tokens, so those of micro-batches add up to those of the whole batch, except keys that end
 * in "/max", which take the maximum (`combineLossMetrics`):
 *
 * - `loss/policy`, `loss/kl`, `loss/entropy`, `loss/next_token`: the four terms, coefficients included; they add to the loss.
 * - Means with weights ω, to be divided by `weight/sum` = Σω where that is not 1 (it is 1 under the two token-mean aggregations):
 *   `kl/ref` (when there are reference logprobs) · `ratio/mean` · `pg_clipfrac` = `clip/low` + `clip/high`
 *   (tokens whose gradient a bound cut) and `clip/dual` · `kl/mismatch` (k3 of behaviour against the learner) and
 *   `mismatch/mean` (|difference|, nats) · with importance weights their `importance/mean`, `importance/meanSquare` (mean²
 *   over it is the effective sample share) and `importance/outside`.
 * - `ratio/max`, `mismatch/max`. The mismatch compares behaviour with `oldLogprobs_N`, or with the current logprobs: then it
 *   is the engines' mismatch in the first update on a batch, and includes the policy's own movement in later ones.
 *
 * @throws LENGTH_MISMATCH, REFERENCE_LOGPROBS_MISSING
 */
export function policyLoss({ spec, batch, logprobs_N, entropies_N, ...given }: PolicyLossInput): PolicyLoss {
  const { offsets_S1, weights_N, advantages_N, behaviourLogprobs_N, referenceLogprobs_N, nextTokenWeights_N } = batch;
  checkLengths(batch, logprobs_N, entropies_N);
  if (spec.klCoefficient !== 0 && referenceLogprobs_N === undefined) {
    throw errors.referenceLogprobsMissing({ klCoefficient: spec.klCoefficient });
  }
  const N = logprobs_N.length;
  const old_N = batch.oldLogprobs_N ?? behaviourLogprobs_N;
  const learner_N = batch.oldLogprobs_N ?? logprobs_N;
  const { importance } = spec;
  const correction =
    importance && importanceWeights({ importance, offsets_S1, weights_N, oldLogprobs_N: old_N, behaviourLogprobs_N });
  const scale = given.importanceScale ?? updateImportanceScale(batch, spec);

  const dLogprobs_N = new Float32Array(N);
  const dEntropies_N = new Float32Array(N);
  const sums = new MetricSums();
  for (let s = 0; s + 1 < offsets_S1.length; s++) {
    const [start, end] = [offsets_S1[s]!, offsets_S1[s + 1]!];
    const whole = sumDifferences(logprobs_N, old_N, weights_N, start, end);
    for (let t = start; t < end; t++) {
      const logprob = logprobs_N[t]!;
      let dLogprob = 0;

      const weight = weights_N[t]!;
      if (weight !== 0) {
        const logRatio = logRatioOf(spec.ratio, logprob - old_N[t]!, whole);
        const ratio = Math.exp(clampLogRatio(logRatio));
        const surrogate = clippedSurrogate(ratio, advantages_N[t]!, spec);
        const slope = Math.abs(logRatio) < MAX_LOG_RATIO ? surrogate.slope * ratio : 0;
        const trust = correction ? scale * correction.values_N[t]! : 1;
        sums.add("loss/policy", -weight * trust * surrogate.value);
        dLogprob -= weight * trust * slope;

        sums.add("loss/entropy", -spec.entropyCoefficient * weight * entropies_N[t]!);
        dEntropies_N[t]! -= spec.entropyCoefficient * weight;

        if (referenceLogprobs_N !== undefined) {
          const kl = klEstimate(spec.klEstimator, logprob, referenceLogprobs_N[t]!);
          sums.add("loss/kl", spec.klCoefficient * weight * kl.value);
          sums.add("kl/ref", weight * kl.value);
          dLogprob += spec.klCoefficient * weight * kl.slope;
        }

        sums.add("weight/sum", weight);
        sums.add("ratio/mean", weight * ratio);
        sums.raise("ratio/max", ratio);
        if (surrogate.clipped === "dual") sums.add("clip/dual", weight);
        else if (surrogate.clipped !== "no") {
          sums.add("pg_clipfrac", weight);
          sums.add(`clip/${surrogate.clipped}`, weight);
        }
        const behaviour = behaviourLogprobs_N[t]!;
        const mismatch = Math.abs(learner_N[t]! - behaviour);
        sums.add("kl/mismatch", weight * klEstimate("k3", behaviour, learner_N[t]!).value);
        sums.add("mismatch/mean", weight * mismatch);
        sums.raise("mismatch/max", mismatch);
        if (correction) {
          sums.add("importance/mean", weight * trust);
          sums.add("importance/meanSquare", weight * trust * trust);
          sums.add("importance/outside", weight * correction.isOutside_N[t]!);
        }
      }

      const nextTokenWeight = nextTokenWeights_N?.[t] ?? 0;
      if (nextTokenWeight !== 0) {
        sums.add("loss/next_token", -spec.nextTokenCoefficient * nextTokenWeight * logprob);
        dLogprob -= spec.nextTokenCoefficient * nextTokenWeight;
      }
      dLogprobs_N[t] = dLogprob;
    }
  }
  return { loss: sums.loss(), dLogprobs_N, dEntropies_N, metrics: sums.values };
}

/** What `policyLoss` multiplies importance weights by: 1 unless the spec normalises them over the whole update batch. */
export function updateImportanceScale(batch: Batch, { importance }: LossSpec): number {
  if (!importance) return 1;
  const { offsets_S1, weights_N, behaviourLogprobs_N } = batch;
  const oldLogprobs_N = batch.oldLogprobs_N ?? behaviourLogprobs_N;
  return importanceScale({ importance, offsets_S1, weights_N, oldLogprobs_N, behaviourLogprobs_N });
}

function logRatioOf(ratio: LossSpec["ratio"], ofToken: number, whole: { sum: number; count: number }): number {
  switch (ratio) {
    case "token":
      return ofToken;
    case "sequence":
      return whole.sum / whole.count;
    case "one":
      return 0;
  }
}

/**
 * Metrics of a whole batch from those of its micro-batches: keys that end in "/max" take the maximum, others add up.
 *
 * @example
 * combineLossMetrics([{ "loss/policy": 1, "ratio/max": 2 }, { "loss/policy": 3, "ratio/max": 1 }]);
 * // { "loss/policy": 4, "ratio/max": 2 }
 */
export function combineLossMetrics(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const combined: Record<string, number> = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part)) {
      const before = combined[key];
      if (before === undefined) combined[key] = value;
      else combined[key] = key.endsWith("/max") ? Math.max(before, value) : before + value;
    }
  }
  return combined;
}

class MetricSums {
  readonly values: Record<string, number> = {
    "loss/policy": 0,
    "loss/kl": 0,
    "loss/entropy": 0,
    "loss/next_token": 0,
    "weight/sum": 0,
    "ratio/mean": 0,
    "ratio/max": 0,
    pg_clipfrac: 0,
    "clip/low": 0,
    "clip/high": 0,
    "clip/dual": 0,
    "kl/mismatch": 0,
    "mismatch/mean": 0,
    "mismatch/max": 0,
  };

  add(key: string, amount: number): void {
    this.values[key] = (this.values[key] ?? 0) + amount;
  }

  raise(key: string, value: number): void {
    this.values[key] = Math.max(this.values[key] ?? 0, value);
  }

  loss(): number {
    return ["loss/policy", "loss/kl", "loss/entropy", "loss/next_token"].reduce(
      (sum, key) => sum + this.values[key]!,
      0,
    );
  }
}

function checkLengths(batch: Batch, logprobs_N: Float32Array, entropies_N: Float32Array): void {
  const expected = batch.tokens_N.length;
  const arrays = {
    logprobs_N,
    entropies_N,
    weights_N: batch.weights_N,
    advantages_N: batch.advantages_N,
    behaviourLogprobs_N: batch.behaviourLogprobs_N,
    oldLogprobs_N: batch.oldLogprobs_N,
    referenceLogprobs_N: batch.referenceLogprobs_N,
    nextTokenWeights_N: batch.nextTokenWeights_N,
  };
  for (const [name, array] of Object.entries(arrays)) {
    if (array !== undefined && array.length !== expected) {
      throw errors.lengthMismatch({ action: "compute the loss", name, length: array.length, expected });
    }
  }
  const end = batch.offsets_S1.at(-1) ?? 0;
  if (end !== expected) {
    throw errors.lengthMismatch({ action: "compute the loss", name: "tokens_N", length: expected, expected: end });
  }
}
