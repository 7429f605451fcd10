import type { Command } from "commander";
import { runsDirectory } from "../../src/config/paths.js";
import { errors } from "../../src/errors.js";
import { askLiveRun, isOpen } from "../../src/live/control-client.js";
import type { LivePlugin, PluginChange, PluginChangeResult } from "../../src/live/plugin-change.js";
import { readMetrics } from "../../src/store/metrics.js";
import { findRun, type RunDirectory } from "../../src/store/run-directory.js";
import { armOf } from "../arm-of.js";
import { printReplay } from "../commands/replay.js";
import { readJobOf } from "../job-file.js";
import { pathOrName } from "../path-or-name.js";
import { textTable } from "../render/table.js";
import { wholeNumber } from "../whole-number.js";
import { settingsOf } from "./settings-of.js";

interface ShadowFlags {
  readonly arm?: string;
  readonly last: string;
  readonly with?: string;
}

interface LiveFlags {
  readonly arm?: string;
  readonly wait: string;
  readonly with?: string;
}

/** One command on a live run: its words after RUN, and the change they stand for. */
interface Verb {
  readonly name: string;
  readonly description: string;
  readonly words: readonly (readonly [string, string])[];
  readonly takesSettings?: true;
  readonly change: (words: readonly string[], settings: Record<string, unknown> | undefined) => PluginChange;
}

const PLUGIN = ["name", "name of a plugin of the run"] as const;
const PATH = ["path", "file, folder or package of the plugin"] as const;

const VERBS: readonly Verb[] = [
  {
    name: "show",
    description: "plugins of a live run: version, pinned or not, earlier versions",
    words: [],
    change: () => ({ verb: "list" }),
  },
  {
    name: "swap",
    description: "put another version of a plugin to use in a live run; it takes over the state",
    words: [PLUGIN, PATH],
    takesSettings: true,
    change: ([plugin = "", path = ""], settings) => ({
      verb: "swap",
      plugin,
      use: pathOrName(path),
      ...(settings ? { with: settings } : {}),
    }),
  },
  {
    name: "load",
    description: "add a plugin to a live run, after the others",
    words: [PATH],
    takesSettings: true,
    change: ([path = ""], settings = {}) => ({ verb: "load", use: pathOrName(path), with: settings }),
  },
  {
    name: "unload",
    description: "take a plugin out of a live run",
    words: [PLUGIN],
    change: ([plugin = ""]) => ({ verb: "unload", plugin }),
  },
  {
    name: "rollback",
    description: "go back to the version before, with the state it had",
    words: [PLUGIN],
    change: ([plugin = ""]) => ({ verb: "rollback", plugin }),
  },
  {
    name: "pin",
    description: "keep a plugin as it is, whatever is saved or asked for",
    words: [PLUGIN],
    change: ([plugin = ""]) => ({ verb: "pin", plugin }),
  },
  {
    name: "unpin",
    description: "let a pinned plugin be changed again",
    words: [PLUGIN],
    change: ([plugin = ""]) => ({ verb: "unpin", plugin }),
  },
];

/** The commands that change the plugins of a run while it works, and `shadow`, which tries a change on its record. */
export function defineLivePlugins(command: Command, program: Command): void {
  command
    .command("shadow")
    .description("which rewards of a run's newest steps another version of a plugin would have changed")
    .argument("<run>", "number, name or path")
    .argument(`<${PLUGIN[0]}>`, PLUGIN[1])
    .argument(`<${PATH[0]}>`, PATH[1])
    .option("--arm <name>", "arm of an experiment; the one in training, or else the last, unless given")
    .option("--last <steps>", "how many steps", "5")
    .option("--with <json>", "the version's settings as a JSON object; the present ones unless given")
    .action(async (wanted: string, plugin: string, path: string, flags: ShadowFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const arms = job.kind === "run" ? [] : job.experiment.arms.map(({ name }) => name);
      const attempt = (await run.liveAttempt())?.attempt;
      const live = attempt === undefined ? undefined : arms.find((name) => isOpen(run.armToRead(name), attempt));
      const { config, directory } = armOf(run, job, flags.arm, live ?? arms.at(-1) ?? "base");
      const to = (await readMetrics(directory.metrics)).lines.at(-1)?.step ?? 0;
      const from = Math.max(1, to - wholeNumber("--last", flags.last, 1) + 1);
      const settings = flags.with === undefined ? {} : { with: settingsOf(flags.with) };
      const replace = { plugin, use: pathOrName(path), from, ...settings };
      const json = program.opts<{ json?: boolean }>().json === true;
      await printReplay({ config, baseDirectory: job.baseDirectory, directory, to, replace }, json);
    });
  for (const verb of VERBS) {
    const sub = command
      .command(verb.name)
      .description(verb.description)
      .argument("<run>", "number, name or path of a live run")
      .option("--arm <name>", "arm of an experiment; the one in training unless given")
      .option("--wait <seconds>", "how long to wait for the running step to end", "600");
    for (const [name, description] of verb.words) sub.argument(`<${name}>`, description);
    if (verb.takesSettings) sub.option("--with <json>", "the plugin's settings as a JSON object");
    sub.action(async (...given: readonly unknown[]) => {
      // Commander hands over the declared arguments, then the options.
      const [wanted, ...words] = given.slice(0, verb.words.length + 1) as string[];
      // As above.
      const flags = given[verb.words.length + 1] as LiveFlags;
      const run = await findRun(runsDirectory(), wanted);
      const change = verb.change(words, flags.with === undefined ? undefined : settingsOf(flags.with));
      const waitMs = wholeNumber("--wait", flags.wait, 1) * 1000;
      const result = await askLiveRun(run, await partOf(run, flags.arm), change, { waitMs });
      show(result, program.opts<{ json?: boolean }>().json === true);
    });
  }
}

/** The run itself, or the arm that was asked for, or else the one that takes requests now. */
async function partOf(run: RunDirectory, wanted: string | undefined): Promise<RunDirectory> {
  const job = readJobOf(run);
  if (job.kind === "run" || wanted !== undefined) return armOf(run, job, wanted).directory;
  const arms = ["base", ...job.experiment.arms.map(({ name }) => name)].map((name) => run.armToRead(name));
  const attempt = (await run.liveAttempt())?.attempt;
  const open = attempt === undefined ? undefined : arms.find((arm) => isOpen(arm, attempt));
  if (!open) throw errors.runNotLive({ run: run.id, problem: "none of its arms is in training now" });
  return open;
}

function show(result: PluginChangeResult, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: "plugins", ...result })}\n`);
    return;
  }
  if (result.plugin !== undefined)
    process.stdout.write(
      `${result.plugin} ${result.from || "(not there)"} → ${result.to || "(gone)"} from step ${result.step} on\n`,
    );
  process.stdout.write(
    `${textTable<LivePlugin>(result.plugins, [
      { title: "name", cell: ({ name }) => name },
      { title: "version", cell: ({ version }) => version },
      {
        title: "",
        cell: ({ isPinned, isWatched }) => [isPinned && "pinned", isWatched && "watched"].filter(Boolean).join(" "),
      },
      { title: "earlier", cell: ({ earlier }) => earlier.join(" ") },
    ])}\n`,
  );
}
