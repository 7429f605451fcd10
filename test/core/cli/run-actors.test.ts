import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runActors } from "../../../core/cli/run-actors.js";
import { systemClock } from "../../../core/src/actors/clock.js";
import { ActorsFile, type ActorsRecord } from "../../../core/src/store/actors-file.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const before = process.env["TROUPE_RUNS"];
beforeAll(() => void (process.env["TROUPE_RUNS"] = folder));
afterAll(() => {
  if (before === undefined) delete process.env["TROUPE_RUNS"];
  else process.env["TROUPE_RUNS"] = before;
});

const deadLetters = { gone: 0, lost: 0, late: 0, failed: 0, full: 0 };
const report = (ageMs: number) => ({ at: systemClock.now() - ageMs, actors: [], waits: [], deadLetters, ends: [] });

test("runActors() tells a live run from a silent, a finished and a dead one, and reads the arm that wrote last", async () => {
  const run = await RunDirectory.create({ root: folder, name: "a" });
  await expect(runActors("1")).rejects.toMatchObject({ code: "ACTORS_NOT_KNOWN", details: { run: "0001-a" } });

  const lock = await run.lock();
  const write = (record: Partial<ActorsRecord>, path = run.actors): void =>
    writeFileSync(path, JSON.stringify({ ...report(0), pid: process.pid, attempt: 1, ended: false, ...record }));
  write({});
  expect(await runActors("1")).toMatchObject({ title: "0001-a", state: "live" });
  write(report(60_000));
  expect(await runActors("1")).toMatchObject({ state: "silent", freshness: expect.stringContaining("held up") });
  write({ pid: 2 ** 22 + 1 });
  expect(await runActors("1")).toMatchObject({ state: "died", freshness: expect.stringContaining("troupe resume") });

  const arm = await run.arm("tfpi");
  await new ActorsFile(arm.actors, 1).close(report(0));
  expect(await runActors("1")).toMatchObject({ title: "0001-a tfpi", state: "finished" });
  const told = await runTroupe(["why-stuck", "1"], { runs: folder, home: folder });
  expect(told.stdout).toContain("nothing holds it up: it is over");
  await lock.release();
});

test("ActorsFile goes on when its file cannot be written", async () => {
  const file = new ActorsFile(join(folder, "nowhere", "actors.json"), 1);
  file.write(report(0));
  await file.close(report(0));
});
