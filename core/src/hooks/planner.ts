import { errors } from "../errors.js";
import { HOOKS, type HookName } from "./hooks.js";
import type { Plugin } from "./plugin.js";

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
}

/**
 * Orders all hooks as a step will call them and refuses combinations that cannot work: two plugins that write one
 * exclusive field, a read that nobody writes, a name used twice.
 *
 * @throws PLUGIN_DUPLICATE, PLUGIN_CONFLICT, PLUGIN_READ_UNWRITTEN
 */
export function planHooks(plugins: readonly Plugin[]): readonly PlannedHook[] {
  const names = plugins.map((plugin) => plugin.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw errors.pluginDuplicate({ plugin: twice });
  // Object.keys widens the table's keys to strings.
  const order = Object.keys(HOOKS) as HookName[];
  const planned = order.flatMap((hook) =>
    plugins.flatMap((plugin) => {
      const entry = plugin.hooks[hook];
      return entry ? [{ hook, plugin: plugin.name, reads: entry.reads ?? [], writes: entry.writes ?? [] }] : [];
    }),
  );
  for (const field of EXCLUSIVE) {
    const writers = [...new Set(planned.filter((line) => line.writes.includes(field)).map((line) => line.plugin))];
    if (writers.length > 1) throw errors.pluginConflict({ field, plugins: writers });
  }
  const written = [...PROVIDED, ...planned.flatMap((line) => line.writes)];
  for (const line of planned) {
    const missing = line.reads.find((field) => !written.some((other) => covers(other, field)));
    if (missing) throw errors.pluginReadUnwritten({ plugin: line.plugin, hook: line.hook, field: missing });
  }
  return planned;
}

function covers(written: string, field: string): boolean {
  return written.endsWith(".*") ? field.startsWith(written.slice(0, -1)) : written === field;
}
