import type { ComputeType, ModelShape, PolicyEngine } from "@troupe/core/sdk";
import { createEngine, kernelSet, type Peaks } from "@troupe/gpu";
import type { BenchSession, Findings } from "./area.js";
import { withBusyProcesses } from "./busy-processes.js";
import {
  ADAMW,
  decodeFlops,
  forwardFlops,
  NEXT_TOKEN,
  plainRequests,
  productWeights,
  supervisedBatch,
  trainFlops,
} from "./engine-work.js";
import { countMismatch, type Mismatch } from "./mismatch.js";
import { readRates } from "./read-rate.js";
import { repeat, secondsOf, withCores, type Repetitions } from "./repeat.js";
import { middleOf, rateOf, row, type Middle, type Row } from "./row.js";
import { torchRates, type TorchRow } from "./torch-peer.js";

/** What the engine is measured with. */
export interface EngineSettings {
  readonly shapes: readonly {
    readonly name: string;
    readonly shape: ModelShape;
    /** Leaves out sampling, scoring and their comparison. */
    readonly isOnlyTrained: boolean;
  }[];
  /** Sequences of a training step, and their length. */
  readonly batch: { readonly count: number; readonly length: number };
  /** Sequences decoded beside each other. */
  readonly decodeBatches: readonly number[];
  /** Tokens that a decoded token sees on average. */
  readonly context: number;
  /** Sampled tokens whose logprobs are compared, at least. */
  readonly comparedTokens: number;
  readonly repetitions: Repetitions;
}

/** The decoding row that is measured with busy processes beside, too. */
const BUSY_BATCH = 64;

/** A row that is still to be held against the limits, which are known when everything is measured. */
interface Reading {
  readonly work: TorchRow;
  readonly middle: Middle;
  readonly cores: number;
}

const DTYPES: readonly ComputeType[] = ["fp32", "bf16"];

/** Processes that compute beside the engine in the "busy" rows. */
const BUSY_PROCESSES = 2;

/** Measures one engine after the other, and the machine between the rows; PyTorch last, on the same work. */
export async function measureEngine(settings: EngineSettings, { progress, peaks }: BenchSession): Promise<Findings> {
  const readings: Reading[] = [];
  const busyRows: Row[] = [];
  const read = async (work: TorchRow, measure: () => Promise<Middle>, hasBusyRow = false): Promise<void> => {
    progress(work.name);
    await peaks.measure();
    const { result, cores } = await withCores(measure);
    readings.push({ work, middle: result, cores });
    if (!hasBusyRow) return;
    progress(`busy/${work.name}`);
    const busy = await withBusyProcesses(BUSY_PROCESSES, measure);
    busyRows.push(row(`busy/${work.name}`, "tokens/s", busy, result.value));
  };
  const mismatches: Mismatch[] = [];
  const { batch, context, decodeBatches } = settings;
  for (const { name, shape, isOnlyTrained } of settings.shapes) {
    for (const dtype of DTYPES) {
      const engine = await createEngine({ shape, seed: 1, dtype });
      const isMain = !isOnlyTrained;
      const work = { shape, dtype, batch: batch.count, length: batch.length };
      try {
        const training: TorchRow = { ...work, name: `sft/${name}/${dtype}`, kind: "train" };
        await read(training, () => trainRate(engine, settings), isMain);
        if (isOnlyTrained) continue;
        await engine.publish();
        for (const count of decodeBatches) {
          const decoding: TorchRow = {
            ...work,
            name: `decode/${name}/b${count}/${dtype}`,
            kind: "decode",
            batch: count,
            length: context,
          };
          await read(decoding, () => decodeRate(engine, count, settings), count === BUSY_BATCH);
        }
        await read({ ...work, name: `score/${name}/${dtype}`, kind: "score" }, () => scoreRate(engine, settings));
        progress(`mismatch/bits in ${dtype}`);
        mismatches.push(await countMismatch(engine, settings.comparedTokens));
      } finally {
        engine.dispose();
      }
    }
  }
  progress("reading rates");
  await peaks.measure();
  const { best } = peaks;
  const sizes = settings.shapes.flatMap(({ shape }) => DTYPES.map((dtype) => weightBytes(shape, dtype)));
  const reads = await readRates(sizes, best.threads, settings.repetitions.seconds);
  const readOf = (shape: ModelShape, dtype: ComputeType): number =>
    Math.max(best.readAllThreads, reads[sizes.indexOf(weightBytes(shape, dtype))] ?? 0);
  progress("PyTorch");
  const rows = readings.map(({ work }) => work);
  const torch = await torchRates({ threads: best.threads, ...settings.repetitions, rows });
  const compared = mismatches.reduce((sum, one) => sum + one.compared, 0);
  return {
    rows: [
      ...machineRows(best),
      ...settings.shapes.flatMap(({ name, shape }) =>
        DTYPES.map((dtype) => row(`read/${name}/${dtype}`, "GB/s", one(readOf(shape, dtype) / 1e9))),
      ),
      ...readings.map(({ work, middle, cores }) => ({
        ...row(work.name, "tokens/s", middle, limitOf(work, best, readOf(work.shape, work.dtype))),
        peer: torch.rates.get(work.name) ?? null,
        cores,
      })),
      ...busyRows,
      row("mismatch/bits", "tokens", one(mismatches.reduce((sum, { differing }) => sum + differing, 0)), 0),
    ],
    notes: [
      `mismatch/bits: of ${compared} sampled tokens (${DTYPES.join(" and ")}), those whose logprob has other bits in score.`,
      `busy: with ${BUSY_PROCESSES} processes that compute beside; the limit is the same row without them.`,
      "cores: CPU seconds per second that the row got; with fewer than there are threads, other programs had the rest. of its cores': the share of what those cores could have done.",
      torch.note,
      ...peaks.notes,
    ],
  };
}

