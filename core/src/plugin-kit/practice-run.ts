import { runConfigSchema } from "../config/run-config.js";
import { selectionFrom } from "../environments/selection-from.js";
import { checkPatch, checkWrites } from "../hooks/hook-results.js";
import { withinDeadline } from "../hooks/hook-deadline.js";
import { mergeAnnotations, runHook, versionsOf, type HookCall } from "../hooks/hook-runner.js";
import { Method, rewardedGroups, type StepMoment } from "../hooks/method.js";
import type { LoadedPlugin } from "../hooks/plugin-loader.js";
import type { Prompt, SamplingPlan } from "../hooks/prompt.js";
import type { Cohort, Group, Sample } from "../records/group.js";
import type { StepPlan } from "../records/step-plan.js";
import type { StepReport } from "../records/step-report.js";
import type { Task } from "../records/task.js";
import { basePlan, lossSpec, samplingOf } from "../run-plan.js";
import { countWords, practiceSample, practiceTask } from "./practice-cohort.js";

const CONFIG = runConfigSchema.parse({
  name: "practice",
  policy: { from: "." },
  environment: { use: "practice" },
  train: { steps: 3, promptsPerStep: 3, groupSize: 4 },
  rollout: { maxTokens: 64 },
});

/** What a hook answered, in the order of the calls. */
export interface PracticeEntry {
  readonly step: number;
  readonly hook: string;
  readonly answer: unknown;
}

/** How to play: every variation must give the same answers. */
export interface PracticeOptions {
  readonly seed: number;
  readonly deadlineMs: number;
  /** Between two steps: the plugins again from their own text, or their states through JSON. */
  readonly between?: (method: Method) => Method;
}

/**
 * Takes plugins through three whole steps of a made-up run, without policy or actors: plan, select, format, sampling,
 * annotate, reward, keep, advantage, loss, observe. All that hooks are handed is frozen.
 *
 * @throws what a hook throws, and HOOK_DEADLINE, HOOK_RESULT_NOT_VALID, PLUGIN_STATE_FAILED
 */
export function practise(plugins: readonly LoadedPlugin[], options: PracticeOptions): readonly PracticeEntry[] {
  const entries: PracticeEntry[] = [];
  const { seed, deadlineMs, between = (method) => method } = options;
  const onEvent = (_plugin: string, step: number, answer: string): void => {
    entries.push({ step, hook: "event", answer });
  };
  let method = new Method({ seed, plugins, states: {}, onEvent, hookDeadlineMs: deadlineMs });
  let last: StepReport | undefined;
  for (let step = 1; step <= CONFIG.train.steps; step++) {
    if (step > 1) method = between(method);
    const note = (hook: string, answer: unknown): void => void entries.push({ step, hook, answer });
    last = practiseStep(method, seed, deadlineMs, step, last, note);
  }
  return entries;
}

function practiseStep(
  method: Method,
  seed: number,
  deadlineMs: number,
  step: number,
  last: StepReport | undefined,
  note: (hook: string, answer: unknown) => void,
): StepReport {
  const moment: StepMoment = { step, progress: (step - 1) / CONFIG.train.steps };
  const plan = frozen(method.plan(moment, frozen(basePlan(CONFIG, moment)), last && frozen(last)));
  note("plan", plan);
  const { promptsPerStep: count } = CONFIG.train;
  const chosen = method.select(
    moment,
    plan,
    selectionFrom({ size: 100, at: (index) => frozen(practiceTask(index)) }, count),
  );
  note("select", chosen);
  const indices = chosen ?? Array.from({ length: count }, (_, index) => step * 10 + index);
  const groups = indices.map((index, group): Group => {
    const task = frozen(practiceTask(index));
    const samples = Array.from({ length: CONFIG.train.groupSize }, (_, slot) =>
      withinDeadline(deadlineMs, () => practiseSample(method, seed, { step, group, slot }, task, plan, note)),
    );
    return { id: `${step}/${group}`, task, samples };
  });
  const cohort: Cohort = frozen({ step, plan, groups });
  const shaped = method.reward(moment, cohort);
  note("reward", shaped);
  const rewarded = frozen(rewardedGroups(cohort.groups, shaped.rewards_N));
  const decisions = rewarded.map((group) => method.keep(moment, plan, group));
  note("keep", decisions);
  const kept = rewarded.filter((_, index) => decisions[index] === "keep");
  const advantages = method.advantages(moment, plan, kept);
  note("advantage", advantages);
  const loss = method.loss(moment, plan, frozen(lossSpec(CONFIG, plan)), kept);
  note("loss", { ...loss, tokenWeights: [...loss.tokenWeights] });
  const report: StepReport = frozen({
    step,
    stage: plan.stage,
    version: step,
    trainTokens: step * 500,
    metrics: { "reward/mean": 0.5, "verdict/pass": 0.5, "len/mean": 12, "think/rate": 0.75, "len/truncated": 0.25 },
  });
  const added = method.observe(moment, report, cohort);
  note("observe", added);
  return { ...report, metrics: { ...report.metrics, ...added } };
}

function practiseSample(
  method: Method,
  seed: number,
  at: { readonly step: number; readonly group: number; readonly slot: number },
  task: Task,
  plan: StepPlan,
  note: (hook: string, answer: unknown) => void,
): Sample {
  const call: HookCall = {
    seed,
    step: at.step,
    about: `task "${task.id}" slot ${at.slot}`,
    context: () => ({ plan, phase: "train", mode: "default", slot: at.slot, countTokens: countWords }),
  };
  let prompt: Prompt = { messages: task.prompt, assistantPrefix: "<|assistant|>\n<think>\n", annotations: {} };
  let sampling: SamplingPlan = samplingOf(plan);
  for (const loaded of method.plugins) {
    const formatted = runHook(loaded, "format", call, [frozen({ ...prompt, annotations: {} }), task]);
    checkPatch(loaded, "format", at.step, formatted);
    checkWrites(loaded, at.step, formatted);
    const { annotations, ...changes } = formatted ?? {};
    const merged = mergeAnnotations(loaded, "format", at.step, prompt.annotations, annotations);
    prompt = { ...prompt, ...changes, annotations: merged };
    const sampled = runHook(loaded, "sampling", call, [frozen(sampling), task]);
    checkPatch(loaded, "sampling", at.step, sampled);
    sampling = { ...sampling, ...sampled };
  }
  note("format", prompt);
  note("sampling", sampling);
  const sample = practiceSample(at, task, { prompt, sampling }, plan, versionsOf(method.plugins));
  let { annotations } = sample.trajectory;
  for (const loaded of method.plugins) {
    const found = runHook(loaded, "annotate", call, [frozen({ ...sample.trajectory, annotations }), task]);
    annotations = mergeAnnotations(loaded, "annotate", at.step, annotations, found);
  }
  note("annotate", annotations);
  return { ...sample, trajectory: { ...sample.trajectory, annotations } };
}

/** Freezes plain data through and through; typed arrays cannot be frozen. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) frozen(part);
  return value;
}
