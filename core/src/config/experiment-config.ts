import { resolve } from "node:path";
import { parse } from "yaml";
import type { z } from "zod";
import { errors } from "../errors.js";
import { describeProblems } from "./describe-problems.js";
import { overlay } from "./overlay.js";
import { loadConfig, type LoadedConfig } from "./load-config.js";
import { nearest } from "./nearest.js";
import { readConfigText } from "./read-config-text.js";
import { experimentSchema, runConfigSchema, type RunConfig } from "./run-config.js";

/** A base config with the finished configs of its arms, in the order of the file. */
export interface ExperimentConfig {
  readonly base: RunConfig;
  readonly arms: readonly ArmConfig[];
}

/** One arm's finished config. */
export interface ArmConfig {
  readonly name: string;
  readonly config: RunConfig;
  /** The arm before it whose last weights it begins with; absent begins with the base's. */
  readonly startFrom?: string | undefined;
}

/** Whether a config file describes an experiment: it has `base` and `arms`. */
export function isExperimentFile(file: string): boolean {
  try {
    const tree: unknown = parse(readConfigText(resolve(file)));
    return typeof tree === "object" && tree !== null && "arms" in tree;
  } catch {
    // Whoever loads the file next says what is wrong with it.
    return false;
  }
}

/**
 * Reads an experiment: every arm is the base with the arm's settings laid over it; lists are replaced, not joined, and
 * so is what names another package (`use`).
 *
 * @throws what `loadConfig` throws; an arm's paths in CONFIG_NOT_VALID begin with `arms.<name>`; OVERRIDE_NOT_VALID for a
 *   setting of an arm that the file does not have
 */
export function loadExperiment(file: string, overrides: readonly string[]): LoadedConfig<ExperimentConfig> {
  const loaded = loadConfig(file, overrides, experimentSchema);
  refuseUnknownArms(file, overrides);
  return { ...loaded, config: finishArms(loaded.config, loaded.place) };
}

/** A misspelt arm would be one more arm, and its training time. */
function refuseUnknownArms(file: string, overrides: readonly string[]): void {
  const asked = overrides.flatMap((text) => {
    const name = /^arms\.([^.=]+)/.exec(text)?.[1];
    return name === undefined ? [] : [{ text, name }];
  });
  if (asked.length === 0) return;
  // An experiment's file has arms, an object: it was checked.
  const { arms } = parse(readConfigText(resolve(file))) as { readonly arms: object };
  const known = Object.keys(arms);
  for (const { text, name } of asked) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    const problem = `no arm is named "${name}"${guess === undefined ? "" : `: did you mean "${guess}"?`} (arms: ${known.join(", ")})`;
    throw errors.overrideNotValid({ text, problem });
  }
}

/** Lays each arm's settings over the base's, in the order of the file. */
export function finishArms(
  { base, arms }: z.output<typeof experimentSchema>,
  place: LoadedConfig<unknown>["place"],
): ExperimentConfig {
  const names = Object.keys(arms);
  return {
    base,
    arms: Object.entries(arms).map(([name, { startFrom, ...over }], index) => {
      const { distill: _, ...shared } = base;
      const value = overlay({ ...shared, name }, over);
      const parsed = runConfigSchema.safeParse(value);
      if (!parsed.success) {
        const source = { schema: runConfigSchema, value, place, under: ["arms", name] };
        throw errors.configNotValid({ problems: describeProblems(parsed.error, source) });
      }
      if (startFrom === undefined) return { name, config: parsed.data };
      const earlier = names.slice(0, index);
      if (typeof startFrom === "string" && earlier.includes(startFrom)) return { name, config: parsed.data, startFrom };
      const known = earlier.length === 0 ? "this is the first" : `those are ${earlier.join(", ")}`;
      const problem = `${JSON.stringify(startFrom)} is no arm before this one; ${known}`;
      const path = ["arms", name, "startFrom"];
      throw errors.configNotValid({ problems: [`${place(path)} ${path.join(".")}: ${problem}`] });
    }),
  };
}
