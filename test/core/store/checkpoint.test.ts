import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  findCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  pruneCheckpoints,
  readCheckpointState,
  saveCheckpoint,
} from "../../../core/src/store/checkpoint.js";
import { openLedger, readLedger } from "../../../core/src/store/ledger.js";
import { openMetrics, readMetrics } from "../../../core/src/store/metrics.js";
import { rewindTo } from "../../../core/src/store/rewind.js";
import { writeRollouts } from "../../../core/src/store/rollouts.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";

let root: string;
let run: RunDirectory;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "troupe-store-"));
  run = await RunDirectory.create({ root, name: "demo" });
});
afterEach(() => rm(root, { recursive: true }));

const save = (step: number, weights = `weights ${step}`) =>
  saveCheckpoint(run, step, async (folder) => {
    await writeFile(join(folder, "model.safetensors"), weights);
    return { step, words: [1, 2] };
  });

describe("saveCheckpoint()", () => {
  it("writes weights and state under the step's name, and the newest is found", async () => {
    await save(100);
    const saved = await save(200);
    expect(await latestCheckpoint(run)).toEqual(saved);
    expect(saved).toEqual({ step: 200, path: join(run.checkpoints, "000200") });
    expect(await readCheckpointState(saved)).toEqual({ step: 200, words: [1, 2] });
    expect(await readFile(join(saved.path, "model.safetensors"), "utf8")).toBe("weights 200");
  });

  it("shows nothing of a checkpoint that failed half way, and cleans up at the next", async () => {
    await save(100);
    const failing = saveCheckpoint(run, 200, async (folder) => {
      await writeFile(join(folder, "model.safetensors"), "half");
      throw new Error("stopped");
    });
    await expect(failing).rejects.toThrow("stopped");
    expect((await latestCheckpoint(run))?.step).toBe(100);
    await save(300);
    expect(await readdir(run.checkpoints)).toEqual(["000100", "000300"]);
  });

  it("replaces a checkpoint of the same step", async () => {
    await save(100, "old");
    const { path } = await save(100, "new");
    expect(await readFile(join(path, "model.safetensors"), "utf8")).toBe("new");
    expect(await readdir(run.checkpoints)).toEqual(["000100"]);
  });
});

describe("pruneCheckpoints()", () => {
  it("keeps the newest, and always one", async () => {
    for (const step of [1, 2, 3, 4]) await save(step);
    await pruneCheckpoints(run, 2);
    expect((await listCheckpoints(run)).map(({ step }) => step)).toEqual([3, 4]);
    await pruneCheckpoints(run, 0);
    expect((await listCheckpoints(run)).map(({ step }) => step)).toEqual([4]);
  });
});

describe("findCheckpoint()", () => {
  it("fails with CHECKPOINT_NOT_FOUND for a step without one", async () => {
    await save(1);
    await expect(findCheckpoint(run, 2)).rejects.toMatchObject({ code: "CHECKPOINT_NOT_FOUND", exitCode: 4 });
  });
});

describe("readCheckpointState()", () => {
  it("fails with LINE_UNREADABLE when the state is no JSON object", async () => {
    await mkdir(join(run.checkpoints, "000001"), { recursive: true });
    await writeFile(join(run.checkpoints, "000001", "state.json"), "7");
    await expect(readCheckpointState(await findCheckpoint(run, 1))).rejects.toMatchObject({ code: "LINE_UNREADABLE" });
  });
});

describe("rewindTo()", () => {
  it("moves metrics, ledger, rollouts and checkpoints past the step aside", async () => {
    const metrics = await openMetrics(run.metrics);
    const ledger = await openLedger(run.ledger);
    for (const step of [1, 2, 3]) {
      metrics.append({
        step,
        stage: "rl",
        version: step,
        trainTokens: 10 * step,
        metrics: { "reward/mean": step === 2 ? NaN : 1 },
        wallSeconds: step,
      });
      ledger.append({ step, version: step, samples: [] });
      await writeRollouts(run.rollouts, step, []);
      await save(step);
    }
    await Promise.all([metrics.close(), ledger.close()]);

    expect(await rewindTo(run, 2, 5)).toBe(1);

    const kept = (await readMetrics(run.metrics)).lines;
    expect(kept.map(({ step }) => step)).toEqual([1, 2]);
    expect(kept[1]?.metrics["reward/mean"]).toBeNaN();
    expect((await readLedger(run.ledger)).lines.map(({ step }) => step)).toEqual([1, 2]);
    expect((await readLedger(`${run.ledger}.aside-5`)).lines.map(({ step }) => step)).toEqual([3]);
    expect(await readdir(run.rollouts)).toEqual([
      "000001.jsonl",
      "000001.tok.bin",
      "000002.jsonl",
      "000002.tok.bin",
      "aside-5",
    ]);
    expect(await readdir(join(run.rollouts, "aside-5"))).toEqual(["000003.jsonl", "000003.tok.bin"]);
    expect((await latestCheckpoint(run))?.step).toBe(2);
    expect(await readdir(join(run.checkpoints, "aside-5"))).toEqual(["000003"]);
  });
});
