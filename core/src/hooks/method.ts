import { errors } from "../errors.js";
import { groupAdvantages } from "../numerics/advantages.js";
import type { Cohort, Group } from "../records/group.js";
import { samplesOf } from "../records/group.js";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { LossSpec } from "../records/loss-spec.js";
import type { StepPlan } from "../records/step-plan.js";
import type { StepReport } from "../records/step-report.js";
import { responseLength, type Trajectory } from "../records/trajectory.js";
import { checkDecision, checkMetrics, checkPatch } from "./hook-results.js";
import { withinDeadline } from "./hook-deadline.js";
import { checkNumbers, runHook, versionsOf, withState, type HookCall } from "./hook-runner.js";
import type { HookName, KeepDecision, LossPlan, RewardedGroup, Selection } from "./hooks.js";
import { notPlain } from "./plain-state.js";
import { planLoaded } from "./planner.js";
import { parcelOf, type LoadedPlugin, type PluginParcel } from "./plugin-loader.js";
import { isInWindow } from "./step-window.js";

/** Rewards of a cohort after every `reward` hook, with what each plugin added. */
export interface ShapedRewards {
  readonly rewards_N: readonly number[];
  /** "verdict" and plugin names → that link's share of each reward, shape [N]. */
  readonly components: Readonly<Record<string, readonly number[]>>;
}

/** Where a step stands, for the hooks' contexts. */
export interface StepMoment {
  readonly step: number;
  readonly progress: number;
}

/** States of plugins as plain data, by name, with the errors of those that could not save theirs. */
export interface SavedStates {
  readonly states: JsonObject;
  readonly failed: ReadonlyMap<string, unknown>;
}

/** What a method is made of. */
export interface MethodOptions {
  readonly seed: number;
  readonly plugins: readonly LoadedPlugin[];
  /** Plugin name → its state as a checkpoint holds it. */
  readonly states: JsonObject;
  readonly onEvent: (plugin: string, step: number, message: string) => void;
  /** How long one call of hooks may take; see `withinDeadline`. */
  readonly hookDeadlineMs: number;
}

/**
 * The configured plugins as one method: runs every driver-side hook in order and owns the plugins' states. Rollout and
 * verifier actors run the other hooks from the same parcels. It is one file because each hook is a few lines over the same
 * plugins and states.
 */
export class Method {
  readonly #options: MethodOptions;
  readonly #plugins: readonly LoadedPlugin[];
  readonly #states = new Map<string, unknown>();

  /** @throws PLUGIN_DUPLICATE, PLUGIN_CONFLICT, PLUGIN_READ_UNWRITTEN, PLUGIN_STATE_FAILED */
  constructor(options: MethodOptions) {
    const { plugins, states } = options;
    this.#options = options;
    this.#plugins = plugins;
    planLoaded(plugins);
    for (const loaded of plugins) {
      const { plugin, config } = loaded;
      // A copy: plugins change their state in place, and the caller may go back to what it handed in.
      const previous = structuredClone(states[plugin.name]);
      const make = (): unknown => withState(loaded, "make", () => plugin.init?.(config, previous));
      this.#states.set(plugin.name, this.#guarded(make));
    }
  }

  get plugins(): readonly LoadedPlugin[] {
    return this.#plugins;
  }

  /** What other threads need to run the same plugins. */
  get parcels(): readonly PluginParcel[] {
    return this.#plugins.map(parcelOf);
  }

