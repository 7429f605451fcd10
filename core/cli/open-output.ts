import type { Writable } from "node:stream";

/** JSON lines on a stream that may read slowly, or go away. */
export interface Output {
  /** Waits while the reader has enough to read. Does nothing once the reader has gone. */
  line(record: object): Promise<void>;
  /** Waits until all is written. */
  end(): Promise<void>;
  /** Whether the reader has gone, as `head` does when it has its lines. */
  readonly isClosed: boolean;
}

/** Lines are gathered to this many characters: a write for each would cost more than most verdicts. */
const GATHERED = 2 ** 14;

/** Opens a stream for JSON lines; the stream stays open at the end. */
export function openOutput(stream: Writable): Output {
  let isClosed = false;
  let gathered = "";
  stream.on("error", (error) => {
    if (!("code" in error && error.code === "EPIPE")) throw error;
    isClosed = true;
  });
  const write = async (): Promise<void> => {
    const text = gathered;
    gathered = "";
    if (text === "" || isClosed) return;
    await new Promise<void>((resolve) => stream.write(text, () => resolve()));
  };
  return {
    async line(record) {
      gathered += `${JSON.stringify(record)}\n`;
      if (gathered.length >= GATHERED) await write();
    },
    end: write,
    get isClosed() {
      return isClosed;
    },
  };
}
