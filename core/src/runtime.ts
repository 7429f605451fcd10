import { resolve } from "node:path";
import type { RunSettings } from "./config/define-config.js";
import { describeProblems } from "./config/describe-problems.js";
import { overlay } from "./config/overlay.js";
import { readPreset } from "./config/preset.js";
import { runConfigSchema, type RunConfig } from "./config/run-config.js";
import { distillPolicy } from "./distill.js";
import { errors } from "./errors.js";
import { evaluate, type EvaluationOptions } from "./evaluate.js";
import { problemsOf } from "./hooks/plugin-loader.js";
import { pluginChangeSchema, type PluginChangeResult } from "./live/plugin-change.js";
import type { Evaluation } from "./records/evaluation.js";
import type { RunEvent } from "./records/run-event.js";
import type { StepReport } from "./records/step-report.js";
import { checkModes } from "./run-parts.js";
import { progressOf } from "./run-plan.js";
import { Run, type RunOutcome } from "./run.js";
import { RunSession } from "./run-session.js";
import { findRun, RunDirectory } from "./store/run-directory.js";
import type { RunLock } from "./store/run-lock.js";
import type { z } from "zod";

/** How to start a runtime. */
export interface RuntimeOptions {
  /** As in a YAML file, `extends` included; defaults fill the rest. */
  readonly config: RunSettings;
  /** Where relative paths in the config start; the working directory unless given. */
  readonly baseDirectory?: string;
  /** Folder of all runs; `runs` below the base directory unless given. */
  readonly runs?: string;
  /** Goes on with a run of that folder, by number, name or path, instead of making a new one. */
  readonly resume?: string;
  /** Hears every event, in order, as it happens. */
  readonly onEvent?: (event: RunEvent) => void;
}

/** A training run inside another program. Calls are made one at a time; changes of plugins at any time. */
export interface Runtime {
  readonly config: RunConfig;
  /** Its folder, which `troupe inspect`, `replay` and the others read. */
  readonly directory: RunDirectory;
  /** How far it is, in [0, 1]. */
  progress(): number;
  /** One whole step: sample, verify, learn, publish. */
  step(): Promise<StepReport>;
  /**
   * Trains to the end of the config's steps or tokens, with its evaluations and checkpoints; until `pause`, or an abort of
   * `signal`, which both let the running step end and save it. A paused runtime goes on with `step` or `run`.
   */
  run(options?: { readonly signal?: AbortSignal }): Promise<RunOutcome>;
  /** Has `run` return after the running step. */
  pause(): void;
  /** Held-out performance of the live policy in one mode; not recorded. @throws EVALUATION_MODE_UNKNOWN */
  evaluate(mode?: string, options?: Omit<EvaluationOptions, "isProbe">): Promise<Evaluation>;
  /**
   * Swaps, loads, unloads, rolls back or pins a plugin, in force from the next step on; resolves when the running step has
   * ended, at once when none runs.
   *
   * @throws CONTROL_REQUEST_NOT_VALID, and what makes the change impossible; the run goes on as it was
   */
  changePlugins(change: z.input<typeof pluginChangeSchema>): Promise<PluginChangeResult>;
  /** Writes a checkpoint now. */
  save(): Promise<void>;
  /** Every event from now on, until the runtime is closed; slow readers get all of them. */
  events(): AsyncIterable<RunEvent>;
  /** Ends every actor and gives the run back. */
  close(): Promise<void>;
}

