import { errors } from "../errors.js";
import { openNamespaceSandbox } from "./namespaces/namespace-sandbox.js";
import type { Language, Limits, Sandbox } from "./sandbox.js";

/** Which boundary is wanted, and what it is made ready for. */
export interface SandboxOptions {
  readonly limits: Limits;
  /** The language that most programs are in. */
  readonly language: Language;
}

/**
 * Opens the strongest boundary that this machine has. Without one nothing is run at all.
 *
 * @throws SANDBOX_MISSING with what to install
 */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const probe = await openNamespaceSandbox(options);
  if ("sandbox" in probe) return probe.sandbox;
  throw errors.sandboxMissing({ tried: [`tier A: ${probe.missing}`], remedies: [probe.remedy] });
}
