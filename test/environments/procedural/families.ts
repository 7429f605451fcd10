import type { EnvironmentDefinition } from "../../../core/src/environments/environment.js";
import baseConversion from "../../../environments/base-conversion/index.js";
import booleanEvaluation from "../../../environments/boolean-evaluation/index.js";
import countdown from "../../../environments/countdown/index.js";
import modularSums from "../../../environments/modular-sums/index.js";
import pathFinding from "../../../environments/path-finding/index.js";

/** The graded families, each with its highest difficulty. */
export const FAMILIES: readonly { readonly environment: EnvironmentDefinition; readonly highest: number }[] = [
  // A definition takes what its own schema parsed, which is unknown to a list of them.
  { environment: baseConversion as unknown as EnvironmentDefinition, highest: 10 },
  // As above.
  { environment: booleanEvaluation as unknown as EnvironmentDefinition, highest: 10 },
  // As above.
  { environment: countdown as unknown as EnvironmentDefinition, highest: 7 },
  // As above.
  { environment: modularSums as unknown as EnvironmentDefinition, highest: 12 },
  // As above.
  { environment: pathFinding as unknown as EnvironmentDefinition, highest: 12 },
];
