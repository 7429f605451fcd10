import type { RunConfig } from "./config/run-config.js";
import { errors } from "./errors.js";
import type { KeepDecision, RewardedGroup } from "./hooks/hooks.js";
import { rewardedGroups, type Method, type ShapedRewards, type StepMoment } from "./hooks/method.js";
import type { SamplingPlan } from "./hooks/prompt.js";
import type { Cohort, Group, Sample } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { Task } from "./records/task.js";
import type { Trajectory } from "./records/trajectory.js";
import { isGradable } from "./records/verdict.js";
import type { RunParts } from "./run-parts.js";
import type { Stopwatch } from "./stopwatch.js";

/** Which groups to roll out and verify. */
export interface CollectOrder {
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  readonly sampling: SamplingPlan;
  readonly groups: readonly { readonly id: string; readonly task: Task; readonly size: number }[];
  /** See `RolloutOrder`. */
  readonly partial?: boolean;
  /** See `RolloutOrder`. */
  readonly version: number;
  /** Training takes no sample of an older policy version. */
  readonly oldest: number;
}

/**
 * Rollout and verification of some groups: actors sample, then every group is annotated and verified on its own.
 *
 * @param watch gets the laps "time/generate" and "time/verify"
 * @throws SAMPLE_NOT_LIVE, and what a hook throws; a verifier's failure is a verdict, not an error
 */
export async function collect(
  parts: RunParts,
  config: RunConfig,
  order: CollectOrder,
  signal: AbortSignal,
  watch?: Stopwatch,
): Promise<readonly Group[]> {
  // What begins with one list of plugins ends with it, whatever is swapped meanwhile.
  const { key, release } = parts.plugins.hold();
  try {
    return await collectWith(key, parts, config, order, signal, watch);
  } finally {
    release();
  }
}

async function collectWith(
  plugins: string,
  parts: RunParts,
  config: RunConfig,
  order: CollectOrder,
  signal: AbortSignal,
  watch?: Stopwatch,
): Promise<readonly Group[]> {
  const trajectories = await parts.rollouts.rollOut({ ...order, plugins, seed: config.seed }, signal);
  if (order.phase === "train") checkLive(trajectories.flat(), order);
  watch?.lap("time/generate");
  // A verifier may live on another machine: it is sent what it needs, and nothing of the other groups.
  const { step, phase, mode, plan } = order;
  const shared = { seed: config.seed, step, phase, mode, plan, plugins };
  const groups = await Promise.all(
    order.groups.map(async ({ id, task }, index): Promise<Group> => {
      const ofGroup = trajectories[index] ?? [];
      const findings = await parts.verifiers.verify({ ...shared, task, trajectories: ofGroup });
      const samples = ofGroup.map((trajectory, slot): Sample => {
        const finding = findings[slot]!; // one finding per trajectory
        return { trajectory: { ...trajectory, annotations: finding.annotations }, verdict: finding.verdict };
      });
      return { id, task, samples };
    }),
  );
  watch?.lap("time/verify");
  return groups;
}

/** Samples of step n are of version n − 1, or of one that is older by no more than the bound; others are a fault. */
function checkLive(trajectories: readonly Trajectory[], { step, oldest }: CollectOrder): void {
  for (const { id, versions } of trajectories) {
    const stale = versions.find((span) => span.version < oldest || span.version >= step);
    if (stale) throw errors.sampleNotLive({ sample: id, step, found: stale.version, oldest });
  }
}

/**
 * Stops what too many failed verdicts would bias, training as well as evaluation, and counts those that failed.
 *
 * @throws VERIFIER_ERROR_RATE when more of the samples than the config allows have no gradable verdict
 */
export function checkErrorRate(groups: readonly Group[], config: RunConfig, step: number): number {
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
  return failed.length;
}

/**
 * Takes out what may not reach a gradient. A group that keeps fewer than two samples has nothing to compare and goes.
 *
 * @throws VERIFIER_ERROR_RATE
 */
