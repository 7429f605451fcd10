import { checkErrorRate, collect } from "./collect.js";
import { systemClock } from "./actors/clock.js";
import { evaluateNextToken } from "./evaluate-next-token.js";
import { passAtK } from "./numerics/pass-at-k.js";
import { mean, meanInterval, wilsonInterval } from "./numerics/statistics.js";
import { NEXT_TOKEN_MODE, type DifficultySlice, type Evaluation } from "./records/evaluation.js";
import type { Group, Sample } from "./records/group.js";
import { hasThought } from "./records/think-block.js";
import { isTruncated, policyLength } from "./records/trajectory.js";
import { isGradable } from "./records/verdict.js";
import { basePlan, evaluationSampling, progressOf } from "./run-plan.js";
import type { RunSession } from "./run-session.js";
import { describeRollout } from "./store/rollouts.js";

/** How to evaluate, where it differs from the run's config. */
export interface EvaluationOptions {
  readonly tasks?: number;
  readonly samples?: number;
  readonly temperature?: number;
  /** Whether the result becomes part of the run's state and folder; otherwise it is only returned. */
  readonly isProbe?: boolean;
}

/**
 * Held-out performance of the live policy version in one mode. Reward hooks never run here, and chance is keyed by mode
 * and task alone, so versions and arms answer the same problems with the same draws.
 *
 * Mode "next-token" generates nothing; see `evaluateNextToken`.
 *
 * @throws VERIFIER_ERROR_RATE
 */
export async function evaluate(
  session: RunSession,
  mode: string,
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  const { config, parts, state } = session;
  const started = systemClock.now();
  const count = Math.min(options.tasks ?? config.eval.tasks, parts.held.size);
  if (mode === NEXT_TOKEN_MODE) {
    const tasks = Array.from({ length: count }, (_, index) => parts.held.at(index));
    const found = await evaluateNextToken(session, tasks);
    if (!options.isProbe) await session.recordEvaluation(found, []);
    return found;
  }
  const samples = options.samples ?? config.eval.samples;
  const sampling = {
    ...evaluationSampling(config),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  };
  const groups = Array.from({ length: count }, (_, index) => ({
    id: `eval/${mode}/${index}`,
    task: parts.held.at(index),
    size: samples,
  }));
  const verified = await collect(
    parts,
    config,
    {
      step: 0,
      phase: "eval",
      mode,
      plan: basePlan(config, { step: state.step, progress: progressOf(config, state) }),
      sampling,
      groups,
      version: state.version,
      oldest: 0,
    },
    session.signal,
  );
  checkErrorRate(verified, config, state.step);
  const evaluation = summarise(mode, state.version, samples, verified, (systemClock.now() - started) / 1000);
  if (!options.isProbe) {
    const rollouts = verified.flatMap((group) =>
      group.samples.map((sample) =>
        describeRollout(group.task, sample, {
          step: state.step,
          reward: sample.verdict.score ?? 0,
          rewardParts: {},
          advantage: undefined,
          decision: "keep",
          decisionReason: "",
        }),
      ),
    );
    await session.recordEvaluation(evaluation, rollouts);
  }
  return evaluation;
}

/** Turns verified groups into an evaluation. Ungradable samples count in no mean. */
export function summarise(
  mode: string,
  version: number,
  samplesPerTask: number,
  groups: readonly Group[],
  seconds: number,
): Evaluation {
  const all = groups.flatMap(({ samples }) => samples);
  const gradable = all.filter(({ verdict }) => isGradable(verdict));
  const scores_P = groups
    .map((group) => group.samples.filter(({ verdict }) => isGradable(verdict)).map(({ verdict }) => verdict.score ?? 0))
    .filter((scores) => scores.length > 0);
  const passes = gradable.filter(({ verdict }) => verdict.kind === "pass").length;
  const interval = samplesPerTask === 1 ? wilsonInterval(passes, gradable.length) : meanInterval(scores_P.map(mean));
  return {
    mode,
    version,
    n: groups.length,
    samplesPerTask,
    ...slice(gradable),
    ci95: [interval.low, interval.high],
    truncated: all.filter(({ trajectory }) => isTruncated(trajectory)).length / Math.max(1, all.length),
    ungradable: all.length - gradable.length,
    passAtK: mean(
      scores_P.map((scores) =>
        passAtK(scores.length, scores.filter((score) => score === 1).length, Math.min(samplesPerTask, scores.length)),
      ),
    ),
    mixedGroups:
      scores_P.filter((scores) => scores.some((score) => score === 1) && scores.some((score) => score < 1)).length /
      Math.max(1, scores_P.length),
    byDifficulty: difficulties(groups),
    ...domains(groups),
    seconds,
  };
}

function slice(samples: readonly Sample[]): { accuracy: number; tokensPerAnswer: number; thinkRate: number } {
  return {
    accuracy: mean(samples.map(({ verdict }) => verdict.score ?? 0)),
    tokensPerAnswer: mean(samples.map(({ trajectory }) => policyLength(trajectory))),
    thinkRate: mean(samples.map(({ trajectory }) => (hasThought(trajectory) ? 1 : 0))),
  };
}

function domains(groups: readonly Group[]): Pick<Evaluation, "byDomain"> {
  const names = [...new Set(groups.map(({ task }) => task.domain))];
  if (names.length < 2) return {};
  return {
    byDomain: names.flatMap((domain) => {
      const samples = groups
        .filter(({ task }) => task.domain === domain)
        .flatMap((group) => group.samples.filter(({ verdict }) => isGradable(verdict)));
      return samples.length === 0 ? [] : [{ domain, n: samples.length, ...slice(samples) }];
    }),
  };
}

function difficulties(groups: readonly Group[]): readonly DifficultySlice[] {
  const byDifficulty = new Map<number, Sample[]>();
  for (const { task, samples } of groups) {
    const difficulty = task.meta["difficulty"];
    const gradable = samples.filter(({ verdict }) => isGradable(verdict));
    if (typeof difficulty !== "number" || gradable.length === 0) continue;
    byDifficulty.set(difficulty, [...(byDifficulty.get(difficulty) ?? []), ...gradable]);
  }
  return [...byDifficulty]
    .toSorted(([a], [b]) => a - b)
    .map(([difficulty, samples]) => ({ difficulty, n: samples.length, ...slice(samples) }));
}
