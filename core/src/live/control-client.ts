import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../actors/clock.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { writeFileAtomically } from "../store/durable-files.js";
import type { RunDirectory } from "../store/run-directory.js";
import type { ControlAnswer } from "./control-box.js";
import type { PluginChange, PluginChangeResult } from "./plugin-change.js";

const LOOK_EVERY_MS = 50;

/**
 * Asks a live run for a change and waits for its answer; the run carries it out between two steps.
 *
 * @param run the whole run, whose lock says whether a process works on it
 * @param part the same, or the arm of it that is trained now
 * @throws RUN_NOT_LIVE when no process works on it, or none does any more; and what the run refuses the change with
 */
export async function askLiveRun(
  run: RunDirectory,
  part: RunDirectory,
  change: PluginChange,
  options: { readonly waitMs: number },
): Promise<PluginChangeResult> {
  const live = await run.liveAttempt();
  if (!live) throw errors.runNotLive({ run: run.id, problem: "no process works on it" });
  if (!isOpen(part, live.attempt))
    throw errors.runNotLive({ run: run.id, problem: `"${part.id}" is not in training now` });
  const id = randomUUID();
  const request = join(part.control, `${id}.request.json`);
  const answer = join(part.control, `${id}.answer.json`);
  await writeFileAtomically(request, JSON.stringify({ attempt: live.attempt, change }));
  const deadline = systemClock.now() + options.waitMs;
  while (!existsSync(answer)) {
    const problem =
      (await run.liveAttempt())?.attempt !== live.attempt || !isOpen(part, live.attempt)
        ? "it ended before the change was made"
        : systemClock.now() > deadline
          ? `it has not answered within ${options.waitMs / 1000} s`
          : undefined;
    if (problem !== undefined && !existsSync(answer)) {
      await rm(request, { force: true });
      throw errors.runNotLive({ run: run.id, problem });
    }
    await new Promise<void>((resolve) => systemClock.after(LOOK_EVERY_MS, resolve));
  }
  // What a control box wrote.
  const given = JSON.parse(readFileSync(answer, "utf8")) as ControlAnswer;
  await rm(answer, { force: true });
  if (given.ok) return given.result;
  throw new TroupeError(given.code, given.message, { hint: given.hint, exitCode: 3 });
}

/** Whether a part of a run takes requests of this attempt; a process that was killed leaves the sign of an earlier one. */
export function isOpen(part: RunDirectory, attempt: number): boolean {
  const file = join(part.control, "open.json");
  if (!existsSync(file)) return false;
  // What a control box wrote, whole.
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly attempt: number }).attempt === attempt;
}
