import { describe, expect, it } from "vitest";
import { z } from "../../core/src/sdk.js";
import { runScript } from "../support/run-script.js";
import { middleOf, ratioOf, row, toJson } from "./row.js";

const jsonRow = z.strictObject({
  value: z.number(),
  unit: z.string().min(1),
  limit: z.number().nullable(),
  ratio: z.number().nullable(),
  peer: z.number().nullable(),
});
const report = z.record(z.string(), jsonRow);

/** A policy of a few thousand weights, and as little work as still touches every row. */
const TINY = `
  import { BestPeaks } from "SUPPORT/../bench/best-peaks.js";
  import { measureActors } from "SUPPORT/../bench/actors.js";
  import { measureEngine } from "SUPPORT/../bench/engine.js";
  import { measureStep } from "SUPPORT/../bench/step.js";
  import { measureVerify } from "SUPPORT/../bench/verify.js";
  import { SHAPE_2M } from "SUPPORT/../bench/engine-work.js";
  import { toJson } from "SUPPORT/../bench/row.js";
  import { mkdtempSync, rmSync } from "node:fs";
  import { tmpdir } from "node:os";
  import { join } from "node:path";

  const home = mkdtempSync(join(tmpdir(), "troupe-bench-test-"));
  process.env.TROUPE_HOME = home;
  const session = { progress: () => {}, peaks: new BestPeaks() };
  const shape = { ...SHAPE_2M, vocabSize: 40, hiddenSize: 16, layers: 1, heads: 2, kvHeads: 1, headSize: 8, intermediateSize: 16 };
  const engine = {
    shapes: [{ name: "1M", shape, isOnlyTrained: true }, { name: "2M", shape: { ...shape, layers: 2 }, isOnlyTrained: false }],
    batch: { count: 2, length: 16 },
    decodeBatches: [1, 64, 256],
    context: 16,
    comparedTokens: 1000,
    repetitions: { least: 3, seconds: 0 },
  };
  const step = { distillTokens: 1000, promptsPerStep: 2, groupSize: 2, maxTokens: 16, steps: 1 };
  const actors = { rounds: 1, asks: 5, inlineAsks: 5, asksInFlight: 70, tells: 1100, records: 1100, farAsks: 5, crashes: 1, swaps: { warmUp: 1, blocks: 3, swapsPerBlock: 2 }, step };
  const verify = { passes: 1, cases: 20, hasPeer: false, serve: { rounds: 1, items: 4, requests: 2 } };
  try {
    const found = [await measureVerify(verify, session), await measureEngine(engine, session), await measureStep(step, session), await measureActors(actors, session)];
    console.log(JSON.stringify(toJson(found.flatMap(({ rows }) => rows))));
  } finally {
    rmSync(home, { recursive: true });
  }
`;

describe("benchmarks", () => {
  it("give every promised row its value, unit, limit, ratio and peer", async () => {
    const { exitCode, stdout, stderr } = await runScript(TINY);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    const rows = report.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    expect(Object.keys(rows)).toEqual(
      expect.arrayContaining([
        ...[
          "verify/math/rate",
          "verify/math/p99",
          "verify/math/max",
          "verify/labelled/right",
          "serve/http",
          "serve/grpc",
        ],
        ...["sft/1M/fp32", "sft/2M/bf16", "score/2M/fp32", "mismatch/bits"],
        ...["decode/2M/b1/fp32", "decode/2M/b64/bf16", "decode/2M/b256/fp32"],
        ...["busy/sft/2M/fp32", "busy/decode/2M/b64/bf16"],
        ...["step/generate/share", "step/train/share", "step/other/share", "step/tokens"],
        ...[
          "ask/thread",
          "ask/thread/64",
          "tell/thread",
          "ring/thread",
          "ask/inline",
          "ask/process",
          "ask/grpc",
          "overhead/step",
          "move/1MB/thread",
          "tell/process",
          "tell/grpc",
          "crash/down/thread",
          "crash/back/process",
          "swap/pause/p99",
          "swap/kept",
          "swap/kept/threads",
        ],
      ]),
    );
    expect(rows["mismatch/bits"]).toEqual({ value: 0, unit: "tokens", limit: 0, ratio: null, peer: null });
    for (const name of ["sft/1M/fp32", "decode/2M/b1/bf16", "step/tokens", "ask/thread", "tell/thread"]) {
      const { value, limit, ratio } = rows[name] ?? { value: NaN, limit: null, ratio: null };
      expect(ratio, name).toBe(value / (limit ?? NaN));
    }
    const shares = ["generate", "verify", "train", "publish", "store", "other"].map(
      (part) => rows[`step/${part}/share`]?.value ?? NaN,
    );
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    // Every area in turn, which a busy machine takes minutes for.
  });

  it("are known by area, and another word is refused with those that are", async () => {
    const { exitCode, stdout, stderr } = await runScript(
      'process.argv[2] = "speed"; await import("SUPPORT/../bench/main.js");',
    );
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: 'Cannot run the benchmark "speed": there are engine, step, actors, verify, sandbox\n',
    });
  });
});

describe("row()", () => {
  it("has no ratio when it has no limit or a limit of 0", () => {
    const middle = middleOf([3, 1, 2]);
    expect(ratioOf(row("a", "s", middle))).toBeNull();
    expect(ratioOf(row("a", "s", middle, 0))).toBeNull();
    expect(toJson([row("a", "s", middle, 4)])).toEqual({
      a: { value: 2, unit: "s", limit: 4, ratio: 0.5, peer: null },
    });
  });
});
