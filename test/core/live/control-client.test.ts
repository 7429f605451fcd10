import { join } from "node:path";
import { expect, test } from "vitest";
import { ControlBox } from "../../../core/src/live/control-box.js";
import { askLiveRun, isOpen } from "../../../core/src/live/control-client.js";
import { writeFileAtomically } from "../../../core/src/store/durable-files.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const run = { look: () => {}, carryOut: async () => ({ plugins: [], step: 1 }) };

test("isOpen() tells the attempt that works now from one that was killed", async () => {
  const directory = await RunDirectory.create({ root: join(folder, "open"), name: "live" });
  expect(isOpen(directory, 1)).toBe(false);
  const box = await ControlBox.open(directory.control, 1, run);
  expect([isOpen(directory, 1), isOpen(directory, 2)]).toEqual([true, false]);
  await box.close();
  expect(isOpen(directory, 1)).toBe(false);
});

test("askLiveRun() refuses a part whose process was killed, and is answered by one that works", async () => {
  const directory = await RunDirectory.create({ root: join(folder, "asked"), name: "live" });
  const ask = (part: RunDirectory) => askLiveRun(directory, part, { verb: "list" }, { waitMs: 30_000 });
  await expect(ask(directory)).rejects.toMatchObject({ code: "RUN_NOT_LIVE" });
  const lock = await directory.lock();
  const killed = await directory.arm("killed");
  await writeFileAtomically(join(killed.control, "open.json"), JSON.stringify({ attempt: lock.attempt + 1 }));
  await expect(ask(killed)).rejects.toMatchObject({ code: "RUN_NOT_LIVE" });
  const box = await ControlBox.open(directory.control, lock.attempt, run);
  expect(await ask(directory)).toEqual({ plugins: [], step: 1 });
  await box.close();
  await lock.release();
});
