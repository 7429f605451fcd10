import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Piscina } from "piscina";
import { errors } from "../errors.js";
import { systemClock, type Clock } from "./clock.js";
import { decodeError } from "./error-codec.js";
import type { TaskAnswer, TaskOrder } from "./task-pool-worker.js";
import { workerEntry } from "./worker-entry.js";

/** Loaded with the first pool: an actor's module, which is loaded anew at each restart, seldom opens one. */
const loadPiscina = (): typeof import("piscina") =>
  // It is CommonJS, and this is what it exports.
  createRequire(import.meta.url)("piscina") as typeof import("piscina");

/** What a pool does, and with how much. */
export interface TaskPoolOptions {
  /** URL of the built module that exports the function. */
  readonly module: string;
  readonly exportName: string;
  readonly threads: number;
  /** Tasks that may wait for a thread; one more is refused. */
  readonly maxQueue: number;
  /** Bounds each thread's JavaScript heap; a task beyond it ends its thread. */
  readonly maxOldGenerationMb?: number;
  readonly clock?: Clock;
}

/**
 * Runs a pure function on a few threads: for work on the CPU that keeps no state between tasks. What has state is an actor.
 * A task that misses its deadline is ended with its thread, and a fresh thread takes its place.
 *
 * @example
 * const pool = new TaskPool<string, number>({ module: import.meta.resolve("./count.js"), exportName: "count", threads: 2, maxQueue: 64 });
 * await pool.run("some text", { deadlineMs: 30_000 });
 * await pool.close();
 */
export class TaskPool<Task, Result> {
  readonly #options: TaskPoolOptions;
  readonly #pool: Piscina<TaskOrder, TaskAnswer>;

  constructor(options: TaskPoolOptions) {
    this.#options = options;
    const { Piscina } = loadPiscina();
    this.#pool = new Piscina<TaskOrder, TaskAnswer>({
      filename: fileURLToPath(workerEntry("task-pool-entry.cjs")),
      minThreads: options.threads,
      maxThreads: options.threads,
      maxQueue: options.maxQueue,
      // Otherwise a thread sleeps between tasks and its timers never fire.
      atomics: "disabled",
      ...(options.maxOldGenerationMb === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: options.maxOldGenerationMb } }),
    });
    // A thread that dies between tasks takes none with it, and is replaced.
    this.#pool.on("error", () => {});
  }

  /**
   * Does one task. The deadline counts from now, waiting for a thread included.
   *
   * Rejects with TASK_POOL_FULL, TASK_DEADLINE, or TASK_FAILED with `details.outcome` "failed" when the task threw (the
   * cause), "unknown" when its thread ended.
   */
  async run(task: Task, { deadlineMs }: { readonly deadlineMs: number }): Promise<Result> {
    const { module, exportName, maxQueue, clock = systemClock } = this.#options;
    if (this.#pool.queueSize >= maxQueue) throw errors.taskPoolFull({ module, maxQueue });
    const ending = new AbortController();
    const cancel = clock.after(deadlineMs, () => ending.abort());
    let answer: TaskAnswer;
    try {
      answer = await this.#pool.run({ module, exportName, task }, { signal: ending.signal });
    } catch (cause) {
      if (ending.signal.aborted) throw errors.taskDeadline({ module, deadlineMs, outcome: "unknown" });
      throw errors.taskFailed({ module, outcome: "unknown" }, cause);
    } finally {
      cancel();
    }
    if ("error" in answer) throw errors.taskFailed({ module, outcome: "failed" }, decodeError(answer.error));
    // What the function named by the options returned.
    return answer.value as Result;
  }

  /** Ends all threads; tasks under way fail. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
