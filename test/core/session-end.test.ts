import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunSession } from "../../core/dist/src/run-session.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { openSession } from "../support/open-session.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;

test("RunSession.closeAfter() records failed work as failed; open() warns of a plugin that has changed", async () => {
  const events: RunEvent[] = [];
  const onEvent = (event: RunEvent): void => void events.push(event);
  const { session, path } = await openSession(folder, TINY, onEvent);
  await session.checkpoint({ ahead: [], carried: [] });
  const failure = new Error("no");
  const work = session.closeAfter(new AbortController().signal, () => Promise.reject(failure));
  await expect(work).rejects.toBe(failure);
  expect(events.at(-1)).toMatchObject({ type: "finished", reason: "failed" });

  const lock = join(path, "plugins.lock.json");
  expect(JSON.parse(readFileSync(lock, "utf8"))).toEqual({ dapo: expect.stringMatching(/^\d.*\+[0-9a-f]{16}$/) });
  const file = join(path, "checkpoints", "000000", "state.json");
  const state = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...state, pluginVersions: { dapo: "0.0.1+0" } }));
  const again = await RunSession.open({
    config: session.config,
    baseDirectory: folder,
    directory: await RunDirectory.open(path),
    attempt: 2,
    onEvent,
  });
  await again.close("finished");
  const warning = expect.objectContaining({ level: "warning", message: expect.stringContaining("dapo was 0.0.1+0") });
  expect(events).toContainEqual(warning);
});
