import { collect, collectCohort, type Collected } from "./collect.js";
import { selectionFrom } from "./environments/selection-from.js";
import { evaluate } from "./evaluate.js";
import type { StepMoment } from "./hooks/method.js";
import { LEARNER_DEADLINE_MS, updatePolicy } from "./learn/learner.js";
import { MismatchAlarm } from "./learn/mismatch-alarm.js";
import { rewardMetrics, sampleMetrics, stalenessMetrics } from "./learn/step-metrics.js";
import type { Cohort, Group } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { StepReport } from "./records/step-report.js";
import type { Task } from "./records/task.js";
import { policyLength } from "./records/trajectory.js";
import { nextTasks } from "./rollout/task-order.js";
import type { InFlight, LaunchedStep } from "./run-ahead.js";
import {
  basePlan,
  crossesVersions,
  lossSpec,
  optimizerSettings,
  progressOf,
  samplingOf,
  stepsAhead,
} from "./run-plan.js";
import type { RunSession } from "./run-session.js";
import { Stopwatch } from "./stopwatch.js";

/** Why training ended. */
export type RunOutcome = "finished" | "interrupted";

/**
 * One training run, from a checked config to the last checkpoint. The whole way of the data is `step`:
 *
 *     plan → select → format, generate, annotate, verify → reward → keep → advantage → loss → update → publish → observe
 *
 * Chance is keyed by (seed, step, task, slot), the engine's sums do not depend on batches or threads, and everything a
 * step needs to know of the past is in the checkpoint: a resumed run gives the same numbers as an uninterrupted one.
 */
export class Run {
  readonly #session: RunSession;
  /** Steps whose samples are on their way; empty in lockstep. */
  #ahead: LaunchedStep[];
  /** Kept beyond the places of their step; they feed the next. */
  #carried: readonly Group[];
  /** The step that is worked on. */
  #launched: LaunchedStep | undefined;
  readonly #mismatch = new MismatchAlarm();

  constructor(session: RunSession) {
    this.#session = session;
    this.#ahead = [...session.inFlight.ahead];
    this.#carried = session.inFlight.carried;
  }

  /** Trains until steps or tokens are spent; after an abort of `signal`, until the end of the running step. Saves at the end. */
  async train(signal: AbortSignal): Promise<RunOutcome> {
    const { config, state } = this.#session;
    if (state.evaluations.length === 0) {
      await this.#evaluate();
      await this.save();
    }
    while (progressOf(config, state) < 1 && !signal.aborted) {
      const report = await this.nextStep();
      const isLast = progressOf(config, state) >= 1;
      if (isLast || (config.eval.every > 0 && report.step % config.eval.every === 0)) await this.#evaluate();
      if (isLast || signal.aborted || report.step % config.store.checkpointEvery === 0) await this.save();
    }
    if (state.step > 0 && state.instructive === 0) {
      const message = `every advantage was 0 in ${state.step} steps: no reward taught anything. Start from a policy that sometimes succeeds, or choose easier tasks`;
      this.#session.notice(state.step, message, "warning");
    }
    return progressOf(config, state) >= 1 ? "finished" : "interrupted";
  }

  /**
   * One step with the plugins that are asked for by now. When a plugin fails and the session can put it out of the way,
   * the step is done again: nothing has been learned from it yet, and the same chance gives the same samples.
   */
  async nextStep(): Promise<StepReport> {
    const { parts, state } = this.#session;
    await parts.plugins.boundary(state.step);
    const inFlight = this.#inFlight();
    for (;;) {
      try {
        const report = await this.step();
        parts.plugins.stepped();
        return report;
      } catch (error) {
        // Samples that failed with plugins that are not in use any more are made again with those that are.
        const isPast = this.#launched?.hasFailed() && this.#launched.plugins !== parts.plugins.key;
        if (!isPast && !(await parts.plugins.rescue(error, state.step + 1))) throw error;
        this.#launchAgain(inFlight);
      }
    }
  }

