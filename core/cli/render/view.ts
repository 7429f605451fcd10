import type { JsonObject } from "../../src/records/json.js";
import type { RunEvent } from "../../src/records/run-event.js";

/** "tty": a live picture. "plain": lines for a log. "json": one JSON record a line, for programs. */
export type ViewMode = "tty" | "plain" | "json";

/** Shows a run while it goes. Events arrive in order; nothing is shown after `close`. */
export interface View {
  event(event: RunEvent): void;
  /** One line for people that stays. */
  note(line: string): void;
  /** Leaves the terminal as it was found; `done` goes into the last JSON record. Closing again does nothing. */
  close(done?: JsonObject): void;
}

/** What a view is made from. */
export interface ViewOptions {
  readonly mode: ViewMode;
  /** Takes the JSON records. */
  readonly stdout: NodeJS.WritableStream;
  /** Takes everything that people read. */
  readonly stderr: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
  /** One line each, shown first. */
  readonly header: readonly string[];
  /** The pieces of work to come, in order, so that the picture has its full size from the start. */
  readonly parts: readonly string[];
  /** The last line of the picture: what the reader can do. */
  readonly hint: string;
  /** Facts for the first JSON record. */
  readonly launch: JsonObject;
}

/** The mode for a stream: JSON when asked for, a picture on a terminal that can move its cursor, else lines. */
export function chooseMode(
  wanted: { readonly json: boolean; readonly plain: boolean },
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): ViewMode {
  if (wanted.json) return "json";
  const canMove = stream.isTTY === true && environment.TERM !== "dumb" && !environment.CI;
  return canMove && !wanted.plain ? "tty" : "plain";
}
