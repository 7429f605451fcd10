import type { RunConfig } from "./config/run-config.js";
import { errors } from "./errors.js";
import type { KeepDecision, RewardedGroup } from "./hooks/hooks.js";
import type { ShapedRewards } from "./hooks/method.js";
import type { SamplingPlan } from "./hooks/prompt.js";
import type { Cohort, Group, Sample } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { Task } from "./records/task.js";
import { isGradable } from "./records/verdict.js";
import type { RunParts } from "./run-parts.js";

/** Which groups to roll out and verify. */
export interface CollectOrder {
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  readonly sampling: SamplingPlan;
  readonly groups: readonly { readonly id: string; readonly task: Task; readonly size: number }[];
}

/**
 * Rollout and verification of some groups: actors sample, then every group is annotated and verified on its own.
 *
 * @throws what a hook throws; a verifier's failure is a verdict, not an error
 */
export async function collect(
  parts: RunParts,
  config: RunConfig,
  order: CollectOrder,
  signal: AbortSignal,
): Promise<readonly Group[]> {
  const trajectories = await parts.rollouts.rollOut({ ...order, seed: config.seed }, signal);
  return Promise.all(
    order.groups.map(async ({ id, task }, index): Promise<Group> => {
      const ofGroup = trajectories[index] ?? [];
      const findings = await parts.verifiers.verify({ ...order, seed: config.seed, task, trajectories: ofGroup });
      const samples = ofGroup.map((trajectory, slot): Sample => {
        const finding = findings[slot]!; // one finding per trajectory
        return { trajectory: { ...trajectory, annotations: finding.annotations }, verdict: finding.verdict };
      });
      return { id, task, samples };
    }),
  );
}

/**
 * Takes out what may not reach a gradient. A group that keeps fewer than two samples has nothing to compare and goes.
 *
 * @throws VERIFIER_ERROR_RATE when more of the samples than the config allows have no gradable verdict
 */
export function gradable(
  groups: readonly Group[],
  config: RunConfig,
  step: number,
): { readonly groups: readonly Group[]; readonly ungradable: number } {
  const all = groups.flatMap(({ samples }) => samples);
  const failed = all.filter(({ verdict }) => !isGradable(verdict));
  const first = failed[0];
  if (first && failed.length / all.length > config.verify.maxErrorRate) {
    throw errors.verifierErrorRate({
      verifier: first.verdict.verifier,
      step,
      failed: failed.length,
      total: all.length,
      limit: config.verify.maxErrorRate,
      example: `"${first.trajectory.id}": ${first.verdict.kind}, ${first.verdict.reason}`,
    });
  }
  const dropsGroup = config.verify.onUngradable === "drop-group";
  const kept = groups
    .map((group) => ({ ...group, samples: group.samples.filter(({ verdict }) => isGradable(verdict)) }))
    .filter(
      (group, index) =>
        group.samples.length >= 2 && !(dropsGroup && group.samples.length < (groups[index]?.samples.length ?? 0)),
    );
  return { groups: kept, ungradable: failed.length };
}

/** What the rounds of one step gave, from samples to shaped rewards. */
export interface Collected {
  /** Every group sampled, with samples that are not gradable. */
  readonly sampled: readonly Group[];
  /** The gradable groups: what reward hooks saw. */
  readonly cohort: Cohort;
  readonly shaped: ShapedRewards;
  /** The cohort's groups with their rewards, and what `keep` hooks decided on each. */
  readonly rewarded: readonly RewardedGroup[];
  readonly decisions: readonly KeepDecision[];
  /** What feeds the update. */
  readonly kept: readonly RewardedGroup[];
  readonly ungradable: number;
  readonly rounds: number;
}
