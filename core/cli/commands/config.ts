import type { Command } from "commander";
import { stringify } from "yaml";
import { isExperimentFile, loadExperiment } from "../../src/config/experiment-config.js";
import { loadConfig, type LoadedConfig } from "../../src/config/load-config.js";
import { presetNames, readPreset } from "../../src/config/preset.js";
import { runConfigSchema } from "../../src/config/run-config.js";
import { textTable } from "../render/table.js";
import { wholePaths } from "./run.js";

/** `troupe config print FILE`: the resolved config, with `--origin` where each value came from; `troupe config presets`. */
export function define(command: Command, program: Command): void {
  command
    .command("presets")
    .description("list what a config can extend: methods as their papers ran them")
    .action(() => printPresets(program.opts<{ json?: boolean }>().json === true));
  command
    .command("print")
    .description("print every setting with its value")
    .argument("<config>", "YAML or TypeScript file")
    .argument("[settings...]", "settings laid over the file")
    .option("--origin", "say where each value came from")
    .action((file: string, settings: readonly string[], options: { origin?: boolean }) => {
      const loaded = load(file, wholePaths(file, settings));
      if (program.opts<{ json?: boolean }>().json) {
        process.stdout.write(
          `${JSON.stringify({ type: "config", config: loaded.config, origins: Object.fromEntries(loaded.origins) })}\n`,
        );
      } else if (options.origin) {
        const rows = [...loaded.origins].flatMap(([path, origin]) =>
          entriesOf(path, valueAt(loaded.config, path)).map((entry) => ({ ...entry, origin })),
        );
        process.stdout.write(
          `${textTable(rows, [
            { title: "setting", cell: ({ path }) => path },
            { title: "value", cell: ({ value }) => value },
            { title: "from", cell: ({ origin }) => origin },
          ])}\n`,
        );
      } else {
        process.stdout.write(stringify(loaded.config, { aliasDuplicateObjects: false }));
      }
    });
}

/** A setting's lines: one, or one for every leaf of a list of objects, under the path that the command line knows. */
function entriesOf(path: string, value: unknown): readonly { readonly path: string; readonly value: string }[] {
  const isBranch = typeof value === "object" && value !== null;
  const isList = Array.isArray(value);
  if (!isBranch || (isList && !value.some((one) => typeof one === "object" && one !== null)) || isEmpty(value))
    return [{ path, value: JSON.stringify(value) ?? "" }];
  return Object.entries(value).flatMap(([key, inner]) => entriesOf(`${path}.${key}`, inner));
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

/** Every preset of the installed plugins, with the models that it was made for. */
function printPresets(json: boolean): void {
  const rows = presetNames(process.cwd()).map((name) => ({ name, ...readPreset(name, process.cwd()).about }));
  if (json) {
    for (const row of rows) process.stdout.write(`${JSON.stringify({ type: "preset", ...row })}\n`);
    return;
  }
  process.stdout.write(
    `${textTable(rows, [
      { title: "preset", cell: ({ name }) => name },
      { title: "made for", cell: ({ models }) => models.map(({ name }) => name).join(", ") },
      { title: "what it does", cell: ({ description }) => description },
      { title: "source", cell: ({ source }) => source },
    ])}\n`,
  );
}

/** A run's config, or an experiment's as its file has it: arms by name, here with everything that they inherit. */
function load(file: string, settings: readonly string[]): LoadedConfig<object> {
  if (!isExperimentFile(file)) return loadConfig(file, settings, runConfigSchema);
  const loaded = loadExperiment(file, settings);
  const { base, arms } = loaded.config;
  return { ...loaded, config: { base, arms: Object.fromEntries(arms.map(({ name, config }) => [name, config])) } };
}

function valueAt(tree: unknown, path: string): unknown {
  let at = tree;
  // Each step goes one key down; a missing one ends in undefined.
  for (const key of path.split(".")) at = (at as Record<string, unknown> | null | undefined)?.[key];
  return at;
}
