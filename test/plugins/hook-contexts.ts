import type { Plugin } from "../../core/src/hooks/plugin.js";
import type { DriverContext, RolloutContext } from "../../core/src/hooks/plugin-context.js";
import { deriveKey, Random } from "../../core/src/numerics/random.js";
import type { Cohort, Group } from "../../core/src/records/group.js";
import type { StepPlan } from "../../core/src/records/step-plan.js";
import { ORIGIN, type Trajectory } from "../../core/src/records/trajectory.js";
import type { VerdictKind } from "../../core/src/records/verdict.js";

/** A step's plan before any hook. */
export const PLAN: StepPlan = {
  stage: "run",
  maxTokens: 64,
  promptsPerStep: 4,
  groupSize: 8,
  maxRounds: 4,
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  learningRate: 1e-6,
  updatesPerBatch: 1,
  resetOptimizer: false,
  parameters: {},
};

/** A plugin with parsed settings and fresh state, and contexts for its hooks as the runtime makes them. */
export function stage<Config, State>(plugin: Plugin<Config, State>, settings: unknown) {
  const config = plugin.config.parse(settings);
  const state = plugin.init?.(config, undefined) as State; // plugins without `init` have no state
  const events: string[] = [];
  const common = (step: number, plan: StepPlan) => ({
    plugin: plugin.name,
    config,
    step,
    plan,
    random: new Random(deriveKey(1, step, plugin.name)),
  });
  return {
    config,
    state,
    events,
    hooks: plugin.hooks,
    driver: ({ step = 0, progress = 0, plan = PLAN } = {}): DriverContext<Config, State> => ({
      ...common(step, plan),
      state,
      progress,
      event: (message) => events.push(message),
    }),
    worker: ({
      step = 0,
      plan = PLAN,
      phase = "train",
      mode = "default",
    }: Partial<RolloutContext<Config>> = {}): RolloutContext<Config> => ({
      ...common(step, plan),
      phase,
      mode,
      slot: 0,
      countTokens: (text) => text.length,
    }),
  };
}

/** What a test says about one sample; the rest is filled in. */
export interface SampleSketch {
  readonly prefix?: string;
  readonly response?: string;
  /** Response tokens. */
  readonly length?: number;
  readonly verdict?: VerdictKind;
  readonly annotations?: Trajectory["annotations"];
}

/** A group of verified samples. */
export function makeGroup(id: string, sketches: readonly SampleSketch[], meta: Group["task"]["meta"] = {}): Group {
  const task = {
    id: `task-${id}`,
    domain: "arithmetic",
    prompt: [{ role: "user" as const, content: "Q" }],
    reference: "4",
    meta,
  };
  return {
    id,
    task,
    samples: sketches.map((sketch, slot) => {
      const kind = sketch.verdict ?? "fail";
      return {
        trajectory: makeTrajectory(`${id}/${slot}`, task.id, slot, sketch),
        verdict: { kind, score: kind === "pass" ? 1 : 0, reason: "test", verifier: "test", version: "1", ms: 0 },
      };
    }),
  };
}

/** A cohort of the groups under a plan. */
export function makeCohort(groups: readonly Group[], plan: StepPlan = PLAN): Cohort {
  return { step: 0, plan, groups };
}

/** A trajectory of three prompt tokens and `length` sampled ones. */
export function makeTrajectory(id: string, taskId: string, slot: number, sketch: SampleSketch): Trajectory {
  const { prefix = "<think>\n", response = "", length = 5, annotations = {} } = sketch;
  const size = 3 + length;
  return {
    id,
    taskId,
    groupId: id,
    slot,
    mode: "default",
    tokens: new Int32Array(size),
    origins: Uint8Array.from({ length: size }, (_, t) => (t < 3 ? ORIGIN.prompt : ORIGIN.sampled)),
    logprobs: new Float32Array(size),
    entropies: new Float32Array(size),
    turns: [
      { role: "prompt", start: 0, end: 3 },
      { role: "policy", start: 3, end: size },
    ],
    versions: [],
    stopReason: "stop",
    seed: "0000000000000000",
    temperature: 1,
    maxTokens: 64,
    assistantPrefix: prefix,
    promptText: `Q${prefix}`,
    responseText: response,
    plugins: {},
    annotations,
  };
}
