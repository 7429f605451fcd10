import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { pathOrName } from "../path-or-name.js";
import { PLUGIN_KINDS } from "../plugins/plugin-templates.js";
import { settingsOf } from "../plugins/settings-of.js";

/** `troupe plugin …`: the plugins that there are, new ones, and those of a run while it works. */
export async function define(command: Command, program: Command): Promise<void> {
  const isJson = (): boolean => program.opts<{ json?: boolean }>().json === true;
  command
    .command("list")
    .description("plugins that a config can name, and what they hook")
    .argument("[paths...]", "further plugins, by name or path")
    .action(async (paths: readonly string[]) => {
      const { listPlugins } = await import("../plugins/list-plugins.js");
      await listPlugins(paths, isJson());
    });
  command
    .command("new")
    .description("write a plugin package that works as it stands, with its test")
    .argument("<name>", "name of the plugin: lower-case letters, digits, hyphens")
    .option(
      "--kind <kind>",
      `${Object.keys(PLUGIN_KINDS).slice(0, -1).join(", ")} or ${Object.keys(PLUGIN_KINDS).at(-1)}`,
      "reward",
    )
    .option("--folder <path>", "where to put it; a folder of its name here unless given")
    .action(async (name: string, { kind, folder }: { kind: string; folder?: string }) => {
      const { newPlugin } = await import("../plugins/new-plugin.js");
      const target = folder ?? name;
      const files = await newPlugin(name, kind, target);
      if (isJson()) {
        process.stdout.write(`${JSON.stringify({ type: "plugin", name, kind, folder: resolve(target), files })}\n`);
        return;
      }
      const place = relative(process.cwd(), resolve(target));
      process.stdout.write(
        `${files.map((file) => `${place}/${file}`).join("\n")}\n\nnext: troupe plugin check ./${place}\n`,
      );
    });
  command
    .command("check")
    .description("read a plugin's source and try the hook contract; exit code 3 when it is not fit for a run")
    .argument("<plugin>", "path or name")
    .option("--with <json>", "the plugin's settings as a JSON object; its defaults unless given")
    .action(async (use: string, flags: { with?: string }) => {
      const { checkPlugin } = await import("../plugins/check-plugin.js");
      await checkPlugin(pathOrName(use), flags.with === undefined ? undefined : settingsOf(flags.with), isJson());
    });
  const { defineLivePlugins } = await import("../plugins/live-plugins.js");
  defineLivePlugins(command, program);
}
