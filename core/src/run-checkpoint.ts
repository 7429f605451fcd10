import type { LiveState } from "./live/plugin-host.js";
import type { JsonObject } from "./records/json.js";
import type { InFlightState } from "./run-ahead.js";
import type { RunState } from "./run-state.js";
import { readCheckpointState, type Checkpoint } from "./store/checkpoint.js";
import type { TensorDigests } from "./store/tensor-digests.js";

/** What a run's checkpoint holds beside weights and moments: its `state.json`. */
export interface SavedRun {
  readonly run: RunState;
  /** The kernels that computed it: another set may give other bits. */
  readonly kernelSet: string;
  /** Plugin name → its state. */
  readonly plugins: JsonObject;
  /** Plugin name → version and content hash. */
  readonly pluginVersions: Readonly<Record<string, string>>;
  /** The plugins in use, where they are not the config's. */
  readonly live?: LiveState;
  readonly inFlight: InFlightState;
  /** Of its tensor files, which `checkCheckpoint` compares. */
  readonly digests: TensorDigests;
}

/** As `saveCheckpoint` takes it. */
export function toCheckpointState(saved: SavedRun): JsonObject {
  // Plain data; JSON drops only what is undefined.
  return saved as unknown as JsonObject;
}

/** What a run's checkpoint holds beside weights and moments. @throws LINE_UNREADABLE */
export async function readSavedRun(checkpoint: Checkpoint): Promise<SavedRun> {
  // What `toCheckpointState` was given.
  const saved = (await readCheckpointState(checkpoint)) as unknown as SavedRun;
  const { lastReport } = saved.run;
  if (!lastReport) return saved;
  // JSON has no NaN, and the next step's hooks are to see what the step reported.
  const metrics = Object.entries(lastReport.metrics).map(([name, value]): [string, number] => [name, value ?? NaN]);
  return { ...saved, run: { ...saved.run, lastReport: { ...lastReport, metrics: Object.fromEntries(metrics) } } };
}
