import { z } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { QuickJsSandbox } from "./embedded/quickjs-sandbox.js";
import { openPyodideSandbox } from "./embedded/pyodide-sandbox.js";
import { openNamespaceSandbox } from "./namespaces/namespace-sandbox.js";
import { REMOTE_PROTOCOLS, RemoteSandbox } from "./remote/remote-sandbox.js";
import type { Language, Limits, Sandbox } from "./sandbox.js";

/** Which boundary programs run behind. */
export const boundarySchema = z
  .discriminatedUnion("tier", [
    z.strictObject({ tier: z.literal("auto") }),
    z.strictObject({ tier: z.literal("A") }),
    z.strictObject({ tier: z.literal("B") }),
    z.strictObject({
      tier: z.literal("C"),
      url: z.url().describe("Of the service, without a path"),
      protocol: z.enum(REMOTE_PROTOCOLS).default("sandbox-fusion"),
      atOnce: z.int().min(1).default(8).describe("Requests under way together"),
    }),
  ])
  .prefault({ tier: "auto" });

/** Which boundary is wanted, and what it is made ready for. */
export interface SandboxOptions {
  readonly limits: Limits;
  /** The language that most programs are in. */
  readonly language: Language;
  /** Absent: the strongest that this machine has for the language. */
  readonly boundary?: z.output<typeof boundarySchema>;
}

/**
 * Opens the boundary that is asked for, or the strongest one that this machine has. Without one nothing is run at all.
 *
 * @throws SANDBOX_MISSING with what to install
 */
export async function openSandbox({ boundary = { tier: "auto" }, ...options }: SandboxOptions): Promise<Sandbox> {
  if (boundary.tier === "C") return new RemoteSandbox(boundary);
  if (boundary.tier === "B") return embedded(options, []);
  const probe = await openNamespaceSandbox(options);
  if ("sandbox" in probe) return probe.sandbox;
  const missing = [`tier A: ${probe.missing}`];
  if (boundary.tier === "auto") return embedded(options, missing, [probe.remedy]);
  throw errors.sandboxMissing({ tried: missing, remedies: [probe.remedy] });
}

/** Tier B: for each language an interpreter of its own. */
async function embedded(
  options: SandboxOptions,
  tried: readonly string[],
  remedies: readonly string[] = [],
): Promise<Sandbox> {
  if (options.language === "javascript") return new QuickJsSandbox();
  const probe = await openPyodideSandbox(options);
  if ("sandbox" in probe) return probe.sandbox;
  throw errors.sandboxMissing({
    tried: [...tried, `tier B: ${probe.missing}`],
    remedies: [...remedies, probe.remedy, "name a service under sandbox: { tier: C, url }"],
  });
}
