import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LineCounter, parseDocument, type Document } from "yaml";
import { z } from "zod";
import { errors } from "../errors.js";
import { nearest } from "./nearest.js";
import { readConfigText } from "./read-config-text.js";
import { installedModules, resolveModule } from "./resolve-module.js";

const modelSchema = z.strictObject({
  name: z.string().describe("As people call it"),
  architecture: z.string().optional().describe("As config.json has it"),
  hiddenSize: z.int().min(1).optional(),
  layers: z.int().min(1).optional(),
  parameters: z.number().positive().describe("About how many"),
  folder: z
    .string()
    .optional()
    .describe("Part of the folder's name, where another model has the same shape; case does not count"),
});

const aboutSchema = z.strictObject({
  description: z.string(),
  source: z.string().describe("The paper, or ours"),
  method: z.string().optional().describe("What the paper calls it, where the plugin has another name"),
  domains: z.array(z.string()).default([]).describe("Domains of tasks that it needs; none takes any"),
  positions: z.int().min(1).describe("Positions that a model must have"),
  models: z.array(modelSchema).min(1).describe("The models that it was made for"),
});

/** What a preset says of itself. */
export type PresetAbout = z.output<typeof aboutSchema>;

/** Settings that ship with a plugin: a method as its paper ran it on one model. */
export interface Preset {
  /** As a config names it after `extends`: "<plugin>/<preset>". */
  readonly name: string;
  readonly file: string;
  readonly about: PresetAbout;
  /** A part of a run's config. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly document: Document;
  readonly lines: LineCounter;
}

/**
 * Reads the preset that `extends: <plugin>/<preset>` names: `presets/<preset>.yaml` beside the plugin's code.
 *
 * @param baseDirectory where a plugin's relative path starts
 * @throws PRESET_NOT_FOUND with the nearest known name, PRESET_NOT_VALID
 */
export function readPreset(name: string, baseDirectory: string): Preset {
  const slash = name.lastIndexOf("/");
  const plugin = name.slice(0, Math.max(0, slash));
  const file = presetFiles(plugin, baseDirectory).find((path) => nameOf(path) === name.slice(slash + 1));
  if (file === undefined) {
    const own = presetFiles(plugin, baseDirectory).map((path) => `${plugin}/${nameOf(path)}`);
    const known = own.length > 0 ? own : presetNames(baseDirectory);
    throw errors.presetNotFound({ name, guess: nearest(name, known), known });
  }
  const lines = new LineCounter();
  const document = parseDocument(readConfigText(file), { lineCounter: lines, prettyErrors: false });
  const tree: unknown = document.errors[0] ? document.errors[0].message : document.toJS();
  if (typeof tree !== "object" || tree === null || Array.isArray(tree))
    throw errors.presetNotValid({ name, file, problem: typeof tree === "string" ? tree : "it holds no settings" });
  const { about, ...settings } = tree as Readonly<Record<string, unknown>>; // just checked
  const parsed = aboutSchema.safeParse(about);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw errors.presetNotValid({
      name,
      file,
      problem: `${["about", ...(issue?.path ?? [])].join(".")}: ${issue?.message}`,
    });
  }
  return { name, file, about: parsed.data, settings, document, lines };
}

/** Names of every preset of the installed plugins, or of one plugin. */
export function presetNames(baseDirectory: string, plugin?: string): readonly string[] {
  const plugins = plugin === undefined ? installedModules("plugin", baseDirectory) : [plugin];
  return plugins.flatMap((name) => presetFiles(name, baseDirectory).map((file) => `${name}/${nameOf(file)}`));
}

function presetFiles(plugin: string, baseDirectory: string): readonly string[] {
  if (plugin === "") return [];
  let entry: string;
  try {
    entry = resolveModule("plugin", plugin, baseDirectory);
  } catch {
    return [];
  }
  // The code of a package may lie in a folder of its own, below the presets.
  const folder = [dirname(entry), dirname(dirname(entry))].map((one) => join(one, "presets")).find(existsSync);
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .toSorted()
    .map((file) => join(folder, file));
}

function nameOf(file: string): string {
  return basename(file, ".yaml");
}
