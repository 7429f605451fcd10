import { stat } from "node:fs/promises";
import { systemClock } from "../src/actors/clock.js";
import { seconds } from "../src/actors/diagnosis.js";
import { runsDirectory } from "../src/config/paths.js";
import { errors } from "../src/errors.js";
import { readActors, type ActorsRecord } from "../src/store/actors-file.js";
import { findRun, type RunDirectory } from "../src/store/run-directory.js";

/** Older reports of a live run say that its own thread is held up. */
const SILENT_MS = 5_000;

/** What is known of a run's actors, and how fresh it is. */
export interface RunActors {
  /** Run, and arm when it has some: "0007-demo tfpi". */
  readonly title: string;
  readonly record: ActorsRecord;
  readonly state: "live" | "silent" | "finished" | "died";
  /** One line: whether the run lives, and how old the report is. */
  readonly freshness: string;
}

/**
 * The actors of a run, or of the arm that wrote last.
 *
 * @throws RUN_NOT_FOUND, ACTORS_NOT_KNOWN
 */
export async function runActors(wanted: string | undefined): Promise<RunActors> {
  const run = await findRun(runsDirectory(), wanted);
  const newest = await newestPart(run);
  if (!newest) throw errors.actorsNotKnown({ run: run.id });
  const record = await readActors(newest.actors, run.id);
  const live = await run.liveAttempt();
  const ageMs = systemClock.now() - record.at;
  const age = `${seconds(ageMs)} ago`;
  const title = newest.path === run.path ? run.id : `${run.id} ${newest.id}`;
  if (live?.pid === record.pid && !record.ended)
    return ageMs > SILENT_MS
      ? {
          title,
          record,
          state: "silent",
          freshness: `process ${record.pid} lives, and its driver has said nothing for ${seconds(ageMs)}: its own thread is held up`,
        }
      : { title, record, state: "live", freshness: `live, process ${record.pid}, as of ${age}` };
  if (record.ended) return { title, record, state: "finished", freshness: `not live: it ended in order ${age}` };
  return {
    title,
    record,
    state: "died",
    freshness: `not live: process ${record.pid} died; it last said this ${age}. Go on with: troupe resume ${run.id}`,
  };
}

/** The run itself or one of its arms: whichever wrote of its actors last. */
async function newestPart(run: RunDirectory): Promise<RunDirectory | undefined> {
  let newest: { readonly part: RunDirectory; readonly at: number } | undefined;
  for (const part of [run, ...(await run.armsToRead())]) {
    const at = await stat(part.actors).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (at !== undefined && at > (newest?.at ?? -Infinity)) newest = { part, at };
  }
  return newest?.part;
}