  get versions(): Readonly<Record<string, string>> {
    return versionsOf(this.#plugins);
  }

  /** Every plugin's state as plain data, for a checkpoint. @throws PLUGIN_STATE_FAILED, HOOK_DEADLINE */
  states(): JsonObject {
    const { states, failed } = this.savedStates();
    for (const error of failed.values()) throw error;
    return states;
  }

  /** As `states`, of all plugins that can save theirs; with the others' errors by name. */
  savedStates(): SavedStates {
    return this.#saved(() => {});
  }

  /** The method with other plugins, which take over the states of those with their names. This one stays as it is. */
  with(plugins: readonly LoadedPlugin[], states: JsonObject = this.states()): Method {
    return new Method({ ...this.#options, plugins, states });
  }

  /**
   * As `with`, in one call of hooks with saving the states; `over` goes over them. Also gives what was saved; where a
   * plugin could not save its state there is no method.
   */
  replaced(
    plugins: readonly LoadedPlugin[],
    over: JsonObject = {},
  ): SavedStates & { readonly method: Method | undefined } {
    const made: { method?: Method } = {};
    const saved = this.#saved((states) => {
      made.method = this.with(plugins, { ...states, ...over });
    });
    return { ...saved, method: made.method };
  }

  /** @throws HOOK_RESULT_NOT_VALID */
  plan(moment: StepMoment, base: StepPlan, last: StepReport | undefined): StepPlan {
    let plan = base;
    for (const loaded of this.#active(moment)) {
      const changes = this.#run(loaded, "plan", this.#call(moment, plan, "the step's plan"), [plan, last]);
      checkPatch(loaded, "plan", moment.step, changes);
      if (changes) plan = { ...plan, ...changes, parameters: { ...plan.parameters, ...changes.parameters } };
    }
    return plan;
  }

  /** Indices that a plugin selected, or undefined when none did. @throws HOOK_RESULT_NOT_VALID */
  select(moment: StepMoment, plan: StepPlan, selection: Selection): readonly number[] | undefined {
    for (const loaded of this.#active(moment)) {
      const indices = this.#run(loaded, "select", this.#call(moment, plan, "the selection"), [selection]);
      if (!indices) continue;
      checkNumbers(loaded, "select", moment.step, indices, selection.count, (i) => `#${i}`);
      const outside = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= selection.size);
      if (outside !== undefined)
        throw errors.hookResultNotValid({
          plugin: loaded.plugin.name,
          version: loaded.plugin.version,
          hook: "select",
          step: moment.step,
          problem: `index ${outside} is not in [0, ${selection.size})`,
        });
      return indices;
    }
    return undefined;
  }

  reward(moment: StepMoment, cohort: Cohort): ShapedRewards {
    const samples = samplesOf(cohort);
    let rewards_N: readonly number[] = samples.map(({ verdict }) => verdict.score ?? 0);
    const components: Record<string, readonly number[]> = { verdict: rewards_N };
    for (const loaded of this.#active(moment)) {
      const shaped = this.#run(loaded, "reward", this.#call(moment, cohort.plan, "the cohort"), [cohort, rewards_N]);
      if (!shaped) continue;
      checkNumbers(loaded, "reward", moment.step, shaped, samples.length, (i) => samples[i]?.trajectory.id ?? "");
      const before = rewards_N;
      components[loaded.plugin.name] = shaped.map((reward, i) => reward - (before[i] ?? 0));
      rewards_N = shaped;
    }
    return { rewards_N, components };
  }

  /** @throws HOOK_RESULT_NOT_VALID */
  keep(moment: StepMoment, plan: StepPlan, group: RewardedGroup): KeepDecision {
    let decision: KeepDecision = "keep";
    for (const loaded of this.#active(moment)) {
      const so: KeepDecision = decision;
      const call = this.#call(moment, plan, `group "${group.group.id}"`);
      const next: KeepDecision | undefined = this.#run(loaded, "keep", call, [group, so]);
      checkDecision(loaded, moment.step, group.group.id, next);
      decision = next ?? so;
    }
    return decision;
  }

  /** One advantage per sample, or one per response token; group-normalised unless a plugin has another. */
  advantages(moment: StepMoment, plan: StepPlan, groups: readonly RewardedGroup[]): readonly (number | Float32Array)[] {
    const samples = groups.flatMap(({ group }) => group.samples);
    for (const loaded of this.#active(moment)) {
      const advantages = this.#run(loaded, "advantage", this.#call(moment, plan, "the kept groups"), [groups]);
      if (!advantages) continue;
      checkNumbers(
        loaded,
        "advantage",
        moment.step,
        advantages.map(finiteOf),
        samples.length,
        (i) => samples[i]?.trajectory.id ?? "",
      );
      const wrong = advantages.findIndex(
        (value, i) => typeof value !== "number" && value.length !== responseLength(samples[i]!.trajectory),
      );
      if (wrong >= 0)
        throw errors.hookResultNotValid({
          plugin: loaded.plugin.name,
          version: loaded.plugin.version,
          hook: "advantage",
          step: moment.step,
          problem: `sample "${samples[wrong]!.trajectory.id}" got another number of values than it has response tokens`,
        });
      return advantages;
    }
    return groups.flatMap(({ rewards_G }) => groupAdvantages(rewards_G));
  }

