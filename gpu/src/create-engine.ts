import type { EngineOptions, PolicyEngine } from "@troupe/core/sdk";
import { NativeEngine } from "./native-engine.js";

/** Makes a native policy engine; see `NativeEngine.create`. */
export function createEngine(options: EngineOptions): Promise<PolicyEngine> {
  return NativeEngine.create(options);
}
