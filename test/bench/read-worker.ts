import { parentPort } from "node:worker_threads";
import { secondsOf } from "./repeat.js";

/** Order: read this many bytes over and over for that long. The answer is bytes per second. */
export interface ReadOrder {
  readonly bytes: number;
  readonly seconds: number;
}

let memory = Buffer.alloc(0);

parentPort?.on("message", (order: ReadOrder) => {
  void readFor(order).then((rate) => parentPort?.postMessage(rate));
});

/** Looking for a byte that is not there reads every one, with the widest loads that the C library knows. */
async function readFor({ bytes, seconds }: ReadOrder): Promise<number> {
  if (memory.length !== bytes) memory = Buffer.alloc(bytes, 1);
  const end = performance.now() + 1000 * seconds;
  let best = 0;
  while (performance.now() < end) {
    const once = await secondsOf(() => memory.indexOf(255));
    best = Math.max(best, bytes / once);
  }
  return best;
}
