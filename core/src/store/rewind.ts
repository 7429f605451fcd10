import { mkdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { listCheckpoints } from "./checkpoint.js";
import { onFile } from "./durable-files.js";
import { truncateAfterStep } from "./jsonl.js";
import { looseFiles, reopenSegments } from "./rollout-segments.js";
import type { RunDirectory } from "./run-directory.js";

/**
 * Takes a run back to a step: everything later is moved aside, nothing is deleted. Lines of metrics, events and
 * ledger go to `<file>.aside-<attempt>`; rollouts and checkpoints to a folder `aside-<attempt>` beside them.
 *
 * @param attempt number of the attempt that goes back, from the run's lock
 * @param options seconds: when the state that is gone back to was taken, seconds into the run: events before it belong to
 *   it, such as a change of plugins for the step to come; keepRollouts: rollouts stay where they are
 * @returns the number of steps in `metrics.jsonl` that were moved
 * @throws LINE_UNREADABLE, DISK_FULL, FILE_NOT_PERMITTED
 */
export async function rewindTo(
  run: RunDirectory,
  step: number,
  attempt: number,
  options: { readonly seconds?: number; readonly keepRollouts?: boolean } = {},
): Promise<number> {
  // Newest checkpoint first and lines last: after a crash in between, the newest checkpoint still has all its lines.
  for (const checkpoint of (await listCheckpoints(run)).toReversed()) {
    if (checkpoint.step > step) await moveAside(run.checkpoints, [basename(checkpoint.path)], attempt);
  }
  const steps = await truncateAfterStep(run.metrics, step, attempt);
  await truncateAfterStep(run.events, step, attempt, options.seconds);
  await truncateAfterStep(run.ledger, step, attempt);
  if (options.keepRollouts !== true) await setRolloutsAside(run, step, attempt);
  return steps;
}

/** Moves rollouts of every step after one aside. @throws DISK_FULL, FILE_NOT_PERMITTED */
export async function setRolloutsAside(run: RunDirectory, step: number, attempt: number): Promise<void> {
  await reopenSegments(run.rollouts, step, join(run.rollouts, `aside-${attempt}`));
  const late = (await looseFiles(run.rollouts)).filter((file) => file.step > step);
  await moveAside(
    run.rollouts,
    late.map(({ name }) => name),
    attempt,
  );
}

async function moveAside(directory: string, names: readonly string[], attempt: number): Promise<void> {
  if (names.length === 0) return;
  const aside = join(directory, `aside-${attempt}`);
  await onFile(aside, "write", async () => {
    await mkdir(aside, { recursive: true });
    for (const name of names) await rename(join(directory, name), join(aside, name));
  });
}
