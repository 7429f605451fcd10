import { createHash } from "node:crypto";
import { field, JsonlWriter, readJsonl, type JsonlContent } from "./jsonl.js";
import type { SegmentOptions } from "./segments.js";

/** One sample that an update consumed. */
export interface LedgerSample {
  /** Trajectory id. */
  readonly id: string;
  readonly task: string;
  /** `hashTokens` of prompt and response. */
  readonly tokens: string;
  readonly reward: number;
  /** Of the whole sample; the mean where tokens have advantages of their own. */
  readonly advantage: number;
}

/** One line of `ledger.jsonl`: what one step consumed. Two runs that agree here trained on the same samples. */
export interface LedgerLine {
  readonly step: number;
  /** Policy version after the step. */
  readonly version: number;
  readonly samples: readonly LedgerSample[];
}

/** First 16 hexadecimal digits of the SHA-256 of token ids, each as 4 little-endian bytes. */
export function hashTokens(tokens: Int32Array): string {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/**
 * Opens `ledger.jsonl` at its end.
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export function openLedger(file: string, segments?: SegmentOptions): Promise<JsonlWriter<LedgerLine>> {
  return JsonlWriter.open(file, segments);
}

/**
 * Reads `ledger.jsonl`.
 * @throws LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export function readLedger(file: string): Promise<JsonlContent<LedgerLine>> {
  return readJsonl(file, (line) => {
    field(line, "step", "number");
    field(line, "version", "number");
    field(line, "samples", "object");
    // What orders the lines was checked; the samples stand as `openLedger` let them be written.
    return line as LedgerLine;
  });
}
