import type { RunEvent } from "../records/run-event.js";
import { field, JsonlWriter, readJsonl, type JsonlContent } from "./jsonl.js";
import type { SegmentOptions } from "./segments.js";

/** The events that `events.jsonl` keeps: steps stand in `metrics.jsonl`, samples among the rollouts. */
export type StoredEvent = Exclude<RunEvent, { readonly type: "step" | "sample" }>;

/** One line of `events.jsonl`. */
export type EventLine = StoredEvent & {
  /** Seconds of work since the run began, over all attempts. */
  readonly wallSeconds: number;
};

/** Whether an event belongs into `events.jsonl`. */
export function isStored(event: RunEvent): event is StoredEvent {
  return event.type !== "step" && event.type !== "sample";
}

/**
 * Opens `events.jsonl` at its end.
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export function openEvents(file: string, segments?: SegmentOptions): Promise<JsonlWriter<EventLine>> {
  return JsonlWriter.open(file, segments);
}

/**
 * Reads `events.jsonl`.
 * @throws LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export function readEvents(file: string): Promise<JsonlContent<EventLine>> {
  return readJsonl(file, (line) => {
    field(line, "type", "string");
    field(line, "part", "string");
    field(line, "wallSeconds", "number");
    // What tells events apart was checked; the rest stands as `openEvents` let it be written.
    return line as EventLine;
  });
}
