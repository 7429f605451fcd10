import { resolve } from "node:path";
import { systemClock } from "./actors/clock.js";
import { Watchdog } from "./actors/watchdog.js";
import type { Collected } from "./collect.js";
import type { RunConfig } from "./config/run-config.js";
import { errors } from "./errors.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import { learnerEnd } from "./learn/learner-end.js";
import { ControlBox } from "./live/control-box.js";
import { PluginArchive } from "./live/plugin-archive.js";
import type { AppliedChange } from "./live/plugin-host.js";
import { lostChanges } from "./lost-changes.js";
import { accuraciesOf, type Evaluation } from "./records/evaluation.js";
import type { JsonObject } from "./records/json.js";
import type { RunEvent } from "./records/run-event.js";
import type { StepReport } from "./records/step-report.js";
import type { RunOutcome } from "./run.js";
import { readInFlight, saveInFlight, type InFlight } from "./run-ahead.js";
import { readSavedRun, toCheckpointState, type SavedRun } from "./run-checkpoint.js";
import { crossesVersions, progressOf } from "./run-plan.js";
import { startParts, type RunParts } from "./run-parts.js";
import { ActorsFile } from "./store/actors-file.js";
import { checkCheckpoint } from "./store/check-checkpoint.js";
import { latestCheckpoint, type Checkpoint } from "./store/checkpoint.js";
import { writeFileAtomically } from "./store/durable-files.js";
import { rewindTo } from "./store/rewind.js";
import type { Rollout } from "./store/rollouts.js";
import type { RunDirectory } from "./store/run-directory.js";
import type { DropReport } from "./store/retention.js";
import { RecordedSamples } from "./store/recorded-samples.js";
import { RunStore } from "./store/run-store.js";
import { tensorDigests, type TensorDigests } from "./store/tensor-digests.js";
import { hasWeights } from "./store/tensor-folder.js";
import { emptyState, type DatedEvaluation, type RunState } from "./run-state.js";
import { StepRecords } from "./step-records.js";

/** Where a run lives and who listens. */
export interface SessionOptions {
  readonly config: RunConfig;
  /** Where relative paths in the config start. */
  readonly baseDirectory: string;
  readonly directory: RunDirectory;
  /** Number of this attempt, from the run's lock. */
  readonly attempt: number;
  /** Folder with the weights to begin from; absent takes those of `policy.from`, and without any draws them from the seed. */
  readonly weights?: string;
  /** Evaluations of these very weights that were made before; the run then does not begin with its own. */
  readonly evaluations?: readonly DatedEvaluation[];
  readonly onEvent: (event: RunEvent) => void;
}

/**
 * The state of a run and its connections to actors, disk and listeners; what `Run` decides, it carries out. It is one
 * file because each of its actions touches all of them: state, store and listeners must not come apart.
 */
export class RunSession {
  readonly config: RunConfig;
  readonly state: RunState;
  readonly #options: SessionOptions;
  /** Absent when the run is only read. */
  readonly #store: RunStore | undefined;
  readonly #started = systemClock.now();
  readonly #abort = new AbortController();
  #endWatch: () => Promise<void> = async () => {};
  #control: ControlBox | undefined;
  readonly parts: RunParts;
  /** Samples that the checkpoint held for steps to come. */
  readonly inFlight: InFlight;
  /** Samples that are learned from again, where they could not be made again. */
  readonly recorded: RecordedSamples | undefined;

  private constructor(
    options: SessionOptions,
    state: RunState,
    store: RunStore | undefined,
    parts: RunParts,
    inFlight: InFlight,
  ) {
    this.#options = options;
    this.config = options.config;
    this.state = state;
    this.#store = store;
    this.parts = parts;
    this.inFlight = inFlight;
    if (store && crossesVersions(this.config)) this.recorded = new RecordedSamples(options.directory, options.attempt);
  }

