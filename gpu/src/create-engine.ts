import type { ModelShape, PolicyEngine } from "@troupe/core/sdk";
import { NativeEngine } from "./native-engine.js";

/** Makes a native policy engine; see `NativeEngine.create`. */
export function createEngine(options: { shape: ModelShape; seed: number; threads?: number }): Promise<PolicyEngine> {
  return NativeEngine.create(options);
}