  /** @throws HOOK_RESULT_NOT_VALID */
  loss(moment: StepMoment, plan: StepPlan, spec: LossSpec, groups: readonly RewardedGroup[]): LossPlan {
    const samples = groups.flatMap(({ group }) => group.samples);
    let loss: LossPlan = { spec, tokenWeights: new Map(), auxiliaryTexts: [] };
    for (const loaded of this.#active(moment)) {
      loss = { ...loss, ...this.#run(loaded, "loss", this.#call(moment, plan, "the update"), [loss, groups]) };
      const wrong = samples.find(({ trajectory }) => !areFinite(loss.tokenWeights.get(trajectory.id), trajectory));
      if (wrong) {
        const { id } = wrong.trajectory;
        throw errors.hookResultNotValid({
          plugin: loaded.plugin.name,
          version: loaded.plugin.version,
          hook: "loss",
          step: moment.step,
          problem: `the token weights of sample "${id}" are not one finite number for each of its ${responseLength(wrong.trajectory)} response tokens`,
        });
      }
    }
    return loss;
  }

  /** What every plugin adds to the report's metrics. @throws HOOK_RESULT_NOT_VALID */
  observe(moment: StepMoment, report: StepReport, cohort: Cohort): Readonly<Record<string, number>> {
    let added: Readonly<Record<string, number>> = {};
    for (const loaded of this.#active(moment)) {
      const metrics = this.#run(loaded, "observe", this.#call(moment, cohort.plan, "the report"), [report, cohort]);
      checkMetrics(loaded, moment.step, metrics, { ...report.metrics, ...added });
      added = { ...added, ...metrics };
    }
    return added;
  }

  #active({ step }: StepMoment): readonly LoadedPlugin[] {
    return this.#plugins.filter(({ steps }) => isInWindow(steps, step));
  }

  #run<Name extends HookName>(
    loaded: LoadedPlugin,
    name: Name,
    call: HookCall,
    rest: Parameters<typeof runHook<Name>>[3],
  ): ReturnType<typeof runHook<Name>> {
    return loaded.plugin.hooks[name] ? this.#guarded(() => runHook(loaded, name, call, rest)) : undefined;
  }

  #guarded<Result>(work: () => Result): Result {
    return withinDeadline(this.#options.hookDeadlineMs, work);
  }

  #call(moment: StepMoment, plan: StepPlan, about: string): HookCall {
    return {
      seed: this.#options.seed,
      step: moment.step,
      about,
      context: ({ plugin }) => ({
        plan,
        progress: moment.progress,
        state: this.#states.get(plugin.name),
        event: (message: string) => this.#options.onEvent(plugin.name, moment.step, message),
      }),
    };
  }

  /**
   * Saves every state and does what comes after it, if none failed, in one call of hooks: each call waits for a thread of
   * its own, and that one for a core. A plugin that takes too long is the first of its call, or it is asked once more.
   */
  #saved(after: (states: JsonObject) => void): SavedStates {
    const states: Record<string, JsonValue> = {};
    const failed = new Map<string, unknown>();
    const left = [...this.#plugins];
    const work = (): void => {
      for (let loaded = left[0]; loaded; left.shift(), loaded = left[0]) {
        try {
          states[loaded.plugin.name] = this.#stateOf(loaded);
        } catch (error) {
          failed.set(loaded.plugin.name, error);
        }
      }
      if (failed.size === 0) after(states);
    };
    for (;;) {
      const first = left[0];
      try {
        this.#guarded(work);
        return { states, failed };
      } catch (error) {
        const late = left[0];
        if (!late) throw error;
        if (late !== first) continue;
        failed.set(late.plugin.name, error);
        left.shift();
      }
    }
  }

  #stateOf(loaded: LoadedPlugin): JsonValue {
    const { plugin } = loaded;
    const state = this.#states.get(plugin.name);
    const saved = withState(loaded, "save", () => {
      const value: unknown = plugin.dispose ? plugin.dispose(state) : state;
      return { value, text: JSON.stringify(value) ?? "null" };
    });
    const problem = saved.value === undefined ? undefined : notPlain(saved.value);
    if (problem !== undefined) {
      const { name, version } = plugin;
      throw errors.pluginStateFailed({ plugin: name, version, action: "save", problem, place: "" });
    }
    // Plain data, as was just found.
    return JSON.parse(saved.text) as JsonValue;
  }
}

/** Whether weights suit the response; one too many would weigh a token of the next sequence. */
function areFinite(weights: Float32Array | undefined, trajectory: Trajectory): boolean {
  return weights === undefined || (weights.length === responseLength(trajectory) && weights.every(Number.isFinite));
}

function finiteOf(value: number | Float32Array): number {
  return typeof value === "number" ? value : value.reduce((sum, v) => sum + v, 0);
}

/** A group with its part of a cohort's rewards. */
export function rewardedGroups(groups: readonly Group[], rewards_N: readonly number[]): readonly RewardedGroup[] {
  let next = 0;
  return groups.map((group) => ({ group, rewards_G: rewards_N.slice(next, (next += group.samples.length)) }));
}
