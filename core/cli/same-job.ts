import { isDeepStrictEqual } from "node:util";
import { listRuns, type RunDirectory } from "../src/store/run-directory.js";
import { readJobOf, type Job } from "./job-file.js";

/** The newest run below `root` that was made for this very job. */
export async function findRunOf(root: string, job: Job): Promise<RunDirectory | undefined> {
  const runs = await listRuns(root);
  return runs.findLast((run) => isMadeFor(run, job));
}

/** A run folder that this version cannot read is another job's. */
function isMadeFor(directory: RunDirectory, job: Job): boolean {
  try {
    return isDeepStrictEqual(plain(readJobOf(directory)), plain(job));
  } catch {
    return false;
  }
}

/** Without the keys that are undefined, which a file does not hold; the order of keys does not matter. */
function plain(job: Job): unknown {
  return JSON.parse(JSON.stringify(job));
}
