/** All that a plugin or an environment imports: types, and helpers without side effects. */
export { defineErrors, TroupeError, type ErrorEntry } from "./error-catalogue.js";
export * from "./environments/environment.js";
export * from "./hooks/hooks.js";
export * from "./hooks/plugin-context.js";
export * from "./hooks/plugin.js";
export * from "./hooks/prompt.js";
export * from "./records/group.js";
export * from "./records/json.js";
export * from "./records/loss-spec.js";
export * from "./records/step-plan.js";
export * from "./records/step-report.js";
export * from "./records/task.js";
export * from "./records/trajectory.js";
export * from "./records/verdict.js";
export type * from "./records/batch.js";
export type * from "./engines/policy-engine.js";
export { Random, deriveKey } from "./numerics/random.js";
export { z } from "zod";
