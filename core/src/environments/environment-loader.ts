import { errors } from "../errors.js";
import { bundleModule, evaluateBundle, type ModuleBundle } from "../hooks/module-bundle.js";
import { problemsOf } from "../hooks/plugin-loader.js";
import type { EnvironmentDefinition, MixtureDefinition } from "./environment.js";
import { mixtureOf } from "./mixture.js";

/** An environment as it travels to other threads: code and checked config. */
export interface EnvironmentParcel {
  readonly bundle: ModuleBundle;
  readonly config: unknown;
  /** The environments that a mixture is made of, by domain. */
  readonly parts?: Readonly<Record<string, EnvironmentParcel>>;
}

/** An environment ready to use on this thread. */
export interface LoadedEnvironment extends EnvironmentParcel {
  readonly definition: EnvironmentDefinition;
}

/** An environment's module as it was evaluated: it has tasks of its own, or is made of others. */
export interface LoadedDefinition {
  readonly bundle: ModuleBundle;
  readonly definition: EnvironmentDefinition | MixtureDefinition;
}

/**
 * Builds an environment, evaluates it on this thread and checks its settings; of a mixture every part too.
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
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, definition.config, settings);
    throw errors.environmentConfigNotValid({ environment: definition.name, problems });
  }
  const config = parsed.data;
  if (!isMixture(definition)) return { definition, config, bundle };
  const parts: Record<string, LoadedEnvironment> = {};
  for (const [domain, part] of Object.entries(definition.parts(config))) {
    const loaded = await loadEnvironment(part.use, part.with, baseDirectory);
    // A task has one domain, so a mixture inside another could not tell its parts apart.
    if (loaded.parts)
      throw errors.environmentNotValid({
        use,
        problem: `its part "${domain}" is a mixture itself: list its parts here`,
      });
    parts[domain] = loaded;
  }
  return { definition: mixed(definition, parts), config, bundle, parts };
}

/**
 * Builds and evaluates an environment without settings: what it is, before anything is asked of it.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, ENVIRONMENT_NOT_VALID
 */
export async function loadDefinition(use: string, baseDirectory: string): Promise<LoadedDefinition> {
  const bundle = await bundleModule("environment", use, baseDirectory);
  return { bundle, definition: checkEnvironment(use, evaluateBundle("environment", use, bundle)) };
}

/** An environment as other threads get it. */
export function environmentParcel({ bundle, config, parts }: EnvironmentParcel): EnvironmentParcel {
  if (parts === undefined) return { bundle, config };
  const entries = Object.entries(parts).map(([domain, part]) => [domain, environmentParcel(part)] as const);
  return { bundle, config, parts: Object.fromEntries(entries) };
}

/** Evaluates a parcel on another thread than the one that built it. */
export function unpackEnvironment(parcel: EnvironmentParcel): LoadedEnvironment {
  const name = parcel.bundle.path;
  const definition = checkEnvironment(name, evaluateBundle("environment", name, parcel.bundle));
  if (!isMixture(definition)) return { ...parcel, definition };
  const entries = Object.entries(parcel.parts ?? {}).map(
    ([domain, part]) => [domain, unpackEnvironment(part)] as const,
  );
  const parts = Object.fromEntries(entries);
  return { ...parcel, parts, definition: mixed(definition, parts) };
}

function mixed(definition: MixtureDefinition, parts: Readonly<Record<string, LoadedEnvironment>>) {
  return mixtureOf(
    definition,
    Object.entries(parts).map(([domain, part]) => ({ domain, definition: part.definition, config: part.config })),
  );
}

function isMixture(definition: EnvironmentDefinition | MixtureDefinition): definition is MixtureDefinition {
  return "parts" in definition;
}

function checkEnvironment(use: string, value: unknown): EnvironmentDefinition | MixtureDefinition {
  // Each property that the runtime relies on is checked below before it is used.
  const definition = value as (Partial<EnvironmentDefinition> & Partial<MixtureDefinition>) | null;
  const needed = [
    "name",
    "version",
    "config",
    ...(definition?.parts ? [] : (["taskset", "verifier"] as const)),
  ] as const;
  const missing = needed.find((key) => definition?.[key] === undefined);
  if (missing) throw errors.environmentNotValid({ use, problem: `"${missing}" is missing from the default export` });
  // All required properties were just checked.
  return definition as EnvironmentDefinition | MixtureDefinition;
}
