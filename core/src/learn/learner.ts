import type { ActorRef } from "../actors/actor-ref.js";
import type { Tokenizer } from "../engines/tokenizer.js";
import type { AuxiliaryText, LossPlan, RewardedGroup } from "../hooks/hooks.js";
import type { OptimizerStep } from "../engines/policy-engine.js";
import type { StepPlan } from "../records/step-plan.js";
import type { LearnProtocol } from "./learn-actor.js";
import { comparableTokens } from "./measured-mismatch.js";
import { packLabelled, packTrajectories, type LabelledSequence, type WeighedTrajectory } from "./pack.js";

/** Longest wait for one answer of the learner; an update of a large batch on a slow machine stays far below. */
export const LEARNER_DEADLINE_MS = 3_600_000;

/** What one update needs beside the groups. */
export interface UpdateInput {
  readonly plan: StepPlan;
  readonly optimizer: Omit<OptimizerStep, "learningRate">;
  readonly loss: LossPlan;
  readonly groups: readonly RewardedGroup[];
  /** The live version, which learns. */
  readonly version: number;
  /** In the order of the groups' samples. */
  readonly advantages: readonly (number | Float32Array)[];
}

/**
 * Turns kept groups into optimizer updates: weighs tokens, splits into `updatesPerBatch` parts of whole groups, packs
 * each, and has the learner actor take the steps.
 *
 * @returns metrics of the updates
 */
export function updatePolicy(
  learner: ActorRef<LearnProtocol>,
  tokenizer: Tokenizer,
  input: UpdateInput,
): Promise<Readonly<Record<string, number>>> {
  const { plan, loss, groups, advantages } = input;
  let next = 0;
  const weighed = groups.map(({ group }) =>
    group.samples.map(({ trajectory }): WeighedTrajectory => {
      const factors = loss.tokenWeights.get(trajectory.id);
      return { trajectory, advantage: advantages[next++]!, ...(factors ? { factors } : {}) };
    }),
  );
  const auxiliary = loss.auxiliaryTexts.map((text) => labelledText(tokenizer, text));
  const parts = Math.min(plan.updatesPerBatch, Math.max(1, groups.length));
  const shares = Array.from({ length: parts }, (_, part) =>
    weighed.filter((_, index) => index % parts === part).flat(),
  );
  const batches = shares.map((share) => packTrajectories(share, loss.spec));
  const order = {
    batches,
    comparable: shares.map((share) =>
      comparableTokens(
        share.map(({ trajectory }) => trajectory),
        input.version,
      ),
    ),
    ...(auxiliary.length > 0
      ? { auxiliary: batches.map((_, part) => packLabelled(auxiliary.filter((_, index) => index % parts === part))) }
      : {}),
    spec: loss.spec,
    optimizer: { ...input.optimizer, learningRate: plan.learningRate },
    resetOptimizer: plan.resetOptimizer,
  };
  const why = `update the policy with ${batches.length} ${batches.length === 1 ? "batch" : "batches"}`;
  return learner.ask("update", order, { deadlineMs: LEARNER_DEADLINE_MS, by: "the step", why });
}

/** A raw text as it stands, its masked spans as places of tokens. @throws TEXT_NOT_TOKENISED */
function labelledText(tokenizer: Tokenizer, { text, masked }: AuxiliaryText): LabelledSequence {
  const tokens = tokenizer.encode(text);
  if (masked.length === 0) return { tokens, lossFrom: 1 };
  const ends = tokenizer.endsOf(tokens, text);
  const isMasked = (t: number): boolean => {
    const start = t === 0 ? 0 : ends[t - 1]!;
    return masked.some(([from, to]) => start >= from && start < to);
  };
  const without = [...tokens.keys()].filter(isMasked).map((t) => [t, t + 1] as const);
  return { tokens, lossFrom: 1, without };
}
