import { systemClock } from "@troupe/core/sdk";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { packageRoot } from "../package-root.js";
import type { Execution, Limits, Program, Sandbox, Session } from "../sandbox.js";
import type { QuickJsFinding, QuickJsWork } from "./quickjs-worker.js";

/** A start takes a tenth of a second; a machine that needs this long is in trouble. */
const READY_DEADLINE_MS = 20_000;

/** What the WebAssembly instance and its thread take beyond the program's memory, MiB. */
const OVERHEAD_MB = 64;

/**
 * Tier B for JavaScript: QuickJS in WebAssembly, which has no way to the machine but the functions that it is given, in a
 * worker thread of its own for each program. On every machine that Node runs on.
 */
export class QuickJsSandbox implements Sandbox {
  readonly tier = {
    name: "B",
    boundary: "QuickJS in WebAssembly, a worker thread for each program",
    limits: [
      "JavaScript alone",
      "no Node modules but fs.readFileSync of stdin and readline",
      "recursion to a few thousand calls",
    ],
  } as const;
  readonly languages = ["javascript"] as const;
  readonly modes = ["stdin", "function"] as const;
  readonly atOnce = availableParallelism();
  readonly #sessions = new Set<QuickJsSession>();

  open(program: Program, limits: Limits): Session {
    const session = new QuickJsSession(program, limits, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }
}

class QuickJsSession implements Session {
  readonly #work: QuickJsWork;
  readonly #onClose: () => void;
  #worker: Worker | undefined;

  constructor(program: Program, limits: Limits, onClose: () => void) {
    this.#work = { program, limits };
    this.#onClose = onClose;
  }

  async run(input: string): Promise<Execution> {
    const { testMs, memoryMb } = this.#work.limits;
    if (this.#worker === undefined) {
      this.#worker = new Worker(workerFile(), {
        workerData: this.#work,
        // Nothing of the harness is passed on.
        env: {},
        resourceLimits: { maxOldGenerationSizeMb: memoryMb + OVERHEAD_MB },
      });
      const ready = await answerOf(this.#worker, READY_DEADLINE_MS);
      if (ready !== "ready") {
        await this.#drop();
        return { kind: "infra", says: `QuickJS did not start: ${describe(ready)}` };
      }
    }
    const started = systemClock.now();
    const answer = answerOf(this.#worker, testMs);
    this.#worker.postMessage(input);
    const found = await answer;
    const wallMs = systemClock.now() - started;
    if (found === undefined) return this.#drop({ kind: "time-limit", wallMs });
    // An instance that gave way took its thread along: memory, or a stack deeper than it has.
    if (found instanceof Error) return this.#drop({ kind: "memory-limit", says: found.message });
    if (found === "ready") return this.#drop({ kind: "infra", says: "QuickJS answered out of turn" });
    return found.kind === "finished" ? { ...found, cpuMs: wallMs, wallMs, peakMb: 0 } : found;
  }

  async close(): Promise<void> {
    await this.#drop();
    this.#onClose();
  }

  async #drop(): Promise<undefined>;
  async #drop(execution: Execution): Promise<Execution>;
  async #drop(execution?: Execution): Promise<Execution | undefined> {
    await this.#worker?.terminate();
    this.#worker = undefined;
    return execution;
  }
}

type Answer = QuickJsFinding | "ready" | Error | undefined;

/** The next message of a worker, its error, or undefined when neither came in time. */
function answerOf(worker: Worker, deadlineMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const onMessage = (message: QuickJsFinding | "ready") => finish(message);
    const onError = (error: unknown) => finish(error instanceof Error ? error : new Error(String(error)));
    const onExit = (code: number) => finish(new Error(`its thread ended with exit code ${code}`));
    const finish = (answer: Answer) => {
      clearTimeout(timer);
      // One by one: a worker without any of its listeners would not hear messages again.
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), deadlineMs);
    worker.once("message", onMessage).once("error", onError).once("exit", onExit);
  });
}

function describe(answer: Answer): string {
  return answer instanceof Error ? answer.message : answer === undefined ? "no answer" : "an answer out of turn";
}

/** A worker runs the compiled file, whether or not the rest runs from sources. */
function workerFile(): string {
  const own = join(packageRoot(), "dist", "code", "embedded", "quickjs-worker.js");
  return existsSync(own) ? own : join(packageRoot(), "code", "embedded", "quickjs-worker.js");
}
