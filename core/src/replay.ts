import { collectCohort, type Collected } from "./collect.js";
import type { RunConfig } from "./config/run-config.js";
import type { Taskset } from "./environments/environment.js";
import { selectionFrom } from "./environments/selection-from.js";
import { errors } from "./errors.js";
import type { KeepDecision, LossPlan } from "./hooks/hooks.js";
import type { Method, StepMoment } from "./hooks/method.js";
import { accuraciesOf } from "./records/evaluation.js";
import type { RunEvent } from "./records/run-event.js";
import type { Cohort } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { StepReport } from "./records/step-report.js";
import { PluginHistory, type PluginEvent } from "./plugin-history.js";
import { readSavedRun } from "./run-checkpoint.js";
import { basePlan, lossSpec, progressOf, stepsAhead } from "./run-plan.js";
import { StepRecords } from "./step-records.js";
import type { Checkpoint } from "./store/checkpoint.js";
import { readEvents } from "./store/events.js";
import { METRICS, readMetrics } from "./store/metrics.js";
import { groupsOf } from "./store/recorded-groups.js";
import { readDropped } from "./store/retention.js";
import { readStep, type Rollout } from "./store/rollouts.js";
import type { RunDirectory } from "./store/run-directory.js";
import { trainTasks } from "./train-tasks.js";

/** What to replay, and with what in place of what was. */
export interface ReplayOptions {
  readonly config: RunConfig;
  /** Where relative paths in the config start. */
  readonly baseDirectory: string;
  readonly directory: RunDirectory;
  /** Begins behind this checkpoint, with the plugins and the states that it holds; with the first step unless given. */
  readonly after?: Checkpoint;
  /** Last step; the newest recorded unless given. */
  readonly to?: number;
  /** A plugin in another version from this step on; it takes over the state that the recorded one had. */
  readonly replace?: {
    readonly plugin: string;
    readonly use: string;
    readonly with?: Readonly<Record<string, unknown>>;
    readonly from: number;
  };
}

/** One sample as it was recorded and as it came out now. */
export interface ReplayedSample {
  readonly id: string;
  readonly reward: { readonly recorded: number; readonly replayed: number };
  readonly decision: { readonly recorded: KeepDecision; readonly replayed: KeepDecision };
  /** Mean over the response; null when the group was not kept. */
  readonly advantage: { readonly recorded: number | null; readonly replayed: number | null };
  /** Every token's advantage is the same float as before. */
  readonly isEqual: boolean;
}

/** One step, decided again from its recorded trajectories. */
export interface ReplayedStep {
  readonly step: number;
  /** What the run reported of it. */
  readonly report: StepReport;
  readonly samples: readonly ReplayedSample[];
  /** What the update of the step needs: see `updatePolicy`. */
  readonly update: {
    readonly plan: StepPlan;
    readonly loss: LossPlan;
    readonly collected: Collected;
    readonly advantages: readonly (number | Float32Array)[];
  };
}

/**
 * Decides every step of a run again from its record, without the policy: plan, rewards, keep decisions and advantages are
 * computed by the very plugin versions that the run had, live changes included, from the tokens, verdicts and
 * annotations on disk. A sound record gives the same floats.
 *
 * @throws REPLAY_NOT_POSSIBLE when a step's rollouts are not there, or the run did not come so far; PLUGIN_VERSION_UNKNOWN, and what a hook throws
 */
export async function* replay(options: ReplayOptions): AsyncGenerator<ReplayedStep> {
  const { config, directory, replace } = options;
  const reports = (await readMetrics(directory.metrics)).lines;
  const events = (await readEvents(directory.events)).lines;
  const saved = options.after && (await readSavedRun(options.after));
  const begin = saved?.run.step ?? 0;
  const newest = reports.at(-1)?.step ?? 0;
  if (newest < (options.to ?? begin + 1))
    throw errors.replayNotPossible({ run: directory.id, step: options.to ?? begin + 1, problem: beyond(newest) });
  const changes = events.filter((event): event is PluginEvent & { wallSeconds: number } => event.type === "plugin");
  const history = new PluginHistory(
    options,
    // A change for the step to come may be in the checkpoint already.
    changes.filter(({ step, wallSeconds }) => step > begin && wallSeconds > (saved?.run.wallSeconds ?? -1)),
  );
  let method: Method | undefined;
  let tasks: Taskset | undefined;
  let last = saved?.run.lastReport;
  const ahead = new Map(saved?.inFlight.ahead.map((planned): [number, PlannedStep] => [planned.moment.step, planned]));
  for (const report of reports) {
    const { step } = report;
    if (step <= begin) continue;
    if (step > (options.to ?? Infinity)) return;
    const rollouts = await readStep(directory.rollouts, step);
    if (rollouts.length === 0)
      throw errors.replayNotPossible({ run: directory.id, step, problem: await whyMissing(directory, step) });
    const isFirst = method === undefined;
    method = history.advance(method ?? history.first(rollouts, step, saved), step);
    if (replace?.from === step || (replace && replace.from < step && isFirst))
      method = await history.replaced(method, replace);
    if (tasks === undefined && method.plugins.some(({ plugin }) => plugin.hooks.select))
      tasks = await trainTasks(options.config, options.baseDirectory, options.directory.entropies);
    const { moment, replayed } = await decideAgain(method, config, report, last, rollouts, tasks, ahead);
    method = observeAgain(method, history, moment, report, replayed.update.collected.cohort);
    yield replayed;
    last = withEvaluation(report, events, config);
  }
}

