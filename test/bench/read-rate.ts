import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ReadOrder } from "./read-worker.js";

/**
 * How fast all threads together read `bytes` again and again, each a part of its own: what reading the weights once per
 * decoding step is held against. Weights that fit a cache are read faster than memory can be.
 *
 * @param seconds how long each size is read for
 * @returns bytes per second, in the order of the sizes
 */
export async function readRates(sizes: readonly number[], threads: number, seconds: number): Promise<number[]> {
  const workers = Array.from({ length: threads }, () => new Worker(new URL("./read-worker.js", import.meta.url)));
  try {
    const rates: number[] = [];
    for (const bytes of sizes) {
      const order: ReadOrder = { bytes: Math.ceil(bytes / threads), seconds };
      const parts = await Promise.all(
        workers.map(async (worker) => {
          worker.postMessage(order);
          const [rate]: unknown[] = await once(worker, "message");
          return Number(rate);
        }),
      );
      rates.push(parts.reduce((sum, rate) => sum + rate, 0));
    }
    return rates;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
