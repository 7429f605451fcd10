import { readFileSync } from "node:fs";
import { Command } from "commander";
import { exitCodeOf, printError } from "./print-error.js";

/** Fills in a command's arguments, options and action. */
interface CommandModule {
  define(command: Command, program: Command): void | Promise<void>;
}

/** Only the command that was asked for is loaded: the list of commands shows at once. */
const COMMANDS: Readonly<Record<string, { readonly description: string; load(): Promise<CommandModule> }>> = {
  demo: {
    description: "train a tiny policy to reason, several ways, and compare them (about 5 minutes on two cores)",
    load: () => import("./commands/demo.js"),
  },
  study: {
    description: "repeat experiments over seeds and set what they show beside their papers' claims",
    load: () => import("./commands/study.js"),
  },
  init: {
    description: "write a config for a method, a model and a file of tasks, with the paper's own settings",
    load: () => import("./commands/init.js"),
  },
  run: {
    description: "train what a config file says",
    load: () => import("./commands/run.js"),
  },
  resume: {
    description: "go on with a run from its newest checkpoint",
    load: () => import("./commands/resume.js"),
  },
  eval: {
    description: "measure a run's newest checkpoint on held-out tasks; the run stays as it is",
    load: () => import("./commands/evaluate.js"),
  },
  export: {
    description: "write a run's newest weights with its tokenizer as a folder that transformers loads",
    load: () => import("./commands/export.js"),
  },
  directions: {
    description: "compare where trainings from one start moved the weights, layer by layer",
    load: () => import("./commands/directions.js"),
  },
  verify: {
    description: "judge answers outside of a run: one, a file of them, or a verifier's own calibration set",
    load: () => import("./commands/verify.js"),
  },
  data: {
    description: "curate problem sets: filter, clear of duplicates and benchmarks, score by difficulty, split",
    load: () => import("./commands/data.js"),
  },
  inspect: {
    description: "read rollouts: the newest step's as a table, or one by its id",
    load: () => import("./commands/inspect.js"),
  },
  plan: {
    description: "the pipeline of hooks that a config's plugins make, or why they cannot run together",
    load: () => import("./commands/plan.js"),
  },
  replay: {
    description: "decide every step of a run again from its record, and compare",
    load: () => import("./commands/replay.js"),
  },
  plugin: {
    description: "look at plugins, and change those of a live run",
    load: () => import("./commands/plugin.js"),
  },
  env: {
    description: "write environments, check them, and serve one as OpenEnv does",
    load: () => import("./commands/env.js"),
  },
  actors: {
    description: "show a run's actors: what each does, its mailbox, its restarts",
    load: () => import("./commands/actors.js"),
  },
  "why-stuck": {
    description: "show who waits for whom in a run, and who holds it up",
    load: () => import("./commands/why-stuck.js"),
  },
  node: {
    description: "host actors of drivers on other machines",
    load: () => import("./commands/node.js"),
  },
  config: {
    description: "look at a configuration",
    load: () => import("./commands/config.js"),
  },
  doctor: {
    description: "check what a run needs of this machine",
    load: () => import("./commands/doctor.js"),
  },
};

const manifest = new URL("../../package.json", import.meta.url);

/** Reads the arguments, runs one command and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("troupe")
    .description("Reinforcement learning over reasoning environments: actors, plugins, one small package per method")
    // The package's own manifest has a version.
    .version((JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version)
    .option("--json", "JSON lines on stdout, nothing else there; core/docs/json-output.md says which")
    .option("--plain", "plain lines instead of a live picture")
    .option("--debug", "stack traces with errors")
    .showSuggestionAfterError()
    .exitOverride((error) => {
      throw error;
    });
  try {
    const wanted = argv.find((word) => word in COMMANDS);
    for (const [name, { description, load }] of Object.entries(COMMANDS)) {
      const command = program.command(name).description(description);
      if (name === wanted) await (await load()).define(command, program);
    }
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    const { debug, json } = program.opts<{ debug?: boolean; json?: boolean }>();
    printError(error, { debug: debug === true, json: json === true || argv.includes("--json") });
    process.exitCode = exitCodeOf(error);
  }
}
