import { errors } from "../errors.js";
import { bundleModule, evaluateBundle, type ModuleBundle } from "../hooks/module-bundle.js";
import { problemsOf } from "../hooks/plugin-loader.js";
import type { EnvironmentDefinition } from "./environment.js";

/** An environment as it travels to other threads: code and checked config. */
export interface EnvironmentParcel {
  readonly bundle: ModuleBundle;
  readonly config: unknown;
}

/** An environment ready to use on this thread. */
export interface LoadedEnvironment extends EnvironmentParcel {
  readonly definition: EnvironmentDefinition;
}

/**
 * Builds an environment, evaluates it on this thread and checks its settings.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, ENVIRONMENT_NOT_VALID, ENVIRONMENT_CONFIG_NOT_VALID
 */
export async function loadEnvironment(
  use: string,
  settings: unknown,
  baseDirectory: string,
): Promise<LoadedEnvironment> {
  const { bundle, definition } = await loadDefinition(use, baseDirectory);
  const parsed = definition.config.safeParse(settings);
  if (!parsed.success)
    throw errors.environmentConfigNotValid({ environment: definition.name, problems: problemsOf(parsed.error) });
  return { definition, config: parsed.data, bundle };
}

/**
 * Builds and evaluates an environment without settings: what it is, before anything is asked of it.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, ENVIRONMENT_NOT_VALID
 */
export async function loadDefinition(
  use: string,
  baseDirectory: string,
): Promise<Pick<LoadedEnvironment, "bundle" | "definition">> {
  const bundle = await bundleModule("environment", use, baseDirectory);
  return { bundle, definition: checkEnvironment(use, evaluateBundle("environment", use, bundle)) };
}

/** Evaluates a parcel on another thread than the one that built it. */
export function unpackEnvironment(parcel: EnvironmentParcel): LoadedEnvironment {
  const name = parcel.bundle.path;
  return { ...parcel, definition: checkEnvironment(name, evaluateBundle("environment", name, parcel.bundle)) };
}

function checkEnvironment(use: string, value: unknown): EnvironmentDefinition {
  // Each property that the runtime relies on is checked below before it is used.
  const definition = value as Partial<EnvironmentDefinition> | null;
  const missing = (["name", "version", "config", "taskset", "verifier"] as const).find(
    (key) => definition?.[key] === undefined,
  );
  if (missing) throw errors.environmentNotValid({ use, problem: `"${missing}" is missing from the default export` });
  // All required properties were just checked.
  return definition as EnvironmentDefinition;
}