  /**
   * Starts every part of a run, at its newest checkpoint when there is one: lines and rollouts past it are moved aside.
   */
  static async open(options: SessionOptions): Promise<RunSession> {
    const checkpoint = await latestCheckpoint(options.directory);
    if (checkpoint) await checkCheckpoint(options.directory, checkpoint);
    const saved = checkpoint && (await readSavedRun(checkpoint));
    const { step = -1, wallSeconds: seconds = -1 } = saved?.run ?? {};
    const lost = await lostChanges(options.directory, step, seconds);
    await rewindTo(options.directory, step, options.attempt, {
      seconds,
      keepRollouts: crossesVersions(options.config),
    });
    const store = await RunStore.open(options.directory, options.config.store);
    try {
      const session = await RunSession.#start(options, checkpoint, saved, store, lost);
      const detail = `${session.parts.engine.description}${checkpoint ? `, resumed at step ${checkpoint.step}` : ""}`;
      session.emit({ type: "started", part: options.config.name, detail });
      session.#watch(options.directory);
      await session.#lockPlugins(saved?.pluginVersions ?? {}, saved?.plugins ?? {});
      session.#control = await ControlBox.open(options.directory.control, options.attempt, {
        look: () => session.parts.plugins.look(),
        carryOut: (change) => session.parts.plugins.change(change),
      });
      return session;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /**
   * Starts a finished or running run at its newest checkpoint to measure it; its folder stays as it is.
   *
   * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_DAMAGED
   */
  static async openForReading(
    options: Pick<SessionOptions, "config" | "baseDirectory" | "directory">,
  ): Promise<RunSession> {
    const checkpoint = await latestCheckpoint(options.directory);
    if (!checkpoint) throw errors.checkpointNotFound({ run: options.directory.id, step: undefined });
    await checkCheckpoint(options.directory, checkpoint);
    // A checkpoint holds weights and their shape; the tokenizer stands where the run began.
    const saved = await readSavedRun(checkpoint);
    return RunSession.#start({ ...options, attempt: 0, onEvent: () => {} }, checkpoint, saved, undefined, []);
  }

