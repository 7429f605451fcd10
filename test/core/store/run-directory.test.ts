import { spawn } from "node:child_process";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findRun, RunDirectory } from "../../../core/src/store/run-directory.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "troupe-store-"));
});
afterEach(() => rm(root, { recursive: true }));

describe("RunDirectory.create()", () => {
  it("numbers runs from 1 and writes run.json", async () => {
    const first = await RunDirectory.create({ root, name: "Demo, twice!" });
    const second = await RunDirectory.create({ root, name: "gsm8k", about: { seed: 7 } });
    expect([first.id, second.id]).toEqual(["0001-demo-twice", "0002-gsm8k"]);
    expect(JSON.parse(await readFile(second.about, "utf8"))).toEqual({ format: 1, name: "gsm8k", seed: 7 });
  });

  it("gives every one of many simultaneous runs a number of its own", async () => {
    const runs = await Promise.all(
      Array.from({ length: 12 }, (_, i) => RunDirectory.create({ root, name: `run ${i % 3}` })),
    );
    expect(new Set(runs.map((run) => run.id.slice(0, 4))).size).toBe(12);
  });

  it("counts past 9999", async () => {
    await mkdir(join(root, "9999-old"));
    expect((await RunDirectory.create({ root, name: "new" })).id).toBe("10000-new");
  });
});

describe("a root that is no folder", () => {
  it("is refused with RUNS_FOLDER_NOT_USABLE, exit code 4, naming it", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    const wanted = { code: "RUNS_FOLDER_NOT_USABLE", exitCode: 4, message: expect.stringContaining(file) };
    await expect(RunDirectory.create({ root: file, name: "a" })).rejects.toMatchObject(wanted);
    await expect(RunDirectory.create({ root: join(file, "in"), name: "a" })).rejects.toMatchObject(wanted);
    await expect(findRun(file)).rejects.toMatchObject(wanted);
  });
});

describe("RunDirectory.discardUnlessBegun()", () => {
  it("removes a run without a step, a checkpoint and a recorded sample, and keeps one that has any, in an arm too", async () => {
    const make = (): Promise<RunDirectory> => RunDirectory.create({ root, name: "a" });
    const [empty, stepped, saved, evaluated] = [await make(), await make(), await make(), await make()];
    await writeFile(empty.metrics, "");
    await writeFile(stepped.metrics, "{}\n");
    await mkdir(join((await saved.arm("one")).checkpoints, "000000"), { recursive: true });
    // An evaluation before the first step: another mode's may have failed after it.
    await mkdir(evaluated.rollouts, { recursive: true });
    await writeFile(join(evaluated.rollouts, "eval-default-000000.jsonl"), "{}\n");
    const discarded = await Promise.all([empty, stepped, saved, evaluated].map((run) => run.discardUnlessBegun()));
    expect(discarded).toEqual([true, false, false, false]);
    await expect(findRun(root, "1")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    expect((await findRun(root, "2")).path).toBe(stepped.path);
  });
});

describe("findRun()", () => {
  it("finds the newest of a name", async () => {
    await RunDirectory.create({ root, name: "my run" });
    const second = await RunDirectory.create({ root, name: "my run" });
    await RunDirectory.create({ root, name: "other" });
    expect((await findRun(root, "my-run")).path).toBe(second.path);
  });

  it("finds by number, folder name, path, and the newest by default", async () => {
    const first = await RunDirectory.create({ root, name: "a" });
    const second = await RunDirectory.create({ root, name: "b" });
    expect((await findRun(root, "1")).path).toBe(first.path);
    expect((await findRun(root, "0001")).path).toBe(first.path);
    expect((await findRun(root, "0002-b")).path).toBe(second.path);
    expect((await findRun("elsewhere", first.path)).path).toBe(first.path);
    expect((await findRun(root)).path).toBe(second.path);
  });

  it("fails with RUN_NOT_FOUND, exit code 4, naming what is there", async () => {
    await RunDirectory.create({ root, name: "a" });
    await expect(findRun(root, "7")).rejects.toMatchObject({
      code: "RUN_NOT_FOUND",
      exitCode: 4,
      message: expect.stringContaining("0001-a"),
    });
    await expect(findRun(join(root, "none"))).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });
});

describe("RunDirectory.lock()", () => {
  it("fails with RUN_LOCKED, exit code 75, naming the process while it is held", async () => {
    const run = await RunDirectory.create({ root, name: "a" });
    const lock = await run.lock();
    await expect(run.lock()).rejects.toMatchObject({
      code: "RUN_LOCKED",
      exitCode: 75,
      message: expect.stringContaining(`${process.pid}`),
    });
    await lock.release();
    const next = await run.lock();
    expect([lock.attempt, next.attempt]).toEqual([1, 2]);
  });

  it("takes over from a dead process and from a later process with the same id", async () => {
    const run = await RunDirectory.create({ root, name: "a" });
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => child.once("exit", resolve));
    await mkdir(join(run.path, "attempts"));
    await writeFile(
      join(run.path, "attempts", "0001.json"),
      JSON.stringify({ pid: child.pid, processStart: "1", released: false }),
    );
    const lock = await run.lock();
    expect(lock.attempt).toBe(2);
    await lock.release();
    await writeFile(
      join(run.path, "attempts", "0003.json"),
      JSON.stringify({ pid: process.pid, processStart: "1", released: false }),
    );
    expect((await run.lock()).attempt).toBe(4);
  });

  it("takes over when a power cut left the lock file empty", async () => {
    const run = await RunDirectory.create({ root, name: "a" });
    await mkdir(join(run.path, "attempts"));
    await writeFile(join(run.path, "attempts", "0001.json"), "");
    expect((await run.lock()).attempt).toBe(2);
  });

  it("lets one of many simultaneous takers win", async () => {
    const run = await RunDirectory.create({ root, name: "a" });
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => run.lock()));
    expect(taken.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});
