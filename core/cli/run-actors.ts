import { systemClock } from "../src/actors/clock.js";
import { seconds } from "../src/actors/diagnosis.js";
import { runsDirectory } from "../src/config/paths.js";
import { TroupeError } from "../src/error-catalogue.js";
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
  const { part: newest, record } = await newestPart(run);
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

/** The run itself or one of its arms: whichever wrote of its actors last, and what that was. */
async function newestPart(run: RunDirectory): Promise<{ readonly part: RunDirectory; readonly record: ActorsRecord }> {
  const parts = [run, ...(await run.armsToRead())];
  const known = await Promise.all(
    parts.map((part) =>
      readActors(part.actors, run.id).then(
        (record) => [{ part, record }],
        (error: unknown) => {
          if (error instanceof TroupeError && error.code === "ACTORS_NOT_KNOWN") return [];
          throw error;
        },
      ),
    ),
  );
  const newest = known.flat().toSorted((a, b) => b.record.at - a.record.at)[0];
  if (!newest) throw errors.actorsNotKnown({ run: run.id });
  return newest;
}
