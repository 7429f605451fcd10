import { dirname } from "node:path";
import type { JsonObject } from "../records/json.js";
import type { RunEvent } from "../records/run-event.js";
import type { StepReport } from "../records/step-report.js";
import { pruneCheckpoints, saveCheckpoint, type Checkpoint } from "./checkpoint.js";
import { onFile, syncToDisk } from "./durable-files.js";
import { isStored, openEvents, type EventLine } from "./events.js";
import type { JsonlWriter } from "./jsonl.js";
import { openLedger, type LedgerLine } from "./ledger.js";
import { openMetrics, type MetricsLine } from "./metrics.js";
import { keepWithin, type DropReport } from "./retention.js";
import { closeRollouts } from "./rollout-segments.js";
import { writeRollouts, type Rollout } from "./rollouts.js";
import type { RunDirectory } from "./run-directory.js";
import type { SegmentOptions } from "./segments.js";

/** How a run's files are kept, as the config says it. */
export interface StoreSettings {
  readonly keepCheckpoints: number;
  readonly segmentMb: number;
  readonly compress: boolean;
  readonly maxMb: number;
}

const MB = 1_000_000;

/** Everything a run writes while it goes, behind one owner. */
export class RunStore {
  readonly directory: RunDirectory;
  readonly #settings: StoreSettings;
  readonly #segments: SegmentOptions;
  readonly #metrics: JsonlWriter<MetricsLine>;
  readonly #events: JsonlWriter<EventLine>;
  readonly #ledger: JsonlWriter<LedgerLine>;
  /** Files of rollouts that may not be on the disk yet. */
  #unsynced: string[] = [];
  #committing: Promise<void> = Promise.resolve();

  private constructor(
    directory: RunDirectory,
    settings: StoreSettings,
    segments: SegmentOptions,
    metrics: JsonlWriter<MetricsLine>,
    events: JsonlWriter<EventLine>,
    ledger: JsonlWriter<LedgerLine>,
  ) {
    this.directory = directory;
    this.#settings = settings;
    this.#segments = segments;
    this.#metrics = metrics;
    this.#events = events;
    this.#ledger = ledger;
  }

  static async open(directory: RunDirectory, settings: StoreSettings): Promise<RunStore> {
    const segments = { segmentBytes: settings.segmentMb * MB, compress: settings.compress };
    return new RunStore(
      directory,
      settings,
      segments,
      await openMetrics(directory.metrics, segments),
      await openEvents(directory.events, segments),
      await openLedger(directory.ledger, segments),
    );
  }

  /** Appends one step; on disk after the next `commit` or checkpoint. */
  step(report: StepReport, wallSeconds: number, ledger: LedgerLine): void {
    this.#metrics.append({ ...report, wallSeconds });
    this.#ledger.append(ledger);
  }

  event(event: RunEvent, wallSeconds: number): void {
    if (isStored(event)) this.#events.append({ ...event, wallSeconds });
  }

  async rollouts(step: number, rollouts: readonly Rollout[], evaluation?: string): Promise<void> {
    this.#unsynced.push(...(await writeRollouts(this.directory.rollouts, step, rollouts, evaluation)));
  }

  /**
   * Begins to force to the disk what the step left, while the next one works; waits for, and throws what was wrong with,
   * the one before.
   *
   * @throws DISK_FULL, FILE_NOT_PERMITTED
   */
  async commit(): Promise<void> {
    await this.#committing;
    this.#committing = this.#sync();
    // Whoever comes next is told.
    this.#committing.catch(() => {});
  }

  /** Writes a checkpoint after everything that led to it, drops the oldest ones, and keeps the record within its bounds. */
  async checkpoint(
    step: number,
    write: (directory: string) => Promise<JsonObject>,
  ): Promise<Checkpoint & { readonly dropped?: DropReport }> {
    await this.flush();
    const checkpoint = await saveCheckpoint(this.directory, step, write);
    const { keepCheckpoints, maxMb } = this.#settings;
    await pruneCheckpoints(this.directory, keepCheckpoints);
    await closeRollouts(this.directory.rollouts, step, this.#segments);
    const dropped = maxMb > 0 ? await keepWithin(this.directory, maxMb * MB, step) : undefined;
    return { ...checkpoint, ...(dropped ? { dropped } : {}) };
  }

  async flush(): Promise<void> {
    await this.commit();
    await this.#committing;
  }

  async close(): Promise<void> {
    try {
      await this.#committing;
    } finally {
      await Promise.all([this.#metrics.close(), this.#events.close(), this.#ledger.close()]);
    }
  }

  async #sync(): Promise<void> {
    const files = [...this.#unsynced];
    await Promise.all([this.#metrics.flush(), this.#events.flush(), this.#ledger.flush()]);
    const paths = new Set([...files, ...files.map((file) => dirname(file))]);
    await Promise.all([...paths].map((path) => onFile(path, "write", () => syncToDisk(path))));
    this.#unsynced = this.#unsynced.slice(files.length);
  }
}
