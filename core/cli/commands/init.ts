import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Command } from "commander";
import { loadConfigText } from "../../src/config/load-config.js";
import { nearest } from "../../src/config/nearest.js";
import { presetNames, readPreset, type Preset } from "../../src/config/preset.js";
import { installedModules } from "../../src/config/resolve-module.js";
import { runConfigSchema } from "../../src/config/run-config.js";
import { architectureOf, parameterCount, readModelShape } from "../../src/engines/model-shape.js";
import { Tokenizer } from "../../src/engines/tokenizer.js";
import { loadDefinition } from "../../src/environments/environment-loader.js";
import { TroupeError } from "../../src/error-catalogue.js";
import { errors } from "../../src/errors.js";
import { buildPlugin } from "../../src/hooks/plugin-loader.js";
import { writeFileAtomically } from "../../src/store/durable-files.js";
import { hasWeights } from "../../src/store/tensor-folder.js";
import { dryRun } from "../dry-run.js";
import { choosePreset, type Candidate, type ChosenPreset } from "../init/choose-preset.js";
import { composeConfig, type ChosenData } from "../init/compose-config.js";

interface InitFlags {
  readonly method: string;
  readonly model: string;
  readonly data?: readonly string[];
  readonly environment?: string;
  readonly preset?: string;
  readonly device: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** `troupe init`: from a method's name, a model and a file of tasks to a config that runs. */
export function define(command: Command, program: Command): void {
  command
    .requiredOption("--method <name>", "the method: a plugin by name or path, or a paper's name for one")
    .requiredOption("--model <folder>", "model in Hugging Face layout: config.json, tokenizer, safetensors")
    .option("--data <file...>", "problem sets, JSON Lines or Parquet; <environment>=<file> where it is not clear whose")
    .option("--environment <name>", "an environment that makes its own tasks, in place of --data")
    .option("--preset <name>", "preset of the method; the one for the model unless given")
    .option("--device <device>", "cpu or cuda", "cpu")
    .option("--out <file>", "the config that is written; <method>.yaml unless given")
    .option("--force", "write over a file that is there")
    .option("--dry-run", "print the config and its plan: stages, hooks, memory and cost; write and start nothing")
    .addHelpText("after", HELP)
    .action(async (flags: InitFlags) => {
      const out = resolve(flags.out ?? `${basename(flags.method, ".ts")}.yaml`);
      if (!flags.dryRun && !flags.force && existsSync(out)) throw errors.initFileExists({ path: out });
      if (flags.device !== "cpu" && flags.device !== "cuda")
        throw errors.optionNotValid({ option: "--device", found: flags.device, wanted: "cpu or cuda" });
      const { plugin, presets } = await findMethod(flags.method);
      // A preset may be about tasks of one environment alone, such as texts.
      const own = environmentOf(presets.length > 0 ? presets : presetNames(process.cwd(), plugin));
      const data = await Promise.all((flags.data ?? []).map((argument) => recognise(argument, own)));
      if ((data.length === 0) === (flags.environment === undefined))
        throw errors.initTasksMissing({ given: data.length === 0 ? "no tasks" : "both --data and --environment" });
      const domains =
        flags.environment === undefined ? data.map(({ environment }) => environment) : [flags.environment];
      const model = readModel(flags.model, domains);
      const preset = presetFor(flags, plugin, presets, model);
      const text = composeConfig({
        method: flags.method,
        plugin,
        command: commandOf(flags),
        preset,
        model,
        hasWeights: hasWeights(model.directory),
        data,
        environment: flags.environment,
        device: flags.device,
        out,
      });
      const { config } = loadConfigText({ text, name: basename(out), path: out }, [], runConfigSchema);
      const json = program.opts<{ json?: boolean }>().json === true;
      if (flags.dryRun) {
        if (!json) process.stdout.write(`${text}\n`);
        return dryRun({ kind: "run", name: config.name, config, baseDirectory: dirname(out) }, json);
      }
      await writeFileAtomically(out, text);
      process.stdout.write(json ? `${JSON.stringify({ type: "init", path: out, config })}\n` : summaryOf(out, text));
    });
}

const HELP = `
The preset is the one that was made for the model: its architecture, width and layers are compared, and where several
models share a shape, the folder's name. Without one, that of the model nearest in size is taken, and the config says so.
The columns of the data are found by their names and tried on the first rows.

Examples:
  troupe init --method NAME --model models/Qwen3-4B --data polaris.parquet --dry-run
  troupe init --method NAME --model models/my-7b --data math.jsonl code.jsonl --out both.yaml
  troupe init --method ./my-method --model models/my-7b --environment arithmetic`;

/** The plugin of a method, and the presets that are the method's own where the paper has another name for it. */
interface Method {
  readonly plugin: string;
  readonly presets: readonly string[];
}

/** @throws METHOD_UNKNOWN with the nearest known name, and what building the plugin throws */
async function findMethod(method: string): Promise<Method> {
  try {
    await buildPlugin(method, process.cwd());
    return { plugin: method, presets: [] };
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== "MODULE_NOT_FOUND") throw error;
    const named = presetNames(process.cwd()).flatMap((name) => {
      const called = readPreset(name, process.cwd()).about.method;
      return called === undefined ? [] : [{ name, called }];
    });
    const presets = named.filter(({ called }) => called === method.toLowerCase()).map(({ name }) => name);
    if (presets[0] !== undefined) return { plugin: presets[0].slice(0, presets[0].lastIndexOf("/")), presets };
    const known = [
      ...new Set([...installedModules("plugin", process.cwd()), ...named.map(({ called }) => called)]),
    ].toSorted();
    throw errors.methodUnknown({ method, guess: nearest(method, known), known }, error);
  }
}

