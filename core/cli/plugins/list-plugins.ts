import { installedModules } from "../../src/config/resolve-module.js";
import { buildPlugin } from "../../src/hooks/plugin-loader.js";
import { TroupeError } from "../../src/error-catalogue.js";
import { textTable } from "../render/table.js";

/** Prints the plugins that a config can name, with their hooks. */
export async function listPlugins(paths: readonly string[], json: boolean): Promise<void> {
  const listed = [];
  for (const name of [...installedModules("plugin", process.cwd()), ...paths]) listed.push(await describe(name));
  if (json) {
    for (const line of listed) process.stdout.write(`${JSON.stringify({ type: "plugin", ...line })}\n`);
    return;
  }
  process.stdout.write(
    `${textTable(listed, [
      { title: "name", cell: ({ name }) => name },
      { title: "version", cell: ({ version }) => version },
      { title: "hooks", cell: ({ hooks }) => hooks.join(" ") },
      { title: "modes", cell: ({ modes }) => modes.join(" ") },
      { title: "what it does", cell: ({ description }) => description },
    ])}\n`,
  );
}

interface Listed {
  readonly name: string;
  readonly version: string;
  readonly hooks: readonly string[];
  readonly modes: readonly string[];
  readonly description: string;
}

/** A plugin that cannot be loaded is listed with the reason, and does not hide the others. */
async function describe(name: string): Promise<Listed> {
  try {
    const { plugin } = await buildPlugin(name, process.cwd());
    return {
      name: plugin.name,
      version: plugin.version,
      hooks: Object.keys(plugin.hooks),
      modes: plugin.modes ?? [],
      description: plugin.description,
    };
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    return { name, version: "-", hooks: [], modes: [], description: `${error.code}: ${error.message}` };
  }
}
