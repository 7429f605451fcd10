import type { JsonObject } from "../records/json.js";
import type { RunEvent } from "../records/run-event.js";
import type { StepReport } from "../records/step-report.js";
import { pruneCheckpoints, saveCheckpoint, type Checkpoint } from "./checkpoint.js";
import { isStored, openEvents, type EventLine } from "./events.js";
import type { JsonlWriter } from "./jsonl.js";
import { openLedger, type LedgerLine } from "./ledger.js";
import { openMetrics, type MetricsLine } from "./metrics.js";
import { writeRollouts, type Rollout } from "./rollouts.js";
import type { RunDirectory } from "./run-directory.js";

/** Everything a run writes while it goes, behind one owner. */
export class RunStore {
  readonly directory: RunDirectory;
  readonly #metrics: JsonlWriter<MetricsLine>;
  readonly #events: JsonlWriter<EventLine>;
  readonly #ledger: JsonlWriter<LedgerLine>;

  private constructor(
    directory: RunDirectory,
    metrics: JsonlWriter<MetricsLine>,
    events: JsonlWriter<EventLine>,
    ledger: JsonlWriter<LedgerLine>,
  ) {
    this.directory = directory;
    this.#metrics = metrics;
    this.#events = events;
    this.#ledger = ledger;
  }

  static async open(directory: RunDirectory): Promise<RunStore> {
    return new RunStore(
      directory,
      await openMetrics(directory.metrics),
      await openEvents(directory.events),
      await openLedger(directory.ledger),
    );
  }

  /** Appends one step; on disk after the next `flush` or checkpoint. */
  step(report: StepReport, wallSeconds: number, ledger: LedgerLine): void {
    this.#metrics.append({ ...report, wallSeconds });
    this.#ledger.append(ledger);
  }

  event(event: RunEvent, wallSeconds: number): void {
    if (isStored(event)) this.#events.append({ ...event, wallSeconds });
  }

  rollouts(step: number, rollouts: readonly Rollout[], evaluation?: string): Promise<void> {
    return writeRollouts(this.directory.rollouts, step, rollouts, evaluation);
  }

  /** Writes a checkpoint after everything that led to it, and drops the oldest ones. */
  async checkpoint(step: number, write: (directory: string) => Promise<JsonObject>, keep: number): Promise<Checkpoint> {
    await this.flush();
    const checkpoint = await saveCheckpoint(this.directory, step, write);
    await pruneCheckpoints(this.directory, keep);
    return checkpoint;
  }

  async flush(): Promise<void> {
    await Promise.all([this.#metrics.flush(), this.#events.flush(), this.#ledger.flush()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#metrics.close(), this.#events.close(), this.#ledger.close()]);
  }
}