/**
 * Starts a training run inside another program: the same actors, plugins and files as `troupe run`. An own engine, learner
 * included, is a module named by `policy.engine`, an own environment one named by `environment.use`; both are loaded on
 * the threads that need them.
 *
 * `examples/embedding/in-a-script.ts` and `http-server.ts` are whole programs.
 *
 * @throws CONFIG_NOT_VALID, PRESET_NOT_FOUND, RUN_LOCKED, and what loading modules, a tokenizer or weights throws; nothing stays running then
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const baseDirectory = resolve(options.baseDirectory ?? ".");
  const config = checkConfig(options.config, baseDirectory);
  const root = resolve(baseDirectory, options.runs ?? "runs");
  const directory =
    options.resume === undefined
      ? await RunDirectory.create({ root, name: config.name, about: { command: "createRuntime()" } })
      : await findRun(root, options.resume);
  const lock = await directory.lock();
  const listeners = new Listeners(options.onEvent);
  try {
    const never = new AbortController().signal;
    const policy = config.distill ? await distillPolicy(config, baseDirectory, listeners.tell, never) : undefined;
    const session = await RunSession.open({
      config: policy ? { ...config, policy: { ...config.policy, from: policy.directory } } : config,
      baseDirectory,
      directory,
      attempt: lock.attempt,
      onEvent: listeners.tell,
      ...(policy ? { weights: policy.directory } : {}),
    });
    return new LocalRuntime(session, directory, lock, listeners);
  } catch (error) {
    listeners.end();
    await lock.release();
    // A run that never began would be the latest, and cannot be gone on with.
    if (options.resume === undefined) await directory.discardUnlessBegun();
    throw error;
  }
}

function checkConfig({ extends: preset, ...own }: RunSettings, baseDirectory: string): RunConfig {
  const whole = preset === undefined ? own : overlay(readPreset(preset, baseDirectory).settings, own);
  const parsed = runConfigSchema.safeParse(whole);
  if (parsed.success) return parsed.data;
  const problems = describeProblems(parsed.error, { schema: runConfigSchema, value: whole, place: () => "config" });
  throw errors.configNotValid({ problems });
}

class LocalRuntime implements Runtime {
  readonly directory: RunDirectory;
  readonly #session: RunSession;
  readonly #run: Run;
  readonly #lock: RunLock;
  readonly #listeners: Listeners;
  #stop: AbortController | undefined;
  #outcome = "interrupted";
  #closing: Promise<void> | undefined;
  /** Steps and runs under way: at their boundaries changes of plugins come into force. */
  #working = 0;
  /** The end of changes that are being made while nothing works. */
  #changing: Promise<unknown> | undefined;

  constructor(session: RunSession, directory: RunDirectory, lock: RunLock, listeners: Listeners) {
    this.#session = session;
    this.#run = new Run(session);
    this.directory = directory;
    this.#lock = lock;
    this.#listeners = listeners;
  }

  get config(): RunConfig {
    return this.#session.config;
  }

  progress(): number {
    return progressOf(this.#session.config, this.#session.state);
  }

  step(): Promise<StepReport> {
    return this.#whileWorking(() => this.#run.nextStep());
  }

  async run({ signal }: { readonly signal?: AbortSignal } = {}): Promise<RunOutcome> {
    const stop = new AbortController();
    this.#stop = stop;
    const onAbort = (): void => stop.abort();
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const outcome = await this.#whileWorking(() => this.#run.train(stop.signal));
      this.#outcome = outcome;
      return outcome;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#stop = undefined;
    }
  }

  pause(): void {
    this.#stop?.abort();
  }

  async evaluate(mode = "default", options: Omit<EvaluationOptions, "isProbe"> = {}): Promise<Evaluation> {
    const { plugins, evalPlugins } = this.#session.parts;
    checkModes([mode], [...plugins.method.plugins, ...evalPlugins]);
    return evaluate(this.#session, mode, { ...options, isProbe: true });
  }

  async changePlugins(change: z.input<typeof pluginChangeSchema>): Promise<PluginChangeResult> {
    const parsed = pluginChangeSchema.safeParse(change);
    if (!parsed.success) {
      const problem = problemsOf(parsed.error, pluginChangeSchema, change);
      throw errors.controlRequestNotValid({ file: "changePlugins()", problem });
    }
    const { plugins } = this.#session.parts;
    const changed = plugins.change(parsed.data);
    // Between two calls no step comes to a boundary, and whoever waits for the change before the next step would wait for ever.
    if (this.#working === 0) {
      const changing = Promise.allSettled([this.#changing, plugins.boundary(this.#session.state.step), changed]).then(
        () => {
          if (this.#changing === changing) this.#changing = undefined;
        },
      );
      this.#changing = changing;
    }
    return changed;
  }

  async #whileWorking<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#working += 1;
    try {
      // Begins in this very turn otherwise: what is asked for right after it is prepared beside the step.
      if (this.#changing) await this.#changing;
      return await work();
    } finally {
      this.#working -= 1;
    }
  }

  save(): Promise<void> {
    return this.#run.save();
  }

  events(): AsyncIterable<RunEvent> {
    return this.#listeners.stream();
  }

  close(): Promise<void> {
    this.#closing ??= this.#session
      .close(this.#outcome)
      .finally(() => this.#lock.release())
      .finally(() => this.#listeners.end());
    return this.#closing;
  }
}

/** Hands events to a callback and to any number of streams. */
class Listeners {
  readonly #callback: ((event: RunEvent) => void) | undefined;
  readonly #streams = new Set<{ readonly events: RunEvent[]; wake: () => void }>();
  #hasEnded = false;

  constructor(callback: ((event: RunEvent) => void) | undefined) {
    this.#callback = callback;
  }

  readonly tell = (event: RunEvent): void => {
    this.#callback?.(event);
    for (const stream of this.#streams) {
      stream.events.push(event);
      stream.wake();
    }
  };

  /** From the moment of this call on, whenever its reader comes. */
  stream(): AsyncIterable<RunEvent> {
    const events: RunEvent[] = [];
    const stream = { events, wake: () => {} };
    this.#streams.add(stream);
    const read = async function* (this: Listeners): AsyncGenerator<RunEvent> {
      try {
        for (;;) {
          while (stream.events.length > 0) yield stream.events.shift()!;
          if (this.#hasEnded) return;
          await new Promise<void>((resolve) => (stream.wake = resolve));
        }
      } finally {
        this.#streams.delete(stream);
      }
    };
    return read.call(this);
  }

  end(): void {
    this.#hasEnded = true;
    for (const { wake } of this.#streams) wake();
  }
}