function beyond(newest: number): string {
  return newest === 0 ? "the run has no step yet" : `its newest step is ${newest}`;
}

async function whyMissing(directory: RunDirectory, step: number): Promise<string> {
  const { rolloutsTo } = await readDropped(directory);
  return step <= rolloutsTo
    ? `rollouts up to step ${rolloutsTo} were dropped to stay within store.maxMb`
    : "its rollouts are not in the run folder";
}

/** A step's plan, and the moment that it was made for. */
interface PlannedStep {
  readonly moment: StepMoment;
  readonly plan: StepPlan;
}

function planStep(
  method: Method,
  config: RunConfig,
  step: number,
  last: StepReport | undefined,
  tasks: Taskset | undefined,
): PlannedStep {
  const progress = progressOf(config, { step: last?.step ?? 0, trainTokens: last?.trainTokens ?? 0 });
  const moment = { step, progress };
  const plan = method.plan(moment, basePlan(config, moment), last);
  // A stateful choice of tasks goes on, whatever it chooses; what was sampled is on record.
  if (tasks) chooseAgain(method, moment, plan, plan.promptsPerStep, tasks);
  return { moment, plan };
}

function chooseAgain(method: Method, moment: StepMoment, plan: StepPlan, count: number, tasks: Taskset): void {
  method.select(moment, plan, selectionFrom(tasks, count));
}

async function decideAgain(
  method: Method,
  config: RunConfig,
  report: StepReport,
  last: StepReport | undefined,
  rollouts: readonly Rollout[],
  tasks: Taskset | undefined,
  ahead: Map<number, PlannedStep>,
): Promise<{ readonly moment: StepMoment; readonly replayed: ReplayedStep }> {
  const { step } = report;
  const { moment, plan } = ahead.get(step) ?? planStep(method, config, step, last, tasks);
  ahead.delete(step);
  const collected = await collectCohort(method, moment, plan, config, {
    next: async (wanted, _before, round) => {
      if (tasks && round > 0) chooseAgain(method, moment, plan, wanted, tasks);
      return groupsOf(rollouts.filter(({ record }) => record.round === round));
    },
  });
  const advantages = method.advantages(moment, plan, collected.kept);
  const loss = method.loss(moment, plan, lossSpec(config, plan), collected.kept);
  for (const next of stepsAhead(config, step))
    if (!ahead.has(next)) ahead.set(next, planStep(method, config, next, last, tasks));
  const replayed = new Map(
    new StepRecords(moment.step, collected, advantages).rollouts().map((rollout) => [rollout.record.id, rollout]),
  );
  const samples = rollouts.map((recorded) => compare(recorded, replayed.get(recorded.record.id)));
  return { moment, replayed: { step, report, samples, update: { plan, loss, collected, advantages } } };
}

/** The method behind a step: another one where a plugin failed at its end and was put out of the way, as on record. */
function observeAgain(
  method: Method,
  history: PluginHistory,
  moment: StepMoment,
  { metrics, ...report }: StepReport,
  cohort: Cohort,
): Method {
  const own = Object.entries(metrics).filter(([name]) => name in METRICS);
  const observe = (by: Method): Method => {
    by.observe(moment, { ...report, metrics: Object.fromEntries(own) }, cohort);
    return by;
  };
  const next = moment.step + 1;
  if (!history.hasFailure(next)) return observe(method);
  const { states } = method.savedStates();
  try {
    return observe(method);
  } catch {
    return observe(history.rescued(method.with(method.plugins, states)));
  }
}

function compare(recorded: Rollout, replayed: Rollout | undefined): ReplayedSample {
  const { id, reward, decision, advantage } = recorded.record;
  // A sample of a round that was not needed this time was neither rewarded nor kept.
  const now = replayed?.record ?? { reward: 0, decision: "drop" as const, advantage: null };
  const tokens = recorded.tokens.advantages;
  const isSame =
    replayed !== undefined && tokens.every((value, index) => Object.is(value, replayed.tokens.advantages[index]));
  return {
    id,
    reward: { recorded: reward, replayed: now.reward },
    decision: { recorded: decision, replayed: now.decision },
    advantage: { recorded: advantage, replayed: now.advantage },
    isEqual: isSame && Object.is(reward, now.reward) && decision === now.decision,
  };
}

/** What the next step's `plan` hooks saw: the report, and how held-out accuracy moved after it. */
function withEvaluation(report: StepReport, events: readonly RunEvent[], config: RunConfig): StepReport {
  const found = events.find(
    (event) =>
      event.type === "evaluated" && event.step === report.step && event.evaluation.mode === config.eval.modes[0],
  );
  return found?.type === "evaluated"
    ? { ...report, metrics: { ...report.metrics, ...accuraciesOf(found.evaluation) } }
    : report;
}
