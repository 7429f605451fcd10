import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errors } from "../errors.js";
import { versionOf } from "../hooks/hook-runner.js";
import type { StepWindow } from "../hooks/step-window.js";
import { unpackPlugin, type LoadedPlugin, type PluginParcel } from "../hooks/plugin-loader.js";
import { writeFileAtomically } from "../store/durable-files.js";

/** A plugin in a list that outlives the process: where to find the very code again. */
export interface ArchivedPlugin {
  readonly name: string;
  /** Version and content hash. */
  readonly version: string;
  readonly config: unknown;
  readonly steps?: StepWindow;
}

/**
 * Every plugin version that a run used, code and source map, in its folder `plugins/`: a version that was swapped in and
 * never stood in the config can be resumed, rolled back to and replayed.
 */
export class PluginArchive {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Keeps a plugin's code; what is there already stays. @throws DISK_FULL, FILE_NOT_PERMITTED */
  async keep(loaded: LoadedPlugin): Promise<ArchivedPlugin> {
    const { config, steps } = loaded;
    const entry = {
      name: loaded.plugin.name,
      version: versionOf(loaded),
      config,
      ...(steps === undefined ? {} : { steps }),
    };
    const file = this.#file(entry);
    if (!existsSync(file)) await writeFileAtomically(file, `${JSON.stringify(loaded.bundle)}\n`);
    return entry;
  }

  /** @throws PLUGIN_VERSION_UNKNOWN, and what evaluating the code throws */
  load(entry: ArchivedPlugin): LoadedPlugin {
    const file = this.#file(entry);
    if (!existsSync(file)) throw errors.pluginVersionUnknown({ plugin: entry.name, wanted: entry.version, file });
    // What `keep` wrote.
    const bundle = JSON.parse(readFileSync(file, "utf8")) as PluginParcel["bundle"];
    return unpackPlugin({ bundle, config: entry.config, steps: entry.steps });
  }

  #file({ name, version }: ArchivedPlugin): string {
    return join(this.#directory, `${name}@${version.replaceAll(/[^\w.+-]/g, "_")}.json`);
  }
}
