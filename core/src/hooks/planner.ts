import { errors } from "../errors.js";
import { HOOKS, type HookName } from "./hooks.js";
import type { Plugin } from "./plugin.js";
import { sharedSteps, type StepWindow } from "./step-window.js";

/** Fields that the runtime itself provides to every hook. */
const PROVIDED = [
  "task",
  "verdict",
  "length",
  "trajectory",
  "report",
  "reward",
  "keep",
  "advantage",
  "plan.*",
  "prompt.*",
  "sampling.*",
  "loss.*",
];

/** Fields and decisions that only one plugin may make: two would silently undo each other. */
const EXCLUSIVE = [
  "prompt.assistantPrefix",
  "prompt.forcedPrefix",
  // Who decides whether a rollout thinks.
  "prompt.mode",
  // Who tells the policy how long to answer.
  "prompt.lengthTarget",
  "select",
  // Rewards made anew from verdicts: a second one would undo the first. Those that add to rewards write "reward" alone.
  "reward.base",
  "advantage",
  "plan.stage",
];

/** One line of a planned pipeline. */
export interface PlannedHook {
  readonly hook: HookName;
  readonly plugin: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Absent when the plugin is part of every step. */
  readonly steps?: StepWindow;
}

/**
 * Orders all hooks as a step will call them and refuses combinations that cannot work: two plugins that write one
 * exclusive field in one step, a read that nobody writes, a name used twice.
 *
 * @param windows steps of each plugin, in their order; absent is every step
 * @throws PLUGIN_DUPLICATE, PLUGIN_CONFLICT, PLUGIN_READ_UNWRITTEN
 */
export function planHooks(
  plugins: readonly Plugin[],
  windows: readonly (StepWindow | undefined)[] = [],
): readonly PlannedHook[] {
  const names = plugins.map((plugin) => plugin.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw errors.pluginDuplicate({ plugin: twice });
  // Object.keys widens the table's keys to strings.
  const order = Object.keys(HOOKS) as HookName[];
  const planned = order.flatMap((hook) =>
    plugins.flatMap((plugin, index) => {
      const entry = plugin.hooks[hook];
      const steps = windows[index];
      return entry
        ? [
            {
              hook,
              plugin: plugin.name,
              reads: entry.reads ?? [],
              writes: entry.writes ?? [],
              ...(steps === undefined ? {} : { steps }),
            },
          ]
        : [];
    }),
  );
  for (const field of EXCLUSIVE) {
    const writers = planned.filter((line) => line.writes.includes(field));
    for (const [index, first] of writers.entries()) {
      for (const second of writers.slice(index + 1)) {
        const shared = first.plugin === second.plugin ? undefined : sharedSteps(first.steps, second.steps);
        if (shared === undefined) continue;
        const isWindowed = first.steps !== undefined || second.steps !== undefined;
        throw errors.pluginConflict({
          field,
          plugins: [first.plugin, second.plugin],
          when: isWindowed ? ` ${shared}` : "",
        });
      }
    }
  }
  const written = [...PROVIDED, ...planned.flatMap((line) => line.writes)];
  for (const line of planned) {
    const missing = line.reads.find((field) => !written.some((other) => covers(other, field)));
    if (missing) throw errors.pluginReadUnwritten({ plugin: line.plugin, hook: line.hook, field: missing });
  }
  return planned;
}

/** `planHooks` of plugins with their steps. */
export function planLoaded(
  plugins: readonly { readonly plugin: Plugin; readonly steps?: StepWindow | undefined }[],
): readonly PlannedHook[] {
  return planHooks(
    plugins.map(({ plugin }) => plugin),
    plugins.map(({ steps }) => steps),
  );
}

function covers(written: string, field: string): boolean {
  return written.endsWith(".*") ? field.startsWith(written.slice(0, -1)) : written === field;
}
