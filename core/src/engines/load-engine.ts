import { errors } from "../errors.js";
import type { EngineModule } from "./policy-engine.js";

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
