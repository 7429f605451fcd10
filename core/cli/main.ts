import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addConfigCommands } from "./commands/config.js";
import { addDemoCommand } from "./commands/demo.js";
import { addDoctorCommand } from "./commands/doctor.js";
import { addEvaluateCommand } from "./commands/evaluate.js";
import { addInspectCommand } from "./commands/inspect.js";
import { addPluginCommands } from "./commands/plugin.js";
import { addResumeCommand } from "./commands/resume.js";
import { addRunCommand } from "./commands/run.js";
import { exitCodeOf, printError } from "./print-error.js";

const manifest = new URL("../../package.json", import.meta.url);

/** Reads the arguments, runs one command and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("troupe")
    .description("Reinforcement learning over reasoning environments: actors, plugins, one small package per method")
    // The package's own manifest has a version.
    .version((JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version)
    .option("--json", "JSON lines on stdout, nothing else there")
    .option("--plain", "plain lines instead of a live picture")
    .option("--debug", "stack traces with errors")
    .showSuggestionAfterError()
    .exitOverride((error) => {
      throw error;
    });
  addDemoCommand(program);
  addRunCommand(program);
  addResumeCommand(program);
  addEvaluateCommand(program);
  addInspectCommand(program);
  addPluginCommands(program);
  addConfigCommands(program);
  addDoctorCommand(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    const { debug, json } = program.opts<{ debug?: boolean; json?: boolean }>();
    printError(error, { debug: debug === true, json: json === true });
    process.exitCode = exitCodeOf(error);
  }
}
