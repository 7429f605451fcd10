// Built code: a session's actors live on threads, which cannot load TypeScript.
import { loadConfig } from "../../core/dist/src/config/load-config.js";
import { runConfigSchema } from "../../core/dist/src/config/run-config.js";
import { RunSession } from "../../core/dist/src/run-session.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { writeTinyRun } from "./tiny-run.js";

/** A session of a tiny run, with its folder. */
export interface OpenSession {
  readonly session: RunSession;
  readonly path: string;
  /** The run once more, after the session was closed. */
  again(onEvent: (event: RunEvent) => void): Promise<RunSession>;
}

/** Starts a run of its own folder below `folder`, on a policy with random weights. */
export async function openSession(
  folder: string,
  settings: JsonObject,
  onEvent: (event: RunEvent) => void = () => {},
): Promise<OpenSession> {
  const { config, baseDirectory } = loadConfig(writeTinyRun(folder, settings), [], runConfigSchema);
  const directory = await RunDirectory.create({ root: `${folder}/runs`, name: config.name });
  const options = { config, baseDirectory, directory };
  return {
    session: await RunSession.open({ ...options, attempt: 1, onEvent }),
    path: directory.path,
    again: (listener) => RunSession.open({ ...options, attempt: 2, onEvent: listener }),
  };
}