function readModel(directory: string, domains: readonly string[]): Candidate {
  const problem = existsSync(directory) ? "there is no config.json in it" : "there is no such folder";
  if (!existsSync(resolve(directory, "config.json"))) throw errors.modelFolderUnknown({ directory, problem });
  const shape = readModelShape(directory, Tokenizer.fromDirectory(directory).vocabSize);
  return { directory, domains, shape, architecture: architectureOf(shape), parameters: parameterCount(shape) };
}

/** The environment that all of some presets have their tasks from, where there is one. */
function environmentOf(presets: readonly string[]): string | undefined {
  const names = presets.map((name) => {
    const { environment } = readPreset(name, process.cwd()).settings;
    return typeof environment === "object" && environment !== null && "use" in environment
      ? String(environment.use)
      : undefined;
  });
  const [first] = names;
  return names.every((name) => name === first) ? first : undefined;
}

/** What an environment makes of a file: the one that is named, or the one that most rows suit. */
async function recognise(argument: string, own: string | undefined): Promise<ChosenData> {
  const equals = existsSync(argument) ? -1 : argument.indexOf("=");
  const file = argument.slice(equals + 1);
  if (!existsSync(file)) throw errors.dataMissing({ file });
  const named = equals > 0 ? argument.slice(0, equals) : own;
  const names = named === undefined ? installedModules("environment", process.cwd()) : [named];
  const tried: ChosenData[] = [];
  for (const environment of names) {
    const { definition } = await loadDefinition(environment, process.cwd());
    if (!("recognise" in definition) || !definition.recognise) continue;
    const found = await definition.recognise(file);
    if (named !== undefined || found.isGeneral !== true) tried.push({ environment, found });
  }
  const [best, second] = tried
    .filter(({ found }) => found.usable > 0)
    .toSorted((a, b) => b.found.usable - a.found.usable);
  const why = tried.map(({ environment, found }) => `${environment}: ${found.problem ?? "no rows"}`);
  if (!best) throw errors.dataUnknown({ file, tried: why });
  if (second?.found.usable === best.found.usable)
    throw errors.dataUnknown({ file, tried: [`both ${best.environment} and ${second.environment} can read it`] });
  return best;
}

/** @throws PRESET_NOT_FOUND, PRESET_UNFIT */
function presetFor(
  flags: InitFlags,
  plugin: string,
  own: readonly string[],
  model: Candidate,
): ChosenPreset | undefined {
  const names = presetNames(process.cwd(), plugin);
  const wanted = flags.preset === undefined ? names : [fullName(plugin, flags.preset)];
  if (wanted.length === 0) return undefined;
  const presets = wanted.map((name) => readPreset(name, process.cwd()));
  // The method's own where one of them suits the model; a plugin's other presets are for smaller ones.
  const chosen =
    choosePreset(
      presets.filter(({ name }) => own.includes(name)),
      model,
    ) ?? choosePreset(presets, model);
  if (!chosen)
    throw errors.presetUnfit({ preset: flags.method, problem: positionsProblem(presets, model), others: names });
  const { name, about } = chosen.preset;
  const missing = about.domains.filter((domain) => !model.domains.includes(domain));
  if (missing.length > 0) {
    const problem = `it trains on ${about.domains.join(" and ")}, and --data has nothing of ${missing.join(" and ")}`;
    throw errors.presetUnfit({ preset: name, problem, others: names.filter((one) => one !== name) });
  }
  return chosen;
}

function fullName(method: string, preset: string): string {
  return preset.includes("/") ? preset : `${method}/${preset}`;
}

function positionsProblem(presets: readonly Preset[], { directory, shape }: Candidate): string {
  const least = Math.min(...presets.map(({ about }) => about.positions));
  return least > shape.maxPositions
    ? `it needs ${least} positions, and "${directory}" has ${shape.maxPositions}`
    : `it is for another model than "${directory}"`;
}

function commandOf({ method, model, data, environment, preset, device }: InitFlags): string {
  const words = [
    `troupe init --method ${method} --model ${model}`,
    ...(data ? [`--data ${data.join(" ")}`] : []),
    ...(environment === undefined ? [] : [`--environment ${environment}`]),
    ...(preset === undefined ? [] : [`--preset ${preset}`]),
    ...(device === "cpu" ? [] : [`--device ${device}`]),
  ];
  return words.join(" ");
}

function summaryOf(out: string, text: string): string {
  const comments = text
    .split("\n")
    .filter((line) => /^ *# (Preset|Plugin|It was made|.* from column|.* parameters,)/.test(line));
  return [
    ...comments.map((line) => line.trim().slice(2)),
    "",
    `written      ${out}`,
    `look         troupe run ${out} --dry-run      stages, hooks, memory and cost; starts nothing`,
    `train        troupe run ${out}`,
    "",
  ].join("\n");
}