  /**
   * Writes a checkpoint with what is in flight. A plugin that cannot save its state, or keeps samples in flight from being
   * made, is put out of the way as in a step; samples that could not be made are asked for once more.
   */
  async save(): Promise<void> {
    const { parts, state } = this.#session;
    await parts.plugins.settle(state.step + 1);
    for (;;) {
      try {
        return await this.#session.checkpoint(this.#inFlight());
      } catch (error) {
        const failed = this.#ahead.filter((step) => step.hasFailed());
        const isPast = failed.length > 0 && failed.every(({ plugins }) => plugins !== parts.plugins.key);
        if (!isPast && !(await parts.plugins.rescue(error, state.step + 1))) throw error;
        this.#sendAgain();
      }
    }
  }

  #inFlight(): InFlight {
    return { ahead: [...this.#ahead], carried: this.#carried };
  }

  /** Goes back to before a step that failed. Samples that a failed hook kept from being made are asked for once more. */
  #launchAgain({ ahead, carried }: InFlight): void {
    const { state } = this.#session;
    const dropped = this.#ahead.find((step) => !ahead.includes(step));
    if (dropped) state.cursor = dropped.cursor;
    this.#carried = carried;
    this.#ahead = [...ahead];
    this.#sendAgain();
    const first = this.#launched;
    if (ahead.length === 0 && first) state.cursor = first.cursor;
  }

