import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { errors } from "../errors.js";
import type { EngineModule } from "./policy-engine.js";

/** A path to an engine's module, from `baseDirectory`, as every thread can import it; names of packages stay names. */
export function engineModule(name: string, baseDirectory: string): string {
  return /^\.{0,2}\//.test(name) ? pathToFileURL(resolve(baseDirectory, name)).href : name;
}

/**
 * Loads a policy engine by the module name in the config.
 *
 * @throws ENGINE_NOT_FOUND, ENGINE_NOT_VALID
 */
export async function loadEngine(name: string): Promise<EngineModule> {
  let loaded: unknown;
  try {
    loaded = await import(name);
  } catch (cause) {
    throw errors.engineNotFound({ name, problem: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
  // Both functions are checked before use.
  const candidate = loaded as Partial<EngineModule>;
  if (typeof candidate.createEngine !== "function" || typeof candidate.attachSampler !== "function")
    throw errors.engineNotValid({ name });
  // Checked on the line above.
  return candidate as EngineModule;
}
