import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonlWriter } from "../../../core/src/store/jsonl.js";
import { keepWithin, readDropped } from "../../../core/src/store/retention.js";
import { closeRollouts } from "../../../core/src/store/rollout-segments.js";
import {
  listRollouts,
  readRollouts,
  readStep,
  readTrajectory,
  writeRollouts,
} from "../../../core/src/store/rollouts.js";
import { rewindTo } from "../../../core/src/store/rewind.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { describedRollout as rollout } from "./rollout-example.js";

let root: string;
let run: RunDirectory;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "troupe-rollouts-"));
  run = await RunDirectory.create({ root, name: "r" });
  folder = run.rollouts;
});
afterEach(() => rm(root, { recursive: true }));

function samples(step: number): readonly ReturnType<typeof rollout>[] {
  return [rollout(`${step}/0/0`, [1, 2, 3, step], 0.5), rollout(`${step}/0/1`, [4, 5, step])];
}

/** Writes steps of about 1,800 bytes each, with an evaluation at step 2. */
async function write(from: number, to: number): Promise<void> {
  for (let step = from; step <= to; step++) await writeRollouts(folder, step, samples(step));
  if (from <= 2) await writeRollouts(folder, 2, [rollout("eval/default/2/0/0", [1, 2, 3])], "default");
}

async function readBack(from: number, to: number): Promise<void> {
  for (let step = from; step <= to; step++) expect(await readStep(folder, step), `step ${step}`).toEqual(samples(step));
}

async function names(): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith("aside"));
}

describe.each([false, true])("closeRollouts() with compress %s", (compress) => {
  const options = { segmentBytes: 5_000, compress };

  it("puts whole steps into archives, oldest first, that are read like loose ones", async () => {
    await write(1, 8);
    await closeRollouts(folder, 7, options);
    const files = await names();
    expect(files.filter((name) => name.endsWith(".tar")).length).toBe(2);
    expect(files).toContain("000008.jsonl");
    await readBack(1, 8);
    expect((await readTrajectory(folder, "eval/default/2/0/0"))?.tokens.tokens).toEqual(Int32Array.of(1, 2, 3));
    expect((await readTrajectory(folder, "3/0/1"))?.record.id).toBe("3/0/1");
    expect(await listRollouts(folder)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((step) => `00000${step}`).concat("eval-default-000002"),
    );
    // Nothing of ours is needed to read them.
    const tar = files.find((name) => name.endsWith(".tar")) ?? "";
    const listed = execFileSync("tar", ["tf", join(folder, tar)], { encoding: "utf8" });
    expect(listed.split("\n").slice(0, 3)).toEqual([
      "index.json",
      ...["jsonl", "tok.bin"].map((kind) => `000001.${kind}${compress ? ".gz" : ""}`),
    ]);
  });

  it("doubles and loses nothing when a kill falls before the archive is whole, or before the loose files are gone", async () => {
    await write(1, 4);
    await mkdir(join(root, "copy"));
    const loose = await names();
    for (const name of loose) await copyFile(join(folder, name), join(root, "copy", name));
    await writeFile(join(folder, "000001-000003.tar.tmp"), "half");
    await readBack(1, 4);
    await closeRollouts(folder, 4, options);
    for (const name of loose) await copyFile(join(root, "copy", name), join(folder, name));
    await readBack(1, 4);
    expect((await listRollouts(folder)).length).toBe(5);
    await closeRollouts(folder, 4, options);
    expect((await names()).filter((name) => /^000001(\.|-.*tmp)/.test(name))).toEqual([]);
    await readBack(1, 4);
  });

  it("gives back the steps before the one that a run rewinds to", async () => {
    await write(1, 8);
    await closeRollouts(folder, 8, options);
    await rewindTo(run, 2, 5);
    await readBack(1, 2);
    expect(await readRollouts(folder, 3)).toEqual([]);
    expect((await readTrajectory(folder, "eval/default/2/0/0"))?.record.task).toBe("sum/1");
    await write(3, 8);
    await closeRollouts(folder, 8, options);
    await readBack(1, 8);
  });
});

describe("keepWithin()", () => {
  async function ledger(to: number): Promise<void> {
    const writer = await JsonlWriter.open<object>(run.ledger, { segmentBytes: 100, compress: false });
    for (let step = 1; step <= to; step++) {
      writer.append({ step, version: step, samples: [], about: "x".repeat(90) });
      await writer.flush();
    }
    await writer.close();
  }

  it("drops the oldest first, says how far, and keeps what is newer than the checkpoint", async () => {
    await write(1, 8);
    await ledger(8);
    await closeRollouts(folder, 6, { segmentBytes: 5_000, compress: false });
    expect(await keepWithin(run, 1_000_000, 6)).toBeUndefined();
    expect(await readDropped(run)).toEqual({ rolloutsTo: -1 });
    const report = await keepWithin(run, 12_000, 6);
    const { rolloutsTo } = await readDropped(run);
    expect(rolloutsTo).toBeGreaterThan(0);
    expect(report).toMatchObject({ to: rolloutsTo });
    expect(report?.left).toBeLessThanOrEqual(12_000);
    expect(await readRollouts(folder, rolloutsTo)).toEqual([]);
    await readBack(rolloutsTo + 1, 8);
    const last = await keepWithin(run, 1, 6);
    expect(last?.to).toBe(6);
    expect(last?.left).toBeGreaterThan(1);
    await readBack(7, 8);
    const lines = await readdir(run.path);
    expect(lines.filter((name) => name.startsWith("ledger."))).toEqual([
      "ledger.000007.jsonl",
      "ledger.000008.jsonl",
      "ledger.jsonl",
    ]);
  });

  it("drops what earlier attempts had set aside before anything else", async () => {
    await write(1, 4);
    await rewindTo(run, 2, 9);
    const before = await readdir(folder);
    expect(before).toContain("aside-9");
    expect(await keepWithin(run, 7_000, 2)).toMatchObject({ to: -1 });
    expect(await readdir(folder)).toEqual(before.filter((name) => name !== "aside-9"));
    await readBack(1, 2);
  });
});
