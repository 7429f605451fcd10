import { createHash } from "node:crypto";
import { cp, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemClock } from "./actors/clock.js";
import { cacheDirectory } from "./config/paths.js";
import type { RunConfig } from "./config/run-config.js";
import type { LossSpec } from "./records/loss-spec.js";
import type { EnvironmentParcel } from "./environments/environment-loader.js";
import type { Teacher } from "./environments/environment.js";
import { errors } from "./errors.js";
import { labelDemonstration } from "./label-demonstration.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import { learnerEnd } from "./learn/learner-end.js";
import { packLabelled, type LabelledSequence } from "./learn/pack.js";
import { deriveKey, Random } from "./numerics/random.js";
import { mean } from "./numerics/statistics.js";
import type { JsonObject } from "./records/json.js";
import type { RunEvent } from "./records/run-event.js";
import { tokenizerFiles } from "./engines/tokenizer.js";
import { startParts, type RunParts } from "./run-parts.js";
import { syncTree } from "./store/durable-files.js";

/** Share of the training in which the learning rate falls. */
const DECAY = 0.2;
/** Batches over which the loss is averaged that may end the training early. */
const LOSS_WINDOW = 50;

/** The supervised loss alone. */
const NEXT_TOKEN_LOSS: LossSpec = {
  temperature: 1,
  ratio: "token",
  clipLow: 0,
  clipHigh: 0,
  dualClip: Infinity,
  aggregation: "token-mean",
  normConstant: 1,
  klCoefficient: 0,
  klEstimator: "k3",
  entropyCoefficient: 0,
  importance: null,
  maskTruncated: false,
  nextTokenCoefficient: 1,
};

/** A policy folder made by supervised training. */
export interface DistilledPolicy {
  /** Hugging Face layout: weights, config.json, tokenizer. */
  readonly directory: string;
  readonly isCached: boolean;
  readonly tokens: number;
  readonly seconds: number;
}

/**
 * Trains the policy of a config on its environment's demonstrations, or finds the one that was trained before: the
 * cache is keyed by everything that goes in (policy folder, environment's code and settings, distill settings, seed).
 *
 * @throws NO_TEACHER when the environment has none; CACHE_FOLDER_NOT_USABLE before anything is taught
 */
