import { collect, collectCohort, type Collected } from "./collect.js";
import { evaluate } from "./evaluate.js";
import type { StepMoment } from "./hooks/method.js";
import { LEARNER_DEADLINE_MS, updatePolicy } from "./learn/learner.js";
import { rewardMetrics, sampleMetrics } from "./learn/step-metrics.js";
import type { Cohort } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { StepReport } from "./records/step-report.js";
import type { Task } from "./records/task.js";
import { responseLength } from "./records/trajectory.js";
import { nextTasks } from "./rollout/task-order.js";
import { basePlan, lossSpec, optimizerSettings, progressOf, samplingOf } from "./run-plan.js";
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

  constructor(session: RunSession) {
    this.#session = session;
  }

  /** Trains until steps or tokens are spent; after an abort of `signal`, until the end of the running step. Saves at the end. */
  async train(signal: AbortSignal): Promise<RunOutcome> {
    const { config, state } = this.#session;
    if (state.evaluations.length === 0) {
      await this.#evaluate();
      await this.#session.checkpoint();
    }
    while (progressOf(config, state) < 1 && !signal.aborted) {
      const report = await this.#stepWithPlugins();
      const isLast = progressOf(config, state) >= 1;
      if (isLast || (config.eval.every > 0 && report.step % config.eval.every === 0)) await this.#evaluate();
      if (isLast || signal.aborted || report.step % config.store.checkpointEvery === 0)
        await this.#session.checkpoint();
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
  async #stepWithPlugins(): Promise<StepReport> {
    const { parts, state } = this.#session;
    await parts.plugins.boundary(state.step);
    const { cursor } = state;
    for (;;) {
      try {
        const report = await this.step();
        parts.plugins.stepped();
        return report;
      } catch (error) {
        if (!(await parts.plugins.rescue(error, state.step + 1))) throw error;
        state.cursor = cursor;
      }
    }
  }

  /** One step: rolls out a cohort with the live policy version, learns from it, publishes the next version. */
  async step(): Promise<StepReport> {
    const session = this.#session;
    const { config, state, parts } = session;
    const { method } = parts.plugins;
    const step = state.step + 1;
    const moment = { step, progress: progressOf(config, state) };
    const watch = new Stopwatch();

    const plan = method.plan(moment, basePlan(config, step), state.lastReport);
    const collected = await this.#collect(moment, plan, watch);

    const { cohort, rewarded, kept, shaped } = collected;
    const advantages = method.advantages(moment, plan, kept);
    const loss = method.loss(moment, plan, lossSpec(config, plan), kept);
    watch.lap("time/verify");
    const update =
      kept.length === 0
        ? {}
        : await updatePolicy(parts.learner, parts.tokenizer, {
            plan,
            optimizer: optimizerSettings(config),
            loss,
            groups: kept,
            advantages,
          });
    watch.lap("time/train");

    const version = await parts.learner.ask(
      "publish",
      { version: state.version + 1 },
      { deadlineMs: LEARNER_DEADLINE_MS },
    );
    watch.lap("time/publish");

    const sampled = collected.sampled.flatMap(({ samples }) => samples);
    const tokens = sampled.reduce((sum, { trajectory }) => sum + responseLength(trajectory), 0);
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
    try {
      return plugins.method.observe(moment, report, cohort);
    } catch (error) {
      if (!(await plugins.rescue(error, report.step + 1))) throw error;
      return plugins.method.observe(moment, report, cohort);
    }
  }

  /** The step's groups, rolled out and verified by the actors. */
  #collect(moment: StepMoment, plan: StepPlan, watch: Stopwatch): Promise<Collected> {
    const { config, parts, state, signal } = this.#session;
    const { step } = moment;
    return collectCohort(parts.plugins.method, moment, plan, config, {
      next: (wanted, before) => {
        const groups = this.#select(moment, plan, wanted).map((task, index) => ({
          id: `${step}/${before + index}`,
          task,
          size: plan.groupSize,
        }));
        const order = { step, phase: "train", mode: "default", plan, groups, version: state.version } as const;
        return collect(parts, config, { ...order, sampling: samplingOf(plan) }, signal, watch);
      },
    });
  }

  #select(moment: StepMoment, plan: StepPlan, count: number): readonly Task[] {
    const { config, parts, state } = this.#session;
    const { train } = parts;
    const chosen = parts.plugins.method.select(moment, plan, {
      size: train.size,
      count,
      at: (index) => train.at(index),
    });
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