  /** Asks once more for the samples of steps ahead that could not be made. */
  #sendAgain(): void {
    this.#ahead = this.#ahead.map((step) =>
      step.hasFailed() ? { ...step, ...this.#send(step.moment, step.plan, step.tasks, 0, step.version) } : step,
    );
  }

  /** One step: rolls out a cohort with the live policy version, learns from it, publishes the next version. */
  async step(): Promise<StepReport> {
    const session = this.#session;
    const { config, state, parts } = session;
    const { method } = parts.plugins;
    const step = state.step + 1;
    const watch = new Stopwatch();
    const launched = this.#ahead.shift() ?? this.#launch(step);
    this.#launched = launched;
    const { moment, plan } = launched;
    const collected = await this.#collect(launched, watch);
    const { cohort, rewarded, kept, shaped } = collected;
    const advantages = method.advantages(moment, plan, kept);
    const loss = method.loss(moment, plan, lossSpec(config, plan), kept);
    watch.lap("time/verify");
    this.#carried = this.#surplus(collected);
    // From here on the next steps' samples are made while this step's are learned from.
    for (const next of stepsAhead(config, step).slice(this.#ahead.length)) this.#ahead.push(this.#launch(next));
    const update =
      kept.length === 0
        ? {}
        : await updatePolicy(parts.learner, parts.tokenizer, {
            plan,
            optimizer: optimizerSettings(config),
            loss,
            groups: kept,
            version: state.version,
            advantages,
          });
    watch.lap("time/train");
    const mismatch = this.#mismatch.check(update);
    if (mismatch) session.notice(step, mismatch, "warning");
    const silence = this.#mismatch.silence(update, kept);
    if (silence) session.notice(step, silence, "info");

    const version = await parts.learner.ask(
      "publish",
      { version: state.version + 1 },
      { deadlineMs: LEARNER_DEADLINE_MS },
    );
    await parts.published(version);
    watch.lap("time/publish");

    // What was carried over from an earlier step was counted there.
    const sampled = collected.sampled.flatMap(({ id, samples }) => (id.startsWith(`${step}/`) ? samples : []));
    const tokens = sampled.reduce((sum, { trajectory }) => sum + policyLength(trajectory), 0);
    const base: StepReport = {
      step,
      stage: plan.stage,
      version,
      trainTokens: state.trainTokens + tokens,
      metrics: {
        ...sampleMetrics(sampled),
        ...rewardMetrics(rewarded, shaped.components["verdict"] ?? []),
        "verdict/ungradable": collected.ungradable / Math.max(1, sampled.length),
        "group/kept": kept.length,
        "group/dropped": rewarded.length - kept.length,
        "group/rounds": collected.roundEnds.length,
        "sample/yield": kept.flatMap(({ group }) => group.samples).length / Math.max(1, sampled.length),
        ...(config.train.staleness > 0 ? stalenessMetrics(kept, state.version) : {}),
        "time/bubble": parts.rollouts.takeIdleSeconds(step),
        "lr/value": plan.learningRate,
        ...update,
        ...watch.laps(),
        "speed/tokens": tokens / watch.total(),
      },
    };
    const report = { ...base, metrics: { ...base.metrics, ...(await this.#observe(moment, base, cohort)) } };
    await session.record(report, collected, advantages);
    return report;
  }

  /** The policy has learned from the step by now, so a plugin that fails here does not have it done again. */
  async #observe(moment: StepMoment, report: StepReport, cohort: Cohort): Promise<Readonly<Record<string, number>>> {
    const { plugins } = this.#session.parts;
    await plugins.settle(report.step + 1);
    try {
      return plugins.method.observe(moment, report, cohort);
    } catch (error) {
      if (!(await plugins.rescue(error, report.step + 1))) throw error;
      return plugins.method.observe(moment, report, cohort);
    }
  }

  /** Plans a step, chooses its tasks and has the actors begin. */
  #launch(step: number): LaunchedStep {
    const { config, parts, state } = this.#session;
    const { cursor, version } = state;
    const moment = { step, progress: progressOf(config, state) };
    const plan = parts.plugins.method.plan(moment, basePlan(config, moment), state.lastReport);
    const tasks = this.#select(moment, plan, Math.max(0, plan.promptsPerStep - this.#carried.length));
    return { moment, plan, tasks, cursor, version, ...this.#send(moment, plan, tasks, 0, version) };
  }

  #send(
    moment: StepMoment,
    plan: StepPlan,
    tasks: readonly Task[],
    before: number,
    version: number,
    watch?: Stopwatch,
  ): Pick<LaunchedStep, "groups" | "plugins" | "hasFailed"> {
    const { config, parts, signal, recorded } = this.#session;
    const { step } = moment;
    const groups = tasks.map((task, index) => ({ id: `${step}/${before + index}`, task, size: plan.groupSize }));
    const oldest = step - 1 - config.train.staleness;
    const order = { step, phase: "train", mode: "default", plan, groups, oldest, version } as const;
    const how = { sampling: samplingOf(plan), partial: crossesVersions(config) };
    const plugins = parts.plugins.key;
    const sample = (): Promise<readonly Group[]> => collect(parts, config, { ...order, ...how }, signal, watch);
    const { versions } = parts.plugins.method;
    const made = recorded ? recorded.take(step, groups, versions).then((found) => found ?? sample()) : sample();
    let hasFailed = false;
    // The failure is met when the step's turn comes; until then nobody asks.
    made.catch(() => (hasFailed = true));
    return { groups: made, plugins, hasFailed: () => hasFailed };
  }

  /** A step's cohort: what was launched, what was carried over, and further rounds where groups are sampled again. */
  #collect({ moment, plan, groups }: LaunchedStep, watch: Stopwatch): Promise<Collected> {
    const { config, parts } = this.#session;
    return collectCohort(parts.plugins.method, moment, plan, config, {
      next: async (wanted, before, round) => {
        const { version } = this.#session.state;
        if (round > 0)
          return this.#send(moment, plan, this.#select(moment, plan, wanted), before, version, watch).groups;
        const first = await groups;
        watch.lap("time/generate");
        return [...this.#carried, ...first];
      },
    });
  }

  /** Groups that were kept and found no place, while they are fresh enough for the next step. */
  #surplus({ rewarded, decisions, kept }: Collected): readonly Group[] {
    const { staleness, carryOver } = this.#session.config.train;
    if (staleness === 0 || !carryOver) return [];
    const used = new Set(kept.map(({ group }) => group.id));
    const oldest = this.#session.state.version + 1 - staleness;
    return rewarded
      .filter(({ group }, index) => decisions[index] === "keep" && !used.has(group.id))
      .map(({ group }) => group)
      .filter(({ samples }) =>
        samples.every(({ trajectory }) => trajectory.versions.every(({ version }) => version >= oldest)),
      );
  }

  #select(moment: StepMoment, plan: StepPlan, count: number): readonly Task[] {
    const { config, parts, state } = this.#session;
    const { train } = parts;
    const chosen = parts.plugins.method.select(moment, plan, selectionFrom(train, count));
    if (chosen) return chosen.map((index) => train.at(index));
    const { indices, cursor } = nextTasks(state.cursor, count, train.size, config.seed);
    state.cursor = cursor;
    return indices.map((index) => train.at(index));
  }

  /** Held-out performance of the live version in every configured mode. */
  async #evaluate(): Promise<void> {
    for (const mode of this.#session.config.eval.modes) await evaluate(this.#session, mode);
  }
}
