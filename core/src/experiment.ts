import { existsSync } from "node:fs";
import type { RunConfig } from "./config/run-config.js";
import { distillPolicy } from "./distill.js";
import { errors } from "./errors.js";
import { evaluate } from "./evaluate.js";
import type { Evaluation } from "./records/evaluation.js";
import type { RunEvent } from "./records/run-event.js";
import { Run, type RunOutcome } from "./run.js";
import { RunSession } from "./run-session.js";
import type { DatedEvaluation } from "./run-state.js";
import { latestCheckpoint } from "./store/checkpoint.js";
import { writeFileAtomically } from "./store/durable-files.js";
import { readMeasured } from "./store/measured-json.js";
import type { RunDirectory } from "./store/run-directory.js";

/** One run of a comparison; "base" is the policy that all others start from. */
export interface ExperimentPart {
  readonly name: string;
  readonly config: RunConfig;
  /** An arm before this one, whose last weights it begins with; absent begins with the base's. */
  readonly startFrom?: string | undefined;
}

/** What an experiment is made of. */
export interface Experiment {
  readonly base: ExperimentPart;
  readonly arms: readonly ExperimentPart[];
  readonly baseDirectory: string;
  readonly directory: RunDirectory;
  readonly attempt: number;
  readonly onEvent: (event: RunEvent) => void;
}

/** What the base policy can do in one mode before any reinforcement: what a policy gradient has to work with. */
export interface HeadroomProbe {
  readonly mode: string;
  readonly greedy: Evaluation;
  /** `HEADROOM_SAMPLES` samples per task at temperature 1. */
  readonly sampled: Evaluation;
}

/** What one part came to. */
export interface PartResult {
  readonly name: string;
  readonly config: RunConfig;
  readonly directory: RunDirectory;
  readonly evaluations: readonly DatedEvaluation[];
  readonly trainTokens: number;
  readonly seconds: number;
}

/** What a whole experiment came to; `outcome` tells whether every part is in it. */
export interface ExperimentResult {
  readonly outcome: RunOutcome;
  readonly headroom: readonly HeadroomProbe[];
  readonly parts: readonly PartResult[];
}

/** Samples per task of the headroom's pass@k. */
export const HEADROOM_SAMPLES = 8;
const HEADROOM_TASKS = 100;

/**
 * Trains one base policy, measures its headroom, then trains every arm from it: equal seed, data, held-out tasks and
 * token budget. Each part is a run with a folder of its own, so a second call goes on where the first one stopped.
 */
export async function runExperiment(experiment: Experiment, signal: AbortSignal): Promise<ExperimentResult> {
  const { base, baseDirectory, directory } = experiment;
  const parts: PartResult[] = [];
  let progress = readProgress(directory);
  experiment.onEvent({ type: "started", part: "base", detail: "supervised training on the teacher's worked answers" });
  const policy = base.config.distill
    ? await distillPolicy(base.config, baseDirectory, experiment.onEvent, signal)
    : undefined;
  if (policy) {
    const detail = policy.isCached
      ? "base policy found in the cache"
      : `base policy trained on ${(policy.tokens / 1e6).toFixed(1)} M tokens`;
    experiment.onEvent({ type: "notice", part: "base", step: 0, level: "info", message: detail });
  }
  if (progress.distillSeconds === undefined)
    progress = await writeProgress(directory, { distillSeconds: policy?.seconds ?? 0 });
  let inherited: readonly DatedEvaluation[] = [];
  for (const { name, config, startFrom } of [base, ...experiment.arms]) {
    if (signal.aborted) break;
    const weights = startFrom === undefined ? policy?.directory : await lastWeightsOf(directory, startFrom);
    const isBase = name === base.name;
    // Teaching is the base's work too.
    const before = isBase ? (progress.distillSeconds ?? 0) : 0;
    const session = await RunSession.open({
      config: { ...config, name, policy: { ...config.policy, from: policy?.directory ?? config.policy.from } },
      baseDirectory,
      directory: await directory.arm(name),
      attempt: experiment.attempt,
      ...(weights === undefined ? {} : { weights }),
      // An arm that begins with the base's weights has the base's evaluations.
      evaluations: startFrom === undefined && isEvaluatedAlike(config, base.config) ? inherited : [],
      onEvent: (event) =>
        experiment.onEvent(event.type === "finished" ? { ...event, seconds: before + event.seconds } : event),
    });
    const outcome = await session.closeAfter(signal, async () => {
      const ended = await new Run(session).train(signal);
      if (isBase) inherited = session.state.evaluations;
      if (isBase && ended === "finished" && !progress.base) {
        const headroom = await probeHeadroom(session, experiment.onEvent);
        const seconds = before + session.wallSeconds();
        progress = await writeProgress(directory, { ...progress, base: { seconds, headroom } });
      }
      const { evaluations, trainTokens } = session.state;
      const seconds = (isBase ? progress.base?.seconds : undefined) ?? session.wallSeconds();
      parts.push({ name, config, directory: await directory.arm(name), evaluations, trainTokens, seconds });
      return ended;
    });
    if (outcome === "interrupted") return { outcome, headroom: progress.base?.headroom ?? [], parts };
  }
  return { outcome: signal.aborted ? "interrupted" : "finished", headroom: progress.base?.headroom ?? [], parts };
}

