import type { Command } from "commander";
import { defineLivePlugins } from "../plugins/live-plugins.js";
import { listPlugins } from "../plugins/list-plugins.js";

/** `troupe plugin …`: the plugins that there are, and those of a run while it works. */
export function define(command: Command, program: Command): void {
  command
    .command("list")
    .description("plugins that a config can name, and what they hook")
    .argument("[paths...]", "further plugins, by name or path")
    .action((paths: readonly string[]) => listPlugins(paths, program.opts<{ json?: boolean }>().json === true));
  defineLivePlugins(command, program);
}
