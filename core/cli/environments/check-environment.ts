import { relative } from "node:path";
import { z } from "zod";
import { loadEnvironment, type LoadedEnvironment } from "../../src/environments/environment-loader.js";
import { resolveModule } from "../../src/config/resolve-module.js";
import { tryEnvironment, type EnvironmentResult } from "../../src/plugin-kit/environment-kit.js";
import { analyseSource, type SourceFinding } from "../plugins/analyse-source.js";
import { paintFor } from "../render/paint.js";

/** Checks one environment: its source, and its contract; exit code 3 when it fails. */
export async function checkEnvironment(use: string, settings: unknown, json: boolean): Promise<void> {
  const entry = resolveModule("environment", use, process.cwd());
  const findings = analyseSource(entry, "environment");
  const loaded = await loadEnvironment(use, settings ?? {}, process.cwd());
  const contract = await tryEnvironment(use, process.cwd(), { with: settings ?? {} });
  const hasFailed = findings.some(({ severity }) => severity === "error") || contract.some(({ isKept }) => !isKept);
  if (hasFailed) process.exitCode = 3;
  if (json) {
    const about = { entry, hash: loaded.bundle.hash, ...manifestOf(loaded) };
    process.stdout.write(`${JSON.stringify({ type: "environment", ...about, findings, contract, ok: !hasFailed })}\n`);
    return;
  }
  print(entry, loaded, findings, contract, hasFailed);
}

/** What an environment says of itself. */
function manifestOf({ definition }: LoadedEnvironment) {
  const { name, version, description, config, episodes, teacher, judge } = definition;
  return {
    name,
    version,
    description,
    offers: [
      episodes === undefined ? "one answer" : "episodes",
      ...(teacher === undefined ? [] : ["teacher"]),
      ...(judge === undefined ? [] : ["judge"]),
    ],
    // A schema may hold what JSON Schema cannot say; that part is then any value.
    configSchema: z.toJSONSchema(config, { unrepresentable: "any", io: "input" }),
  };
}

function print(
  entry: string,
  loaded: LoadedEnvironment,
  findings: readonly SourceFinding[],
  contract: readonly EnvironmentResult[],
  hasFailed: boolean,
): void {
  const paint = paintFor(process.stdout);
  const mark = (isGood: boolean): string => (isGood ? paint("green", "✓") : paint("red", "✗"));
  const { name, version, description, offers } = manifestOf(loaded);
  const lines = [
    `${name} ${version}+${loaded.bundle.hash} · ${relative(process.cwd(), entry)}`,
    description,
    `offers ${offers.join(", ")}`,
    "",
    `${mark(!findings.some(({ severity }) => severity === "error"))} source        types, imports, chance`,
    ...findings.map(({ severity, place, rule, message }) => `    ${severity} ${place} ${rule}: ${message}`),
    ...contract.map(({ promise, isKept, problem }) => `${mark(isKept)} ${`${promise.padEnd(14)}${problem}`.trimEnd()}`),
    "",
    hasFailed ? "not fit for a run; see above" : "fit for a run",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
