import type { Random } from "../numerics/random.js";
import type { StepPlan } from "../records/step-plan.js";

/** All a hook can see of the run. Chance comes from `random` alone: its key is (run, step, plugin, hook, subject). */
export interface HookContext<Config> {
  readonly plugin: string;
  readonly config: Config;
  readonly step: number;
  /** The step's plan; in a `plan` hook, the plan of this step so far. */
  readonly plan: StepPlan;
  readonly random: Random;
}

/** Context of the hooks that run on the driver thread, where plugin state lives. */
export interface DriverContext<Config, State> extends HookContext<Config> {
  /** The plugin's own state; change it in place. Saved with every checkpoint, so it is plain data. */
  readonly state: State;
  /** How far the run is, in [0, 1], by tokens or steps, whichever ends it first. */
  readonly progress: number;
  /** Records an event; it is printed, journaled and marked on the curves. */
  event(message: string): void;
}

/** Context of the hooks that run where trajectories are made and verified. */
export interface RolloutContext<Config> extends HookContext<Config> {
  readonly phase: "train" | "eval";
  /** "default", or the evaluation mode of a plugin. */
  readonly mode: string;
  /** Index within the group. */
  readonly slot: number;
  /** Tokens of a text, special tokens recognised: for lengths, never to rebuild ids. */
  countTokens(text: string): number;
}