function machineRows(peaks: Peaks): Row[] {
  return [
    row("peak/fma/one-thread", "GFLOP/s", one(peaks.fmaOneThread / 1e9)),
    row("peak/fma/all-threads", "GFLOP/s", one(peaks.fmaAllThreads / 1e9)),
    row("peak/bf16/one-thread", "GFLOP/s", one(peaks.bf16OneThread / 1e9)),
    row("peak/bf16/all-threads", "GFLOP/s", one(peaks.bf16AllThreads / 1e9)),
    row("peak/read/one-thread", "GB/s", one(peaks.readOneThread / 1e9)),
    row("peak/read/all-threads", "GB/s", one(peaks.readAllThreads / 1e9)),
  ];
}

/** Bytes of the weights that products read; emulated bf16 is stored as fp32. */
function weightBytes(shape: ModelShape, dtype: ComputeType): number {
  const isStoredInHalf = dtype === "bf16" && /^(amx|avx512bf16)\//.test(kernelSet("bf16"));
  return (isStoredInHalf ? 2 : 4) * productWeights(shape);
}

/** Tokens per second that arithmetic allows; in decoding also what reading the weights once per step allows. */
function limitOf({ kind, shape, dtype, batch, length }: TorchRow, peaks: Peaks, bytesPerSecond: number): number {
  const rate = dtype === "bf16" ? peaks.bf16AllThreads : peaks.fmaAllThreads;
  if (kind === "train") return rate / trainFlops(shape, length);
  if (kind === "score") return rate / forwardFlops(shape, length);
  return Math.min(rate / decodeFlops(shape, length), (batch * bytesPerSecond) / weightBytes(shape, dtype));
}

/** Tokens per second of a supervised step: forward, backward, AdamW. */
export async function trainRate(
  engine: PolicyEngine,
  { batch: { count, length }, repetitions }: Pick<EngineSettings, "batch" | "repetitions">,
): Promise<Middle> {
  const batch = supervisedBatch(engine.shape, count, length);
  const step = async (): Promise<void> => {
    await engine.forwardBackward(batch, NEXT_TOKEN);
    await engine.optimStep(ADAMW);
  };
  return rateOf(count * length, await repeat(() => secondsOf(step), repetitions));
}

/**
 * Decoding alone: a call that samples one token after the prompt is taken off one that samples `context` more. Prompts
 * of half the context make the tokens between them see `context` tokens on average.
 */
export async function decodeRate(
  engine: PolicyEngine,
  batch: number,
  { context, repetitions }: Pick<EngineSettings, "context" | "repetitions">,
): Promise<Middle> {
  const calls = [1 + context, 1].map((tokens) => plainRequests(engine.shape, batch, () => context / 2, tokens));
  const [long, short] = [calls[0] ?? [], calls[1] ?? []];
  const difference = async (): Promise<number> =>
    (await secondsOf(() => engine.generate(long))) - (await secondsOf(() => engine.generate(short)));
  // Inverted last: a difference may fall near 0 on a busy machine, a median of differences does not.
  const { value, spread } = middleOf(await repeat(difference, repetitions));
  return { value: (batch * context) / value, spread };
}

async function scoreRate(
  engine: PolicyEngine,
  { batch: { count, length }, repetitions }: EngineSettings,
): Promise<Middle> {
  const { tokens_N, offsets_S1 } = supervisedBatch(engine.shape, count, length);
  return rateOf(
    count * length,
    await repeat(() => secondsOf(() => engine.score(tokens_N, offsets_S1, 1)), repetitions),
  );
}

/** A single reading. */
export function one(value: number): Middle {
  return { value, spread: null };
}
