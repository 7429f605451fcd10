import { resolve } from "node:path";
import type { RunConfig } from "./config/run-config.js";
import { Tokenizer } from "./engines/tokenizer.js";
import { loadEnvironment } from "./environments/environment-loader.js";
import type { Taskset } from "./environments/environment.js";
import { readTexts } from "./read-texts.js";

/**
 * The train split of a run that is not at work.
 *
 * @param entropies folder of the run that keeps the entropies of texts
 */
export async function trainTasks(config: RunConfig, baseDirectory: string, entropies: string): Promise<Taskset> {
  const { use, with: given } = config.environment;
  const { definition, config: settings } = await loadEnvironment(use, given, baseDirectory);
  const tokenizer = Tokenizer.fromDirectory(resolve(baseDirectory, config.policy.from));
  const reader = readTexts({ config, baseDirectory, tokenizer, keptIn: entropies }, true);
  return definition.taskset(settings, "train", { baseDirectory, seed: config.seed, reader });
}