export async function distillPolicy(
  config: RunConfig,
  baseDirectory: string,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<DistilledPolicy> {
  const { distill } = config;
  if (!distill)
    throw errors.noTeacher({ environment: config.environment.use, problem: 'the config has no "distill" section' });
  const parts = await startParts(
    {
      ...config,
      // What is taught is all of the policy; an adapter comes on top of it.
      policy: { ...config.policy, lora: null },
      plugins: [],
      eval: { ...config.eval, modes: ["default"], plugins: [] },
      // Nothing is sampled.
      rollout: { ...config.rollout, actors: 1, placement: "thread" },
    },
    baseDirectory,
    { weights: undefined, isUntaught: true },
  );
  try {
    const source = resolve(baseDirectory, config.policy.from);
    const directory = join(cacheDirectory(), "policies", await cacheKey(config, source, parts));
    if (await exists(join(directory, "model.safetensors"))) return { directory, isCached: true, tokens: 0, seconds: 0 };

    const teacher = parts.environment.definition.teacher?.(parts.environment.config);
    if (!teacher)
      throw errors.noTeacher({
        environment: parts.environment.definition.name,
        problem: "the environment has no teacher",
      });
    const started = systemClock.now();
    const temporary = `${directory}.tmp-${process.pid}`;
    // Made before minutes of teaching, not after them.
    await mkdir(temporary, { recursive: true }).catch((cause: unknown) => {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw errors.cacheFolderNotUsable({ folder: cacheDirectory(), problem }, cause);
    });
    try {
      const tokens = await teach(config, distill, parts, teacher, started, onEvent, signal);
      await parts.learner.ask("save", { directory: temporary, optimizer: false }, { deadlineMs: LEARNER_DEADLINE_MS });
      for (const file of tokenizerFiles(source)) await cp(join(source, file), join(temporary, file));
      await syncTree(temporary);
      await rm(directory, { recursive: true, force: true });
      await rename(temporary, directory);
      return { directory, isCached: false, tokens, seconds: (systemClock.now() - started) / 1000 };
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  } catch (error) {
    throw (await learnerEnd(parts.learner, error)) ?? error;
  } finally {
    await parts.system.stop();
  }
}

/** Runs the whole supervised training; packs the next batch while the learner works on this one. */
async function teach(
  config: RunConfig,
  settings: NonNullable<RunConfig["distill"]>,
  parts: RunParts,
  teacher: Teacher,
  started: number,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  const source = new DemonstrationSource(config.seed, parts, teacher);
  let tokens = 0;
  /** Tokens at which the training ends. */
  let end = settings.tokens;
  const { untilLoss = Infinity } = settings;
  /** Whether the loss that is asked for was reached; with none, `end` is certain from the start. */
  let isTaught = untilLoss === Infinity;
  const losses: number[] = [];
  let batch = packLabelled(source.take(settings.batchTokens));
  for (let step = 1; tokens < end; step++) {
    signal.throwIfAborted();
    tokens += batch.tokens_N.length;
    const done = Math.min(1, tokens / end);
    const optimizer = {
      learningRate: settings.learningRate * warmupThenDecay(done, settings.warmup),
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: settings.weightDecay,
      maxGradNorm: settings.maxGradNorm,
    };
    const update = parts.learner.ask(
      "update",
      { batches: [batch], spec: NEXT_TOKEN_LOSS, optimizer, resetOptimizer: false },
      { deadlineMs: LEARNER_DEADLINE_MS },
    );
    batch = packLabelled(source.take(settings.batchTokens));
    const metrics = await update;
    losses.push(metrics["loss/next_token"] ?? NaN);
    if (!isTaught && losses.length >= LOSS_WINDOW && mean(losses.slice(-LOSS_WINDOW)) <= untilLoss) {
      isTaught = true;
      // What is done becomes everything before the fall, which begins now.
      end = Math.min(end, tokens / (1 - DECAY));
    }
    const seconds = (systemClock.now() - started) / 1000;
    onEvent({
      type: "step",
      part: "base",
      report: {
        step,
        stage: "distill",
        version: 0,
        trainTokens: tokens,
        metrics: { ...metrics, "speed/train": tokens / seconds },
      },
      progress: {
        done,
        etaSeconds: (seconds / done) * (1 - done),
        label: `${inMillions(tokens)}/${isTaught ? "" : "≤"}${inMillions(end)} M tokens`,
      },
    });
  }
  if (!isTaught) {
    const message = `the loss did not come down to ${untilLoss} within ${settings.tokens.toLocaleString("en")} tokens: this policy may not have learned its steps`;
    onEvent({ type: "notice", part: "base", step: 0, level: "warning", message });
  }
  return tokens;
}

function inMillions(tokens: number): string {
  return (tokens / 1e6).toFixed(2);
}

/**
 * Share of the peak learning rate: rises over the warm-up, stays, and falls to a tenth over the last fifth. Multi-step
 * skills appear suddenly, at a moment that differs from seed to seed: a rate that fell from the start would miss it.
 *
 * @param done share of the training that is done, in [0, 1]
 */
export function warmupThenDecay(done: number, warmup: number): number {
  if (done < warmup) return done / warmup;
  return done < 1 - DECAY ? 1 : Math.max(0.1, 1 - (0.9 * (done - (1 - DECAY))) / DECAY);
}

/** Endless demonstrations of the train split, tokenised: the i-th is the same whoever asks when. */
class DemonstrationSource {
  readonly #seed: number;
  readonly #parts: RunParts;
  readonly #teacher: Teacher;
  #next = 0;

  constructor(seed: number, parts: RunParts, teacher: Teacher) {
    this.#seed = seed;
    this.#parts = parts;
    this.#teacher = teacher;
  }

  /** Whole demonstrations of together at least `tokens` tokens. */
  take(tokens: number): readonly LabelledSequence[] {
    const taken: LabelledSequence[] = [];
    for (let sum = 0; sum < tokens;) {
      const sequences = this.#demonstrate(this.#next++);
      taken.push(...sequences);
      sum += sequences.reduce((all, sequence) => all + sequence.tokens.length, 0);
    }
    return taken;
  }

  #demonstrate(index: number): readonly LabelledSequence[] {
    const { train, tokenizer } = this.#parts;
    const random = new Random(deriveKey(this.#seed, "demonstration", index));
    const task = train.at(train.size === Infinity ? index : random.integer(0, train.size));
    const text = this.#teacher.read?.(task, random);
    if (text !== undefined) return [{ tokens: tokenizer.encode(text), lossFrom: 1 }];
    return labelDemonstration(tokenizer, task.prompt, this.#teacher.demonstrate(task, random));
  }
}

async function cacheKey(config: RunConfig, source: string, parts: RunParts): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["config.json", ...tokenizerFiles(source)]) hash.update(await readFile(join(source, file)));
  const { environment, engine } = parts;
  // Settings are plain data.
  const settings = {
    ...environmentKey(environment),
    distill: config.distill,
    seed: config.seed,
    kernels: engine.kernelSet,
  } as unknown as JsonObject;
  return hash.update(JSON.stringify(settings)).digest("hex").slice(0, 16);
}

/** Code and settings of an environment, and of those that it is made of. */
function environmentKey({ bundle, config, parts }: EnvironmentParcel): object {
  const inner = Object.entries(parts ?? {}).map(([domain, part]) => [domain, environmentKey(part)]);
  return { environment: bundle.hash, config, ...(parts ? { parts: Object.fromEntries(inner) } : {}) };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
