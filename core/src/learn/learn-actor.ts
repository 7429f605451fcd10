import { defineActor } from "../actors/actor.js";
import { loadEngine } from "../engines/load-engine.js";
import type {
  EngineCapabilities,
  EngineOptions,
  OptimizerStep,
  PolicyEngine,
  Scores,
} from "../engines/policy-engine.js";
import { combineLossMetrics } from "../numerics/policy-loss.js";
import type { Batch } from "../records/batch.js";
import type { LossSpec } from "../records/loss-spec.js";
import { measuredMismatch } from "./measured-mismatch.js";

/** What the learner is started with. */
export interface LearnActorArgs {
  readonly engine: string;
  readonly options: EngineOptions;
  /** Folder with weights to begin from; undefined draws them from the seed. */
  readonly weights?: string;
  /** Keeps the weights that it begins from as a reference policy, for a loss with a KL term. */
  readonly hasReference: boolean;
}

/** What samplers on other threads need, and what people want to read. */
export interface LearnerDescription {
  readonly handle: unknown;
  readonly description: string;
  readonly kernelSet: string;
  readonly capabilities: EngineCapabilities;
  readonly version: number;
}

/** One or more optimizer updates, in order. */
export interface UpdateOrder {
  readonly batches: readonly Batch[];
  /** For each batch, raw texts of the next-token term: a forward pass of their own, at temperature 1. */
  readonly auxiliary?: readonly Batch[];
  /** For each batch, tokens at which sampler and learner can be compared. */
  readonly comparable?: readonly Uint8Array[];
  readonly spec: LossSpec;
  readonly optimizer: OptimizerStep;
  /** Clears the optimizer's moments first. */
  readonly resetOptimizer: boolean;
}

/** Messages of the learner. */
export type LearnProtocol = {
  describe: { in: null; out: LearnerDescription };
  /** Metrics are means over the updates, maxima for names that end in "/max". */
  update: { in: UpdateOrder; out: Readonly<Record<string, number>> };
  /** Logprobs and most probable tokens of the live version, at temperature 1. */
  score: { in: { tokens_N: Int32Array; offsets_S1: Int32Array; topK: number }; out: Scores };
  publish: { in: { version: number }; out: number };
  save: { in: { directory: string; optimizer: boolean }; out: null };
  load: { in: { directory: string; optimizer: boolean; version: number }; out: null };
};

interface State {
  readonly engine: PolicyEngine;
  readonly hasReference: boolean;
}

/** The one owner of the weights: computes gradients, steps the optimizer, publishes versions. */
export const learnActor = defineActor<LearnProtocol, State, LearnActorArgs>({
  name: "learn",
  module: import.meta.url,
  exportName: "learnActor",
  async init(args) {
    const module = await loadEngine(args.engine);
    const engine = await module.createEngine({ ...args.options, blank: args.weights !== undefined });
    if (args.weights !== undefined) await engine.load(args.weights);
    if (args.hasReference) await engine.keepReference();
    await engine.publish(0);
    return { engine, hasReference: args.hasReference };
  },
  on: {
    describe({ engine }) {
      return {
        handle: engine.handle(),
        description: engine.description,
        kernelSet: engine.kernelSet,
        capabilities: engine.capabilities,
        version: engine.version(),
      };
    },
    async update({ engine, hasReference }, order) {
      if (order.resetOptimizer) engine.resetOptimizer();
      const totals: Record<string, number> = {};
      let firstLargest = 0;
      // Before any update: importance weights compare the policy that the updates begin with to the one that sampled.
      const batches = order.spec.importance ? await withOldLogprobs(order.batches, engine, order.spec) : order.batches;
      for (const [index, batch] of batches.entries()) {
        const policyMetrics = await engine.forwardBackward(
          hasReference ? await withReference(batch, engine, order.spec) : batch,
          order.spec,
        );
        if (index === 0) firstLargest = policyMetrics["mismatch/max"] ?? NaN;
        const auxiliary = order.auxiliary?.[index];
        const metrics = auxiliary
          ? combineLossMetrics([policyMetrics, await engine.forwardBackward(auxiliary, nextTokenSpec(order.spec))])
          : policyMetrics;
        const { gradNorm } = await engine.optimStep(order.optimizer);
        for (const [name, value] of Object.entries({ ...metrics, "grad/norm": gradNorm })) {
          totals[name] = name.endsWith("/max")
            ? Math.max(totals[name] ?? value, value)
            : (totals[name] ?? 0) + value / order.batches.length;
        }
      }
      return order.comparable ? { ...totals, ...measuredMismatch(batches, order.comparable, firstLargest) } : totals;
    },
    score({ engine }, { tokens_N, offsets_S1, topK }) {
      return engine.score(tokens_N, offsets_S1, 1, { topK });
    },
    publish({ engine }, { version }) {
      return engine.publish(version);
    },
    async save({ engine }, { directory, optimizer }) {
      await engine.save(directory, { optimizer });
      return null;
    },
    async load({ engine }, { directory, optimizer, version }) {
      await engine.load(directory, { optimizer });
      await engine.publish(version);
      return null;
    },
  },
  dispose({ engine }) {
    engine.dispose();
  },
});

/** The next-token term alone: raw text has no reference, no behaviour and no sampling temperature. */
function nextTokenSpec(spec: LossSpec): LossSpec {
  return { ...spec, temperature: 1, klCoefficient: 0, entropyCoefficient: 0, importance: null };
}

async function withOldLogprobs(
  batches: readonly Batch[],
  engine: PolicyEngine,
  spec: LossSpec,
): Promise<readonly Batch[]> {
  const scored: Batch[] = [];
  for (const batch of batches) {
    // The published version is the one that is about to be updated.
    const { logprobs_N } = await engine.score(batch.tokens_N, batch.offsets_S1, spec.temperature);
    scored.push({ ...batch, oldLogprobs_N: logprobs_N });
  }
  return scored;
}

async function withReference(batch: Batch, engine: PolicyEngine, spec: LossSpec): Promise<Batch> {
  if (spec.klCoefficient === 0) return batch;
  const { logprobs_N } = await engine.scoreReference(batch.tokens_N, batch.offsets_S1, spec.temperature);
  return { ...batch, referenceLogprobs_N: logprobs_N };
}
