import { errors } from "../errors.js";
import type { AnyActorDefinition } from "./actor.js";

/** The definition that a module exports under a name; for threads and processes, which are given only that. */
export async function loadDefinition({
  module,
  exportName,
}: {
  readonly module: string;
  readonly exportName: string;
}): Promise<AnyActorDefinition> {
  const loaded: unknown = await import(module);
  const exports = new Map(Object.entries(loaded as object)); // A module is an object.
  const found: unknown = exports.get(exportName);
  if (typeof found !== "object" || found === null || !("init" in found) || !("on" in found)) {
    throw errors.actorDefinitionNotFound({ module, exportName });
  }
  // Looks like a definition; the sender of its name took it from a value of this type.
  return found as AnyActorDefinition;
}
