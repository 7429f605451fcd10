import { errors } from "../errors.js";

/** One line of a stream of lines. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without the newline; a byte order mark before the first line is gone. */
  readonly text: string;
  /** Where its bytes begin in the stream, and how many they are, the newline apart. */
  readonly start: number;
  readonly bytes: number;
}

const NEWLINE = 0x0a;
/** Whatever has longer lines is no file of lines. */
const MAX_LINE_BYTES = 32 * 2 ** 20;

/**
 * The lines of a stream of bytes, one at a time, so that memory does not grow with the stream. Empty lines are passed
 * over and counted.
 *
 * @param source names the stream in an error
 * @throws LINES_UNREADABLE when the stream fails, or a line is longer than 32 MiB
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>, source: string): AsyncGenerator<Line, void> {
  const chunks = stream[Symbol.asyncIterator]();
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let number = 0;
  let start = 0;
  const lineOf = (last: Uint8Array): Line | undefined => {
    const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last]);
    pending = [];
    pendingBytes = 0;
    number++;
    const place = { start, bytes: bytes.length };
    start += bytes.length + 1;
    const text = new TextDecoder().decode(bytes).replace(/\r$/, "");
    return text.trim() === "" ? undefined : { number, text, ...place };
  };
  for (;;) {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await chunks.next();
    } catch (cause) {
      throw errors.linesUnreadable({ source, problem: cause instanceof Error ? cause.message : String(cause) }, cause);
    }
    if (next.done === true) break;
    let from = 0;
    for (let end = next.value.indexOf(NEWLINE); end >= 0; end = next.value.indexOf(NEWLINE, from)) {
      const line = lineOf(next.value.subarray(from, end));
      if (line !== undefined) yield line;
      from = end + 1;
    }
    if (from === next.value.length) continue;
    pending.push(next.value.subarray(from));
    pendingBytes += next.value.length - from;
    if (pendingBytes > MAX_LINE_BYTES)
      throw errors.linesUnreadable({ source, problem: `line ${number + 1} has more than ${MAX_LINE_BYTES} bytes` });
  }
  const line = pendingBytes > 0 ? lineOf(new Uint8Array()) : undefined;
  if (line !== undefined) yield line;
}
