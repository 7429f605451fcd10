import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/actors/clock.js";
import { errors } from "../../src/errors.js";
import { isFinished, type Unit } from "./units.js";

const executable = fileURLToPath(new URL("../../../bin/troupe.mjs", import.meta.url));

/** Milliseconds between two looks at a run that the process of an earlier study still holds. */
const LOCK_POLL_MS = 500;
/** Characters of a failed run's last words. */
const LAST_WORDS = 600;

/** How far all runs are. */
export interface StudyProgress {
  readonly finished: number;
  readonly units: number;
  /** Share of all work, in [0, 1]. */
  readonly done: number;
  /** Seconds left at the rate of this call; null while unknown. */
  readonly etaSeconds: number | null;
  readonly running: readonly { readonly name: string; readonly part: string; readonly done: number }[];
}

/**
 * Runs what is not finished, each unit in a process of its own and up to `atOnce` of them at a time, in order. A unit is a
 * run like any other: killed with this process or stopped by the signal, it goes on from its checkpoints the next time.
 * Its process has a group of its own, so that Ctrl-C reaches it once, from here; without us it ends at its next line.
 *
 * @throws STUDY_RUN_FAILED once the runs beside the failed one are stopped
 */
export async function runUnits(
  units: readonly Unit[],
  atOnce: number,
  signal: AbortSignal,
  onProgress: (progress: StudyProgress) => void,
): Promise<void> {
  const board = new ProgressBoard(units);
  const waiting = units.filter((unit) => !isFinished(unit));
  const stop = new AbortController();
  const forward = (): void => stop.abort(signal.reason);
  signal.addEventListener("abort", forward, { once: true });
  if (signal.aborted) forward();
  let failure: unknown;
  const work = async (): Promise<void> => {
    for (let unit = waiting.shift(); unit !== undefined && !stop.signal.aborted; unit = waiting.shift()) {
      const own = unit;
      try {
        await runUnit(own, stop.signal, (part, done) => onProgress(board.note(own, part, done)));
        onProgress(board.end(own));
      } catch (error) {
        failure ??= error;
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, work));
  signal.removeEventListener("abort", forward);
  if (failure !== undefined) throw failure;
}

async function runUnit(unit: Unit, signal: AbortSignal, onPart: (part: string, done: number) => void): Promise<void> {
  const { directory } = unit;
  for (;;) {
    while ((await directory.liveAttempt()) !== undefined && !signal.aborted)
      await new Promise<void>((resolve) => systemClock.after(LOCK_POLL_MS, resolve));
    if (signal.aborted || isFinished(unit)) return;
    const { end, code, words } = await resume(directory.path, signal, onPart);
    // The process of an earlier study that was still on its way to its run: it has it now, or has ended.
    if (code === "RUN_LOCKED") continue;
    if (end !== 0 && !signal.aborted)
      throw errors.studyRunFailed({ run: directory.path, end: String(end), words: words.trim() });
    return;
  }
}

/** Goes on with a run in a process of its own; with the code of its error, if there was one. */
async function resume(
  path: string,
  signal: AbortSignal,
  onPart: (part: string, done: number) => void,
): Promise<{ end: number | NodeJS.Signals | null; code: string | undefined; words: string }> {
  const child = spawn(process.execPath, [executable, "resume", path, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words = (words + chunk).slice(-LAST_WORDS)));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, killed) => resolve(killed ?? code));
  });
  let code: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const record: unknown = JSON.parse(line);
    const step = stepOf(record);
    if (step !== undefined) onPart(step.part, step.done);
    code = errorCodeOf(record) ?? code;
  }
  const end = await ended;
  signal.removeEventListener("abort", stop);
  return { end, code, words };
}

function errorCodeOf(record: unknown): string | undefined {
  if (typeof record !== "object" || record === null || !("type" in record) || record.type !== "error") return undefined;
  return "code" in record && typeof record.code === "string" ? record.code : undefined;
}

/** Part and share of a step that a run reports; undefined for every other record. */
function stepOf(record: unknown): { part: string; done: number } | undefined {
  if (typeof record !== "object" || record === null || !("type" in record) || record.type !== "step") return undefined;
  if (!("part" in record && typeof record.part === "string" && "progress" in record)) return undefined;
  const { progress } = record;
  const isShare = typeof progress === "object" && progress !== null && "done" in progress;
  return isShare && typeof progress.done === "number" ? { part: record.part, done: progress.done } : undefined;
}

/** Counts work in tokens: those that the base is taught on, and those that arms sample and learn from. */
class ProgressBoard {
  readonly #units: readonly Unit[];
  readonly #finished: Set<Unit>;
  readonly #running = new Map<Unit, { part: string; done: number }>();
  readonly #started = systemClock.now();
  /** Work done when each unit was first heard of, which earlier calls did. */
  readonly #before = new Map<Unit, number>();

  constructor(units: readonly Unit[]) {
    this.#units = units;
    this.#finished = new Set(units.filter(isFinished));
    for (const unit of this.#finished) this.#before.set(unit, workOf(unit));
  }

  note(unit: Unit, part: string, done: number): StudyProgress {
    this.#running.set(unit, { part, done });
    if (!this.#before.has(unit)) this.#before.set(unit, this.#done(unit));
    return this.#look();
  }

  end(unit: Unit): StudyProgress {
    this.#running.delete(unit);
    this.#finished.add(unit);
    return this.#look();
  }

  #look(): StudyProgress {
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const total = sum(this.#units.map(workOf));
    const done = sum(this.#units.map((unit) => this.#done(unit)));
    const own = done - sum([...this.#before.values()]);
    const seconds = (systemClock.now() - this.#started) / 1000;
    return {
      finished: this.#finished.size,
      units: this.#units.length,
      done: done / total,
      etaSeconds: own > 0 ? ((total - done) / own) * seconds : null,
      running: [...this.#running].map(([{ study, seed }, { part, done: share }]) => ({
        name: `${study.name} seed ${seed}`,
        part,
        done: share,
      })),
    };
  }

  #done(unit: Unit): number {
    if (this.#finished.has(unit)) return workOf(unit);
    const running = this.#running.get(unit);
    if (running === undefined) return 0;
    const parts = partsOf(unit);
    const index = parts.findIndex(({ name }) => name === running.part);
    return parts.reduce((total, { work }, i) => total + (i < index ? work : i === index ? work * running.done : 0), 0);
  }
}

function workOf(unit: Unit): number {
  return partsOf(unit).reduce((total, { work }) => total + work, 0);
}

function partsOf({ study: { experiment } }: Unit): readonly { readonly name: string; readonly work: number }[] {
  const { base, arms } = experiment;
  return [
    { name: "base", work: base.distill?.tokens ?? 0 },
    ...arms.map(({ name, config: { train, rollout } }) => {
      const most = train.steps * train.promptsPerStep * train.groupSize * rollout.maxTokens;
      // Sampling, learning and evaluating take about five times as long as a token of teaching.
      return { name, work: 5 * (train.tokenBudget > 0 ? Math.min(train.tokenBudget, most) : most) };
    }),
  ];
}
