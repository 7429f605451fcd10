import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { cacheDirectory, runsDirectory } from "../../src/config/paths.js";
import { loadEngine } from "../../src/engines/load-engine.js";
import { TroupeError } from "../../src/error-catalogue.js";
import { runConfigSchema } from "../../src/config/run-config.js";
import { memoryText } from "../../src/engines/memory-check.js";
import type { ModelShape } from "../../src/engines/policy-engine.js";
import { machineLine } from "../machine.js";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do when it is not ok. */
  readonly fix: string;
}

const LOW_DISK_BYTES = 500 * 2 ** 20;

/** `troupe doctor`: what a run needs of this machine, and what to do about what is missing. */
export function define(command: Command, program: Command): void {
  command.action(async () => {
    const checks = [
      checkNode(),
      await checkEngine(),
      await checkGpu(),
      await checkMemoryOfMachine(),
      checkWritable("runs folder", runsDirectory()),
      checkWritable("cache", cacheDirectory()),
    ];
    if (program.opts<{ json?: boolean }>().json) {
      for (const check of checks) process.stdout.write(`${JSON.stringify({ type: "check", ...check })}\n`);
    } else {
      process.stdout.write(`${machineLine()}\n`);
      for (const { name, ok, found, fix } of checks)
        process.stdout.write(`${ok ? "✓" : "✗"} ${name.padEnd(12)} ${found}${ok ? "" : `\n  Fix: ${fix}`}\n`);
    }
    if (checks.some(({ ok }) => !ok)) process.exitCode = 2;
  });
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return {
    name: "node",
    ok: major > 20 || (major === 20 && minor >= 19),
    found: process.versions.node,
    fix: "Install Node 20.19 or newer",
  };
}

/** Enough to see that an engine starts. */
const SMALLEST_SHAPE: ModelShape = {
  vocabSize: 32,
  hiddenSize: 16,
  layers: 1,
  heads: 1,
  kvHeads: 1,
  headSize: 16,
  intermediateSize: 16,
  maxPositions: 16,
  ropeTheta: 1e4,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};

async function checkEngine(): Promise<Check> {
  const name = runConfigSchema.shape.policy.shape.engine.parse(undefined);
  try {
    const module = await loadEngine(name);
    const engine = await module.createEngine({ shape: SMALLEST_SHAPE, seed: 1 });
    const found = `${name}: ${engine.description}`;
    engine.dispose();
    return { name: "engine", ok: true, found, fix: "" };
  } catch (error) {
    return {
      name: "engine",
      ok: false,
      found: `${name}: ${String(error)}`,
      fix: "Run `npm run build`; it needs a C++17 compiler",
    };
  }
}

/** Nobody needs a GPU: that there is none is an answer, not a fault. */
async function checkGpu(): Promise<Check> {
  const fix = "";
  try {
    const module = await loadEngine(runConfigSchema.shape.policy.shape.engine.parse(undefined));
    const engine = await module.createEngine({ shape: SMALLEST_SHAPE, seed: 1, device: "cuda" });
    const found = engine.description;
    engine.dispose();
    return { name: "gpu", ok: true, found, fix };
  } catch (error) {
    const [problem, hint] = error instanceof TroupeError ? [error.message, error.hint] : [String(error), ""];
    return { name: "gpu", ok: true, found: `none in use. ${problem}. ${hint}`, fix };
  }
}

/** A policy of half a billion parameters, as a measure. */
const HALF_BILLION: ModelShape = {
  vocabSize: 151_936,
  hiddenSize: 896,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  headSize: 64,
  intermediateSize: 4864,
  maxPositions: 32_768,
  ropeTheta: 1e6,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: false,
  qkvBias: true,
};

async function checkMemoryOfMachine(): Promise<Check> {
  const { memoryReport } = await loadEngine(runConfigSchema.shape.policy.shape.engine.parse(undefined));
  const use = { trains: true, keepsReference: false, sequences: 64, sequenceTokens: 1024 };
  const report = memoryReport?.({ shape: HALF_BILLION, seed: 1 }, use);
  const found = report ? `a 0.5 B policy trains in ${memoryText(report)}` : "the engine does not say what it needs";
  return { name: "memory", ok: true, found, fix: "" };
}

function checkWritable(name: string, directory: string): Check {
  for (let at = directory; ; at = dirname(at)) {
    try {
      accessSync(at, constants.W_OK);
      const { bavail, bsize } = statfsSync(at);
      const free = bavail * bsize;
      return {
        name,
        ok: free > LOW_DISK_BYTES,
        found: `${directory} (${(free / 2 ** 30).toFixed(1)} GB free)`,
        fix: "Free some space, or set TROUPE_RUNS and TROUPE_HOME to another disk",
      };
    } catch (error) {
      // Folders are made when they are needed: the nearest one that exists decides.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || at === dirname(at))
        return {
          name,
          ok: false,
          found: `${directory}: ${String(error)}`,
          fix: "Make the folder writable, or set TROUPE_RUNS and TROUPE_HOME to another",
        };
    }
  }
}
