import { basename, dirname, relative, resolve } from "node:path";
import { parse, stringify } from "yaml";
import type { JsonObject } from "../../src/records/json.js";
import type { RecognisedData } from "../../src/environments/environment.js";
import { count } from "../render/quantities.js";
import type { Candidate, ChosenPreset } from "./choose-preset.js";

/** A file of tasks with what an environment makes of it. */
export interface ChosenData {
  readonly environment: string;
  readonly found: RecognisedData;
}

/** What a written config is made from. */
export interface ConfigParts {
  /** As it was asked for. */
  readonly method: string;
  /** Its name or path. */
  readonly plugin: string;
  readonly command: string;
  /** Absent for a plugin without presets. */
  readonly preset: ChosenPreset | undefined;
  readonly model: Candidate;
  readonly hasWeights: boolean;
  readonly data: readonly ChosenData[];
  /** Of tasks that need no file. */
  readonly environment: string | undefined;
  readonly device: "cpu" | "cuda";
  /** Where the config will lie. */
  readonly out: string;
}

/** The text of a run's config: preset, model and tasks, each line with the reason for it. */
export function composeConfig(parts: ConfigParts): string {
  const { method, plugin, command, preset, model, hasWeights, device, out } = parts;
  const folder = dirname(resolve(out));
  const { shape, parameters } = model;
  const name = `${method}-${basename(resolve(model.directory))}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const weights = hasWeights ? "" : "; it has no weights, so they are drawn from the seed";
  return [
    `# Written by: ${command}`,
    ...headOf(parts),
    "# Every setting, and where its value comes from: troupe config print FILE --origin",
    `name: ${name.replace(/-+$/, "")}`,
    ...(preset ? [`extends: ${preset.preset.name}`] : [`plugins: [${plugin}]`]),
    "policy:",
    `  # ${model.architecture}, ${shape.layers} layers, width ${shape.hiddenSize}, ${count(parameters)} parameters, ${shape.maxPositions} positions${weights}`,
    `  from: ${pathFrom(folder, model.directory)}`,
    ...(device === "cuda"
      ? ["  device: cuda", "  dtype: bf16", "train:", "  recompute: layers # a third more time, far less memory"]
      : ["  # device: cuda, where there is an NVIDIA GPU and the engine was built for it"]),
    ...environmentLines(parts, folder),
    ...(preset ? settingsToChange(preset) : []),
    "",
  ].join("\n");
}

function headOf({ method, preset, model }: ConfigParts): readonly string[] {
  if (!preset) return [`# Plugin ${method} has no presets: what is not said here is the run's default.`];
  const { name, about } = preset.preset;
  const fit = preset.isExact
    ? `made for ${preset.model.name}, whose shape this model has`
    : `made for ${preset.model.name}; no preset is for this model of ${count(model.parameters)} parameters, and this one is nearest`;
  return [`# Preset ${name} (${about.source}): ${about.description}.`, `# It was ${fit}.`];
}

function environmentLines({ data, environment }: ConfigParts, folder: string): readonly string[] {
  if (environment !== undefined) return ["environment:", `  use: ${environment}`];
  const one = (chosen: ChosenData, depth: string): readonly string[] => {
    const { columns, looked, usable, settings } = chosen.found;
    const mapped = Object.entries(columns).map(([role, column]) => `${role} from column "${column}"`);
    const written = stringify({ with: withPath(settings, folder) }).trimEnd();
    return [
      `${depth}use: ${chosen.environment}`,
      `${depth}# ${mapped.join(", ")}: ${usable} of the first ${looked} rows can be used`,
      ...written.split("\n").map((line) => depth + line),
    ];
  };
  const [first] = data;
  if (first && data.length === 1) return ["environment:", ...one(first, "  ")];
  return [
    "environment:",
    "  use: mixed",
    "  with:",
    ...data.flatMap((chosen) => [`    ${chosen.environment}:`, ...one(chosen, "      ")]),
  ];
}

function withPath(settings: JsonObject, folder: string): unknown {
  const { data } = settings;
  if (typeof data !== "object" || data === null || Array.isArray(data)) return settings;
  // JSON's other forms were just ruled out.
  const { path, ...rest } = data as JsonObject;
  return { ...settings, data: { path: parse(pathFrom(folder, String(path))), ...rest } };
}

/** What people change first, with the preset's values. */
function settingsToChange({ preset }: ChosenPreset): readonly string[] {
  const shown = ["train", "rollout", "eval"].flatMap((key) => {
    const value = preset.settings[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return [
    "# The preset's own values; take the # away to change one.",
    ...stringify(Object.fromEntries(shown))
      .trimEnd()
      .split("\n")
      .map((line) => `# ${line}`),
  ];
}

/** A path as the config in a folder names it, quoted where YAML wants it. */
function pathFrom(folder: string, path: string): string {
  const from = relative(folder, resolve(path));
  const short = from.startsWith("../../..") ? resolve(path) : from.startsWith(".") ? from : `./${from}`;
  return stringify(short).trimEnd();
}
