import type { EngineOptions, PolicyEngine } from "@troupe/core/sdk";
import { createEngine, measurePeaks } from "@troupe/gpu";
import { gpuOrExit } from "./cuda-device.js";
import { decodeFlops, productWeights, SHAPE_1_5B, SHAPE_2M, trainFlops } from "./engine-work.js";
import { decodeRate, one, trainRate } from "./engine.js";
import { machineText } from "./machine.js";
import { row, toJson, type Row } from "./row.js";
import { areaText } from "./table.js";
import { torchRates, type TorchRow } from "./torch-peer.js";

const TRAINED = { count: 8, length: 2048 };
const DECODED = [1, 64, 256];
const CONTEXT = 128;
/** The same training step, differently: gradients by cuBLASLt where it is installed, and a low-rank adapter. */
const VARIANTS: readonly (readonly [string, Partial<EngineOptions>])[] = [
  ["sft/1.5B/bf16/fast", { invariant: false }],
  ["sft/1.5B/bf16/lora", { lora: { rank: 16, alpha: 32, targets: ["q_proj", "v_proj", "up_proj", "down_proj"] } }],
];
const REPETITIONS = { least: 3, seconds: 5 };
const BF16_BYTES = 2;

/** `npm run bench:cuda [-- --json]`: training and decoding on the GPU beside its measured limits, the CPU and PyTorch. */
await gpuOrExit();
process.stdout.write(`${machineText()}\n`);
const peaks = await measurePeaks("cuda");
const limits = { flops: peaks.bf16AllThreads, bytes: peaks.readAllThreads };
const rows: Row[] = [
  row("peak/bf16", "TFLOP/s", one(limits.flops / 1e12)),
  row("peak/copy", "GB/s", one(limits.bytes / 1e9)),
];
const orders: TorchRow[] = [];
const options: EngineOptions = {
  shape: SHAPE_1_5B,
  seed: 1,
  device: "cuda",
  dtype: "bf16",
  training: { recompute: "feed-forward", microBatchTokens: 8192 },
};
const engine = await createEngine(options);
try {
  const training: TorchRow = {
    name: "sft/1.5B/bf16",
    kind: "train",
    shape: SHAPE_1_5B,
    dtype: "bf16",
    batch: TRAINED.count,
    length: TRAINED.length,
  };
  await read(training, engine, limits.flops / trainFlops(SHAPE_1_5B, TRAINED.length), () =>
    trainRate(engine, { batch: TRAINED, repetitions: REPETITIONS }),
  );
  await engine.publish();
  for (const batch of DECODED) {
    const work: TorchRow = {
      name: `decode/1.5B/b${batch}/bf16`,
      kind: "decode",
      shape: SHAPE_1_5B,
      dtype: "bf16",
      batch,
      length: CONTEXT,
    };
    const byReading = (batch * limits.bytes) / (BF16_BYTES * productWeights(SHAPE_1_5B));
    await read(work, engine, Math.min(limits.flops / decodeFlops(SHAPE_1_5B, CONTEXT), byReading), () =>
      decodeRate(engine, batch, { context: CONTEXT, repetitions: REPETITIONS }),
    );
  }
} finally {
  engine.dispose();
}
const notes: string[] = [];
for (const [name, fields] of VARIANTS) {
  try {
    const variant = await createEngine({ ...options, ...fields });
    rows.push(row(name, "tokens/s", await trainRate(variant, { batch: TRAINED, repetitions: REPETITIONS })));
    variant.dispose();
  } catch (error) {
    notes.push(`${name}: not measured. ${String(error)}`);
  }
}
// The CPU cannot train 1.5 G parameters in reasonable time: both take the same small policy.
const small = { batch: { count: 32, length: 256 }, repetitions: REPETITIONS };
const rates = [];
for (const device of ["cuda", "cpu"] as const) {
  const policy = await createEngine({ shape: SHAPE_2M, seed: 1, device });
  rates.push(await trainRate(policy, small));
  policy.dispose();
}
const [onGpu = one(0), onCpu = one(0)] = rates;
const torch = await torchRates({ threads: 1, ...REPETITIONS, device: "cuda", deadlineMs: 600_000, rows: orders });
const findings = {
  rows: [
    ...rows.map((each) => ({ ...each, peer: torch.rates.get(each.name) ?? each.peer })),
    { ...row("sft/2M/fp32", "tokens/s", onGpu), peer: onCpu.value },
  ],
  notes: [torch.note, ...notes, "sft/2M/fp32: the peer is the CPU engine."],
};
const limitsText =
  "the limit is the measured rate of a large bf16 product over the FLOPs of a token, and in decoding the time that reading the weights once per step takes, where that is longer.";
process.stdout.write(`\n${areaText({ name: "cuda", limits: limitsText }, findings)}\n`);
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(toJson(findings.rows))}\n`);

async function read(
  work: TorchRow,
  { description }: PolicyEngine,
  limit: number,
  measure: () => ReturnType<typeof trainRate>,
): Promise<void> {
  process.stderr.write(`cuda: ${work.name}, ${description}\n`);
  rows.push(row(work.name, "tokens/s", await measure(), limit));
  orders.push(work);
}
