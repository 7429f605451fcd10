import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { pathOrName } from "../path-or-name.js";
import { settingsOf } from "../plugins/settings-of.js";
import { defineEnvServe } from "./env-serve.js";

/** `troupe env …`: new environments, whether one keeps its contract, and one for others to talk with. */
export function define(command: Command, program: Command): void {
  const isJson = (): boolean => program.opts<{ json?: boolean }>().json === true;
  command
    .command("new")
    .description("write an environment package that works as it stands, with its test")
    .argument("<name>", "name of the environment: lower-case letters, digits, hyphens")
    .option("--kind <kind>", "single (one answer), multi (several turns) or tool (turns with a tool)", "single")
    .option("--folder <path>", "where to put it; a folder of its name here unless given")
    .action(async (name: string, { kind, folder }: { kind: string; folder?: string }) => {
      const { newEnvironment } = await import("../environments/new-environment.js");
      const target = folder ?? name;
      const files = await newEnvironment(name, kind, target);
      if (isJson()) {
        const line = { type: "environment", name, kind, folder: resolve(target), files };
        process.stdout.write(`${JSON.stringify(line)}\n`);
        return;
      }
      const place = relative(process.cwd(), resolve(target));
      const written = files.map((file) => `${place}/${file}`).join("\n");
      process.stdout.write(`${written}\n\nnext: troupe env check ./${place}\n`);
    });
  command
    .command("check")
    .description("read an environment's source and try its contract; exit code 3 when it is not fit for a run")
    .argument("<environment>", "path or name")
    .option("--with <json>", "the environment's settings as a JSON object; its defaults unless given")
    .action(async (use: string, flags: { with?: string }) => {
      const { checkEnvironment } = await import("../environments/check-environment.js");
      await checkEnvironment(pathOrName(use), flags.with === undefined ? undefined : settingsOf(flags.with), isJson());
    });
  defineEnvServe(command, program);
}
