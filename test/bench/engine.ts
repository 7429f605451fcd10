import type { ModelShape, PolicyEngine } from "@troupe/core/sdk";
import { createEngine, type Peaks } from "@troupe/gpu";
import type { BenchSession, Findings } from "./area.js";
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

/** A row that is still to be held against the limits, which are known when everything is measured. */
interface Reading {
  readonly work: TorchRow;
  readonly middle: Middle;
  readonly cores: number;
}

const FP32_BYTES = 4;

/** Measures one engine after the other, and the machine between the rows; PyTorch last, on the same work. */
export async function measureEngine(settings: EngineSettings, { progress, peaks }: BenchSession): Promise<Findings> {
  const readings: Reading[] = [];
  const read = async (work: TorchRow, measure: () => Promise<Middle>): Promise<void> => {
    progress(work.name);
    await peaks.measure();
    const { result, cores } = await withCores(measure);
    readings.push({ work, middle: result, cores });
  };
  let mismatch: Mismatch | undefined;
  const { batch, context, decodeBatches } = settings;
  for (const { name, shape, isOnlyTrained } of settings.shapes) {
    const engine = await createEngine({ shape, seed: 1 });
    try {
      const training: TorchRow = {
        name: `sft/${name}/fp32`,
        kind: "train",
        shape,
        batch: batch.count,
        length: batch.length,
      };
      await read(training, () => trainRate(engine, settings));
      if (isOnlyTrained) continue;
      await engine.publish();
      for (const count of decodeBatches) {
        const decoding: TorchRow = {
          name: `decode/${name}/b${count}/fp32`,
          kind: "decode",
          shape,
          batch: count,
          length: context,
        };
        await read(decoding, () => decodeRate(engine, count, settings));
      }
      await read({ ...training, name: `score/${name}/fp32`, kind: "score" }, () => scoreRate(engine, settings));
      progress("mismatch/bits");
      mismatch = await countMismatch(engine, settings.comparedTokens);
    } finally {
      engine.dispose();
    }
  }
  progress("reading rates");
  await peaks.measure();
  const { best } = peaks;
  const sizes = settings.shapes.map(({ shape }) => FP32_BYTES * productWeights(shape));
  const reads = await readRates(sizes, best.threads, settings.repetitions.seconds);
  progress("PyTorch");
  const rows = readings.map(({ work }) => work);
  const torch = await torchRates({ threads: best.threads, ...settings.repetitions, rows });
  const readOf = (shape: ModelShape): number =>
    Math.max(best.readAllThreads, reads[settings.shapes.findIndex((one) => one.shape === shape)] ?? 0);
  return {
    rows: [
      ...machineRows(best),
      ...settings.shapes.map(({ name, shape }) => row(`read/${name}/weights`, "GB/s", one(readOf(shape) / 1e9))),
      ...readings.map(({ work, middle, cores }) => ({
        ...row(work.name, "tokens/s", middle, limitOf(work, best, readOf(work.shape))),
        peer: torch.rates.get(work.name) ?? null,
        cores,
      })),
      ...(mismatch ? [row("mismatch/bits", "tokens", one(mismatch.differing), 0)] : []),
    ],
    notes: [
      ...(mismatch
        ? [`mismatch/bits: of ${mismatch.compared} sampled tokens, those whose logprob has other bits in score.`]
        : []),
      "cores: CPU seconds per second that the row got; with fewer than there are threads, other programs had the rest.",
      torch.note,
      ...peaks.notes,
    ],
  };
}

function machineRows(peaks: Peaks): Row[] {
  return [
    row("peak/fma/one-thread", "GFLOP/s", one(peaks.fmaOneThread / 1e9)),
    row("peak/fma/all-threads", "GFLOP/s", one(peaks.fmaAllThreads / 1e9)),
    row("peak/read/one-thread", "GB/s", one(peaks.readOneThread / 1e9)),
    row("peak/read/all-threads", "GB/s", one(peaks.readAllThreads / 1e9)),
  ];
}

/** Tokens per second that arithmetic allows; in decoding also what reading the weights once per step allows. */
function limitOf({ kind, shape, batch, length }: TorchRow, peaks: Peaks, bytesPerSecond: number): number {
  if (kind === "train") return peaks.fmaAllThreads / trainFlops(shape, length);
  if (kind === "score") return peaks.fmaAllThreads / forwardFlops(shape, length);
  const byReading = (batch * bytesPerSecond) / (FP32_BYTES * productWeights(shape));
  return Math.min(peaks.fmaAllThreads / decodeFlops(shape, length), byReading);
}

async function trainRate(
  engine: PolicyEngine,
  { batch: { count, length }, repetitions }: EngineSettings,
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
async function decodeRate(
  engine: PolicyEngine,
  batch: number,
  { context, repetitions }: EngineSettings,
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
function one(value: number): Middle {
  return { value, spread: null };
}