  static async #start(
    options: SessionOptions,
    checkpoint: Checkpoint | undefined,
    saved: SavedRun | undefined,
    store: RunStore | undefined,
    lost: readonly AppliedChange[],
  ): Promise<RunSession> {
    const { config } = options;
    const state: RunState = saved?.run ?? emptyState(options.evaluations);
    const session: { current?: RunSession } = {};
    const parts = await startParts(config, options.baseDirectory, {
      weights: firstWeights(config, options.baseDirectory, options.weights),
      entropies: options.directory.entropies,
      plugins: {
        states: saved?.plugins ?? {},
        live: saved?.live,
        lost,
        archive: new PluginArchive(options.directory.pluginVersions),
        onEvent: (plugin, step, message) => session.current?.notice(step, `${plugin}: ${message}`, "info"),
        onChange: (change) => session.current?.emit({ type: "plugin", part: config.name, ...change }),
        onNotice: (message) => session.current?.notice(session.current.state.step, message, "warning"),
      },
    });
    try {
      if (checkpoint) {
        await parts.learner.ask(
          "load",
          { directory: checkpoint.path, optimizer: true, version: state.version },
          { deadlineMs: LEARNER_DEADLINE_MS },
        );
        await parts.published(state.version);
      }
      const inFlight = await readInFlight(saved?.inFlight, checkpoint?.path ?? "");
      session.current = new RunSession(options, state, store, parts, inFlight);
      const { kernelSet } = parts.engine;
      if (saved && saved.kernelSet !== kernelSet) {
        const message = `the checkpoint was computed with ${saved.kernelSet} kernels, this process has ${kernelSet}: the run goes on, but not with the bits it would have had`;
        session.current.notice(state.step, message, "warning");
      }
      return session.current;
    } catch (error) {
      const end = await learnerEnd(parts.learner, error);
      await parts.system.stop({ graceMs: 0 });
      throw end ?? error;
    }
  }

  /** Aborts when the run is closed; not when it is asked to stop after a step. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Seconds of work, earlier attempts included. */
  wallSeconds(): number {
    return this.state.wallSeconds + (systemClock.now() - this.#started) / 1000;
  }

  emit(event: RunEvent): void {
    this.#store?.event(event, this.wallSeconds());
    this.#options.onEvent(event);
  }

  /**
   * Asks for another version of a plugin, in force from the next step on. Rejects, and nothing changes, when it cannot
   * be loaded.
   */
  async swapPlugin(use: string): Promise<void> {
    await this.parts.plugins.change({ verb: "swap", use });
  }

  /** Keeps the run's actors on disk, and warns of one that holds the run up. */
  #watch(directory: RunDirectory): void {
    const file = new ActorsFile(directory.actors, this.#options.attempt);
    const watchdog = new Watchdog(this.parts.system, systemClock, {
      report: (report) => file.write(report),
      held: (_, text) => this.notice(this.state.step, `the run is held up: ${text}`, "warning"),
    });
    this.#endWatch = async () => {
      const last = watchdog.report();
      watchdog.end();
      await file.close(last);
    };
  }

  /** Writes `plugins.lock.json`; records and warns of plugins that are not what the checkpoint was made with. */
  async #lockPlugins(before: Readonly<Record<string, string>>, states: JsonObject): Promise<void> {
    const { config, state } = this;
    const { plugins } = this.parts;
    const { versions } = plugins.method;
    await writeFileAtomically(this.#options.directory.plugins, `${JSON.stringify(versions, null, 2)}\n`);
    await plugins.archive();
    for (const [name, to] of Object.entries(versions)) {
      const from = before[name];
      if (from === undefined || from === to) continue;
      const left = states[name];
      plugins.tookOver(name, from, left === undefined ? {} : { [name]: left });
      const reason = "its file had changed when the run was resumed";
      const change = { step: state.step + 1, plugin: name, from, to, reason, settings: plugins.settingsOf(name) };
      this.emit({ type: "plugin", part: config.name, action: "swap", pauseMs: 0, ...change });
      const message = `plugin ${name} was ${from} before and is ${to} now: the run goes on with another method`;
      this.notice(state.step, message, "warning");
    }
  }

  notice(step: number, message: string, level: "info" | "warning"): void {
    this.emit({ type: "notice", part: this.config.name, step, message, level });
  }

  /** Takes a finished step into state, store and events. */
  async record(
    report: StepReport,
    collected: Collected,
    advantages: readonly (number | Float32Array)[],
  ): Promise<void> {
    const { state, config } = this;
    Object.assign(state, {
      step: report.step,
      version: report.version,
      trainTokens: report.trainTokens,
      lastReport: report,
    });
    state.instructive += advantages.filter((advantage) =>
      typeof advantage === "number" ? advantage !== 0 : advantage.some((value) => value !== 0),
    ).length;
    const records = new StepRecords(report.step, collected, advantages);
    this.#store?.step(report, this.wallSeconds(), {
      step: report.step,
      version: report.version,
      samples: records.ledger(),
    });
    const { rolloutsEvery } = config.store;
    if (rolloutsEvery > 0 && report.step % rolloutsEvery === 0)
      await this.#store?.rollouts(report.step, records.rollouts());
    await this.#store?.commit();
    const done = progressOf(config, state);
    const perProgress = this.wallSeconds() / Math.max(done, 1e-9);
    this.emit({
      type: "step",
      part: config.name,
      report,
      progress: { done, etaSeconds: perProgress * (1 - done), label: this.#progressLabel() },
    });
    const sample = records.shown();
    if (sample) this.emit({ type: "sample", part: config.name, step: report.step, sample });
  }

  async recordEvaluation(evaluation: Evaluation, rollouts: readonly Rollout[]): Promise<void> {
    const { lastReport } = this.state;
    if (lastReport && evaluation.mode === this.config.eval.modes[0]) {
      // The next step's `plan` hooks see how held-out accuracy moves.
      this.state.lastReport = {
        ...lastReport,
        metrics: { ...lastReport.metrics, ...accuraciesOf(evaluation) },
      };
    }
    this.state.evaluations.push({ step: this.state.step, trainTokens: this.state.trainTokens, evaluation });
    if (rollouts.length > 0) await this.#store?.rollouts(this.state.step, rollouts, evaluation.mode);
    const done = progressOf(this.config, this.state);
    this.emit({
      type: "evaluated",
      part: this.config.name,
      step: this.state.step,
      evaluation,
      progress: { done, etaSeconds: null, label: this.#progressLabel() },
    });
  }

  /** Writes weights, optimizer and state; whatever happens afterwards, the run can go on from here. */
  async checkpoint(inFlight: InFlight): Promise<void> {
    if (!this.#store) return;
    const { learner, plugins } = this.parts;
    const live = await plugins.state();
    const run = { ...this.state, wallSeconds: this.wallSeconds() };
    let digests: TensorDigests = {};
    const saved = await this.#store.checkpoint(this.state.step, async (directory) => {
      await learner.ask("save", { directory, optimizer: true }, { deadlineMs: LEARNER_DEADLINE_MS });
      const ahead = await saveInFlight(inFlight, directory);
      const { kernelSet } = this.parts.engine;
      const states = plugins.method.states();
      digests = await tensorDigests(directory);
      const { versions: pluginVersions } = plugins.method;
      return toCheckpointState({
        run,
        kernelSet,
        plugins: states,
        pluginVersions,
        ...(live ? { live } : {}),
        inFlight: ahead,
        digests,
      });
    });
    this.emit({ type: "checkpoint", part: this.config.name, step: saved.step, path: saved.path, digests });
    if (saved.dropped) this.#noteDropped(saved.dropped);
  }

  #noteDropped({ bytes, to, left }: DropReport): void {
    const { maxMb } = this.config.store;
    const mb = (of: number): string => `${(of / 1e6).toFixed(1)} MB`;
    const what = to < 0 ? "what earlier attempts had set aside" : `records up to step ${to}`;
    const isOver = left > maxMb * 1e6;
    const rest = isOver ? `; ${mb(left)} are left, more than that: the rest is needed to go on, or the curve` : "";
    const message = `dropped ${mb(bytes)} of ${what} to stay within store.maxMb ${maxMb}${rest}`;
    this.notice(this.state.step, message, isOver ? "warning" : "info");
  }

  /** Does the session's work, then closes it for the reason that ended the work: its outcome, `signal`, or an error. */
  async closeAfter(signal: AbortSignal, work: () => Promise<RunOutcome>): Promise<RunOutcome> {
    let reason: RunOutcome | "failed" = "failed";
    try {
      const outcome = await work();
      reason = outcome;
      return outcome;
    } catch (error) {
      if (signal.aborted && error === signal.reason) reason = "interrupted";
      throw (await learnerEnd(this.parts.learner, error)) ?? error;
    } finally {
      await this.close(reason);
    }
  }

  /** Ends every actor and closes every file. */
  async close(reason: string): Promise<void> {
    this.emit({ type: "finished", part: this.config.name, step: this.state.step, reason, seconds: this.wallSeconds() });
    this.#abort.abort();
    await this.#control?.close();
    this.parts.plugins.close(reason);
    await this.#endWatch();
    await this.parts.system.stop();
    await this.#store?.close();
  }

  #progressLabel(): string {
    const { steps, tokenBudget } = this.config.train;
    const { step, trainTokens } = this.state;
    if (steps === 0) return "";
    return tokenBudget > 0
      ? `${(trainTokens / 1e6).toFixed(2)}/${(tokenBudget / 1e6).toFixed(2)} M tokens`
      : `${step}/${steps} steps`;
  }
}

/** Folder with the weights that a run begins with: those it is given, or of `policy.from`; undefined draws them from the seed. */
export function firstWeights(config: RunConfig, baseDirectory: string, given?: string): string | undefined {
  const directory = resolve(baseDirectory, config.policy.from);
  return given ?? (hasWeights(directory) ? directory : undefined);
}
