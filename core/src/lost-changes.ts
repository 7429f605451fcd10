import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ASKED_FOR, type AppliedChange } from "./live/plugin-host.js";
import { readEvents } from "./store/events.js";
import type { RunDirectory } from "./store/run-directory.js";

/**
 * Changes of plugins that people asked for and that a checkpoint knows nothing of, in the order of their steps: going back
 * to it would forget them. Those that earlier attempts set aside are among them, as an attempt may end before it makes
 * them again.
 *
 * @param step of the checkpoint
 * @param seconds when it was made, seconds into the run
 * @throws LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export async function lostChanges(run: RunDirectory, step: number, seconds: number): Promise<readonly AppliedChange[]> {
  const isEvents = (name: string): boolean => name.startsWith(`${basename(run.events)}.aside-`);
  const aside = (await readdir(run.path)).filter(isEvents).map((name) => join(dirname(run.events), name));
  const found = new Map<string, AppliedChange>();
  for (const file of [...aside, run.events])
    for (const event of (await readEvents(file)).lines) {
      if (event.type !== "plugin" || event.reason !== ASKED_FOR) continue;
      if (event.step > step && event.wallSeconds > seconds)
        found.set([event.step, event.plugin, event.action, event.to].join(" "), event);
    }
  return [...found.values()].toSorted((a, b) => a.step - b.step);
}