/** The folder of the newest checkpoint of an arm, which ended before the next one began. */
async function lastWeightsOf(directory: RunDirectory, arm: string): Promise<string> {
  const run = directory.armToRead(arm);
  const checkpoint = await latestCheckpoint(run);
  if (checkpoint === undefined) throw errors.checkpointNotFound({ run: `${directory.id}/${arm}`, step: 0 });
  return checkpoint.path;
}

/** What an experiment knows beside its parts' checkpoints, so that nothing is measured twice or forgotten. */
interface ExperimentProgress {
  /** Seconds of the base policy's supervised training; 0 when it came from the cache. */
  readonly distillSeconds?: number;
  /** Present once the base is trained and its headroom measured; `seconds` counts everything up to there. */
  readonly base?: { readonly seconds: number; readonly headroom: readonly HeadroomProbe[] };
}

function readProgress({ progress }: RunDirectory): ExperimentProgress {
  // What `writeProgress` wrote.
  return existsSync(progress) ? (readMeasured(progress) as ExperimentProgress) : {};
}

async function writeProgress(directory: RunDirectory, progress: ExperimentProgress): Promise<ExperimentProgress> {
  await writeFileAtomically(directory.progress, `${JSON.stringify(progress, null, 2)}\n`);
  return progress;
}

/** Whether two configs measure the same tasks in the same way; the order of the modes does not matter. */
function isEvaluatedAlike(one: RunConfig, other: RunConfig): boolean {
  const key = ({ eval: evaluation, environment, rollout, seed }: RunConfig): string => {
    const { tasks, samples, temperature, maxTokens, modes } = evaluation;
    return JSON.stringify([
      seed,
      environment,
      maxTokens || rollout.maxTokens,
      tasks,
      samples,
      temperature,
      modes.toSorted(),
    ]);
  };
  return key(one) === key(other);
}

async function probeHeadroom(
  session: RunSession,
  onEvent: (event: RunEvent) => void,
): Promise<readonly HeadroomProbe[]> {
  const probes = [];
  for (const mode of session.config.eval.modes) {
    const measure = (samples: number, temperature: number): Promise<Evaluation> =>
      evaluate(session, mode, { tasks: HEADROOM_TASKS, samples, temperature, isProbe: true });
    const probe = { mode, greedy: await measure(1, 0), sampled: await measure(HEADROOM_SAMPLES, 1) };
    onEvent({ type: "notice", part: "base", step: 0, level: "info", message: headroomLine(probe) });
    probes.push(probe);
  }
  return probes;
}

function headroomLine({ mode, greedy, sampled }: HeadroomProbe): string {
  const share = (value: number | undefined): string => `${(100 * (value ?? NaN)).toFixed(0)} %`;
  return [
    `headroom in mode ${mode} (n = ${sampled.n}): easiest tasks ${share(sampled.byDifficulty[0]?.accuracy)}`,
    `greedy ${share(greedy.accuracy)}`,
    `sampled ${share(sampled.accuracy)}`,
    `pass@${HEADROOM_SAMPLES} ${share(sampled.passAtK)}`,
    `mixed groups ${share(sampled.mixedGroups)}`,
  ].join(", ");
}