export function gradable(
  groups: readonly Group[],
  config: RunConfig,
  step: number,
): { readonly groups: readonly Group[]; readonly ungradable: number } {
  const ungradable = checkErrorRate(groups, config, step);
  const dropsGroup = config.verify.onUngradable === "drop-group";
  const kept = groups
    .map((group) => ({ ...group, samples: group.samples.filter(({ verdict }) => isGradable(verdict)) }))
    .filter(
      (group, index) =>
        group.samples.length >= 2 && !(dropsGroup && group.samples.length < (groups[index]?.samples.length ?? 0)),
    );
  return { groups: kept, ungradable };
}

/**
 * Fills at most `room` places of an update, in order of sampling, and says how many stay open: as many as groups of
 * this round, those from index `first` on, asked to be sampled again. The place of a dropped group is not filled.
 */
export function fillPlaces(
  rewarded: readonly RewardedGroup[],
  decisions: readonly KeepDecision[],
  room: number,
  first: number,
): { readonly kept: readonly RewardedGroup[]; readonly open: number } {
  const kept = rewarded.filter((_, index) => decisions[index] === "keep").slice(0, room);
  const again = decisions.slice(first).filter((decision) => decision === "resample").length;
  return { kept, open: Math.min(room - kept.length, again) };
}

/** How a step's groups come to be: live, or from a record. */
export interface GroupSource {
  /** The next round's groups, `wanted` of them, when `before` groups are there already. */
  next(wanted: number, before: number, round: number): Promise<readonly Group[]>;
}

/**
 * Rounds of groups until enough are kept or the plan's rounds are spent: rewards over the whole cohort so far, a decision
 * on every group, and places for as many new ones as asked to be sampled again.
 *
 * @throws VERIFIER_ERROR_RATE, HOOK_FAILED, HOOK_DEADLINE, HOOK_RESULT_NOT_VALID
 */
export async function collectCohort(
  method: Method,
  moment: StepMoment,
  plan: StepPlan,
  config: RunConfig,
  source: GroupSource,
): Promise<Collected> {
  const { step } = moment;
  const sampled: Group[] = [];
  const roundEnds: number[] = [];
  let room = plan.promptsPerStep;
  let judged = 0;
  for (let wanted = plan.promptsPerStep; ;) {
    sampled.push(...(await source.next(wanted, sampled.length, roundEnds.length)));
    roundEnds.push(sampled.length);
    const { groups: usable, ungradable } = gradable(sampled, config, step);
    const cohort: Cohort = { step, plan, groups: usable };
    const shaped = method.reward(moment, cohort);
    const rewarded = rewardedGroups(usable, shaped.rewards_N);
    const decisions = rewarded.map((group) => method.keep(moment, plan, group));
    const { kept, open } = fillPlaces(rewarded, decisions, room, judged);
    if (open <= 0 || roundEnds.length >= plan.maxRounds)
      return { cohort, sampled, roundEnds, rewarded, decisions, kept, shaped, ungradable };
    room = kept.length + open;
    judged = rewarded.length;
    // As many as the share of kept groups so far says are needed, but never more than a full round.
    wanted = Math.min(plan.promptsPerStep, Math.ceil(open * Math.min(4, sampled.length / Math.max(1, kept.length))));
  }
}

/** What the rounds of one step gave, from samples to shaped rewards. */
export interface Collected {
  /** Every group sampled, with samples that are not gradable. */
  readonly sampled: readonly Group[];
  /** Number of groups in `sampled` after each round. */
  readonly roundEnds: readonly number[];
  /** The gradable groups: what reward hooks saw. */
  readonly cohort: Cohort;
  readonly shaped: ShapedRewards;
  /** The cohort's groups with their rewards, and what `keep` hooks decided on each. */
  readonly rewarded: readonly RewardedGroup[];
  readonly decisions: readonly KeepDecision[];
  /** What feeds the update. */
  readonly kept: readonly RewardedGroup[];
  readonly ungradable: number;
}
