import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** What a finished run left, without what depends on the time it took: two runs that agree here are the same run. */
export interface RunTrace {
  /** The text of `ledger.jsonl`, closed segments included. */
  readonly ledger: string;
  /** Lines of `metrics.jsonl`. */
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
  /** Plugins' states and the run's own in the newest checkpoint. */
  readonly state: unknown;
  /** File of the newest checkpoint → SHA-256. */
  readonly tensors: Readonly<Record<string, string>>;
}

/** Reads the trace of the run in a folder. */
export function traceOf(run: string): RunTrace {
  const checkpoints = join(run, "checkpoints");
  const last = readdirSync(checkpoints)
    .filter((name) => /^\d+$/.test(name))
    .toSorted()
    .at(-1);
  const newest = join(checkpoints, last ?? "");
  return {
    ledger: textOf(run, "ledger"),
    metrics: metricsOf(run).map((line) => JSON.parse(timeless(line))),
    state: JSON.parse(timeless(readFileSync(join(newest, "state.json"), "utf8"))),
    tensors: tensorsIn(newest),
  };
}

/** Weights and moments of a step's checkpoint: file → SHA-256. */
export function tensorsOf(run: string, step: number): RunTrace["tensors"] {
  const checkpoints = join(run, "checkpoints");
  return tensorsIn(join(checkpoints, readdirSync(checkpoints).find((name) => Number(name) === step) ?? ""));
}

function tensorsIn(checkpoint: string): RunTrace["tensors"] {
  const files = readdirSync(checkpoint).filter((file) => file.endsWith(".safetensors"));
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash("sha256")
        .update(readFileSync(join(checkpoint, file)))
        .digest("hex"),
    ]),
  );
}

/** The lines of `metrics.jsonl`, closed segments included. */
export function metricsOf(run: string): readonly string[] {
  return textOf(run, "metrics").trimEnd().split("\n");
}

function textOf(run: string, stem: string): string {
  const isSegment = new RegExp(`^${stem}\\.\\d+\\.jsonl`);
  const closed = new Set(
    readdirSync(run)
      .filter((name) => isSegment.test(name))
      .map((name) => name.replace(".gz", "")),
  );
  const read = (name: string): string => {
    const path = join(run, name);
    return (existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`))).toString("utf8");
  };
  return [...[...closed].toSorted(), `${stem}.jsonl`].map(read).join("");
}

/** The steps of `metrics.jsonl` in the order of its lines. */
export function stepsOf(run: string): readonly number[] {
  return metricsOf(run).map((line) => Number(JSON.parse(line).step));
}

/** JSON without durations and speeds. */
function timeless(json: string): string {
  const isTime = (key: string): boolean => /^(time|speed)\/|^(wallSeconds|seconds)$/.test(key);
  return JSON.stringify(JSON.parse(json), (key, value: unknown) => (isTime(key) ? undefined : value));
}
