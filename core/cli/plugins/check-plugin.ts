import { relative } from "node:path";
import { z } from "zod";
import { resolveModule } from "../../src/config/resolve-module.js";
import { buildPlugin } from "../../src/hooks/plugin-loader.js";
import { tryContract, type ContractResult } from "../../src/plugin-kit/contract-kit.js";
import type { Plugin } from "../../src/hooks/plugin.js";
import { paintFor } from "../render/paint.js";
import { textTable } from "../render/table.js";
import { analyseSource, type SourceFinding } from "./analyse-source.js";

/** Checks one plugin: its source, its manifest, and the hook contract in a made-up run; exit code 3 when it fails. */
export async function checkPlugin(use: string, settings: unknown, json: boolean): Promise<void> {
  const entry = resolveModule("plugin", use, process.cwd());
  const findings = analyseSource(entry);
  const { plugin, bundle } = await buildPlugin(use, process.cwd());
  const contract = await tryContract(use, process.cwd(), settings === undefined ? {} : { with: settings });
  const hasFailed = findings.some(({ severity }) => severity === "error") || contract.some(({ isKept }) => !isKept);
  if (hasFailed) process.exitCode = 3;
  const manifest = manifestOf(plugin);
  if (json) {
    const line = { type: "plugin", entry, hash: bundle.hash, ...manifest, findings, contract, ok: !hasFailed };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  print(entry, bundle.hash, manifest, findings, contract, hasFailed);
}

/** What a plugin says of itself. */
function manifestOf(plugin: Plugin): {
  readonly name: string;
  readonly version: string;
  readonly api: number;
  readonly description: string;
  readonly modes: readonly string[];
  readonly hooks: readonly {
    readonly hook: string;
    readonly reads: readonly string[];
    readonly writes: readonly string[];
  }[];
  readonly configSchema: unknown;
} {
  const { name, version, api, description, modes = [], config } = plugin;
  const hooks = Object.entries(plugin.hooks).map(([hook, { reads = [], writes = [] }]) => ({ hook, reads, writes }));
  // A schema may hold what JSON Schema cannot say; that part is then any value.
  const configSchema = z.toJSONSchema(config, { unrepresentable: "any", io: "input" });
  return { name, version, api, description, modes, hooks, configSchema };
}

function print(
  entry: string,
  hash: string,
  manifest: ReturnType<typeof manifestOf>,
  findings: readonly SourceFinding[],
  contract: readonly ContractResult[],
  hasFailed: boolean,
): void {
  const paint = paintFor(process.stdout);
  const mark = (isGood: boolean): string => (isGood ? paint("green", "✓") : paint("red", "✗"));
  const lines = [
    `${manifest.name} ${manifest.version}+${hash} (API ${manifest.api}) · ${relative(process.cwd(), entry)}`,
    manifest.description,
    "",
    textTable(manifest.hooks, [
      { title: "hook", cell: ({ hook }) => hook },
      { title: "reads", cell: ({ reads }) => reads.join(" ") },
      { title: "writes", cell: ({ writes }) => writes.join(" ") },
    ]),
    "",
    `${mark(!findings.some(({ severity }) => severity === "error"))} source        types, imports, chance and time`,
    ...findings.map(({ severity, place, rule, message }) => `    ${severity} ${place} ${rule}: ${message}`),
    ...contract.map(({ promise, isKept, problem }) => `${mark(isKept)} ${`${promise.padEnd(14)}${problem}`.trimEnd()}`),
    "",
    hasFailed ? "not fit for a run; see above" : "fit for a run",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
