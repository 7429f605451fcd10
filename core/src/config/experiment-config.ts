import { resolve } from "node:path";
import { parse } from "yaml";
import { errors } from "../errors.js";
import { describeProblems } from "./describe-problems.js";
import { loadConfig, type LoadedConfig } from "./load-config.js";
import { readConfigText } from "./read-config-text.js";
import { experimentSchema, runConfigSchema, type RunConfig } from "./run-config.js";

/** A base config with the finished configs of its arms, in the order of the file. */
export interface ExperimentConfig {
  readonly base: RunConfig;
  readonly arms: readonly { readonly name: string; readonly config: RunConfig }[];
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
 * Reads an experiment: every arm is the base with the arm's settings laid over it; lists are replaced, not joined.
 *
 * @throws what `loadConfig` throws; an arm's paths in CONFIG_NOT_VALID begin with `arms.<name>`
 */
export function loadExperiment(file: string, overrides: readonly string[]): LoadedConfig<ExperimentConfig> {
  const loaded = loadConfig(file, overrides, experimentSchema);
  const { base } = loaded.config;
  const arms = Object.entries(loaded.config.arms).map(([name, over]) => {
    const { distill: _, ...shared } = base;
    const parsed = runConfigSchema.safeParse(overlay({ ...shared, name }, over));
    if (!parsed.success) {
      const source = { schema: runConfigSchema, place: loaded.place, under: ["arms", name] };
      throw errors.configNotValid({ problems: describeProblems(parsed.error, source) });
    }
    return { name, config: parsed.data };
  });
  return { ...loaded, config: { base, arms } };
}

function overlay(base: unknown, over: unknown): unknown {
  if (!isPlainObject(base) || !isPlainObject(over)) return over === undefined ? base : over;
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, key in over ? overlay(base[key], over[key]) : base[key]]));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
