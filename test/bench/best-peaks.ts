import { measurePeaks, type Peaks } from "@troupe/gpu";

/** Threads together that do not reach this many times one thread shared their cores with others, or have one between them. */
const MANY_TO_ONE = 1.5;

/**
 * Limits of the machine: the best of readings taken between the benchmarks, as other programs make a reading smaller and
 * never larger.
 */
export class BestPeaks {
  #best: Peaks | undefined;
  /** Readings that may be taken beyond one at a time, in the hope of a moment in which all threads run. */
  #spare = 20;

  async measure(): Promise<void> {
    await this.#read();
    while (!this.#sawAllThreads && this.#spare-- > 0) await this.#read();
  }

  /** What was found so far; `measure` has to have been called. */
  get best(): Peaks {
    if (!this.#best) throw new Error("Cannot tell the limits of the machine: nothing was measured yet");
    return this.#best;
  }

  /** What a reader of shares of a limit has to know. */
  get notes(): readonly string[] {
    if (this.#sawAllThreads) return [];
    return ["In no reading did all threads run at once: the limits are too low, and the shares of them too high."];
  }

  get #sawAllThreads(): boolean {
    const { threads, fmaOneThread, fmaAllThreads } = this.best;
    return threads === 1 || fmaAllThreads > MANY_TO_ONE * fmaOneThread;
  }

  async #read(): Promise<void> {
    const now = await measurePeaks();
    const best = this.#best ?? now;
    this.#best = {
      threads: now.threads,
      fmaOneThread: Math.max(best.fmaOneThread, now.fmaOneThread),
      fmaAllThreads: Math.max(best.fmaAllThreads, now.fmaAllThreads),
      bf16OneThread: Math.max(best.bf16OneThread, now.bf16OneThread),
      bf16AllThreads: Math.max(best.bf16AllThreads, now.bf16AllThreads),
      readOneThread: Math.max(best.readOneThread, now.readOneThread),
      readAllThreads: Math.max(best.readAllThreads, now.readAllThreads),
    };
  }
}
