import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { deriveKey, Random, readModelShape, TensorReader, type Batch, type LossSpec } from "@troupe/core/sdk";
import { createEngine, memoryReport } from "@troupe/gpu";
import { demand, phase } from "./phases.js";

const [directory = "."] = process.argv.slice(2);
const LOSS: LossSpec = {
  temperature: 1,
  ratio: "token",
  clipLow: 0.2,
  clipHigh: 0.2,
  dualClip: Infinity,
  aggregation: "token-mean",
  normConstant: 1,
  klCoefficient: 0,
  klEstimator: "k3",
  entropyCoefficient: 0,
  importance: null,
  maskTruncated: false,
  nextTokenCoefficient: 1,
};

const N = 512;
const [SEQUENCES, PROMPT, RESPONSE] = [4, 32, 16];
const shape = readModelShape(directory);
const options = { shape, seed: 2, training: { microBatchTokens: N } };
const report = memoryReport(options, {
  trains: true,
  keepsReference: false,
  sequences: SEQUENCES,
  sequenceTokens: PROMPT + RESPONSE,
});
const engine = await phase("create an engine of that shape", () => createEngine({ ...options, blank: true }));
await phase("load the folder", () => engine.load(directory));
await engine.publish();

const random = new Random(deriveKey(1, "prompt"));
const tokens = (length: number) => Int32Array.from({ length }, () => random.integer(0, shape.vocabSize));
const request = { maxTokens: RESPONSE, temperature: 1, topP: 1, topK: 0, minP: 0, stopTokens: [] };
const completions = await phase("sample 4 × 16 tokens", () =>
  engine.generate(
    Array.from({ length: SEQUENCES }, (_, i) => ({ ...request, promptTokens: tokens(PROMPT), seed: [i, 1] as const })),
  ),
);
const logprobs = completions.flatMap((completion) => [...completion.logprobs]);
demand(
  logprobs.length === SEQUENCES * RESPONSE && logprobs.every(Number.isFinite),
  "tokens with finite logprobs are wanted",
);

const zeros = new Float32Array(N);
const batch: Batch = {
  tokens_N: tokens(N),
  offsets_S1: Int32Array.of(0, 256, 512),
  weights_N: zeros,
  advantages_N: zeros,
  behaviourLogprobs_N: zeros,
  nextTokenWeights_N: new Float32Array(N).fill(1 / N),
};
const lossOf = async () => (await engine.forwardBackward(batch, LOSS))["loss/next_token"] ?? NaN;
const before = await phase(`gradients of ${N} tokens`, lossOf);
const { gradNorm } = await phase("one AdamW step", () =>
  engine.optimStep({
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  }),
);
await phase("publish", () => engine.publish());
const after = await phase(`gradients of ${N} tokens again`, lossOf);
process.stdout.write(`loss ${before.toFixed(4)} → ${after.toFixed(4)}, gradient norm ${gradNorm.toFixed(3)}\n`);
demand(after < before, "the loss on the same tokens falls");
const peak = 1024 * process.resourceUsage().maxRSS;
const reported = report?.bytes ?? NaN;
process.stdout.write(`memory reported ${(reported / 1e9).toFixed(2)} GB, peak ${(peak / 1e9).toFixed(2)} GB\n`);
demand(Math.abs(reported / peak - 1) < 0.1, "the memory report is within 10 % of the peak");

// Damage, one after the other; each must be found, named, and leave the engine as it was.
const shards = readdirSync(directory).filter((name) => name.endsWith(".safetensors"));
const shard = join(directory, shards.at(-1) ?? "");
demand(shards.length > 1, "several shards are wanted");
const config = join(directory, "config.json");
const text = readFileSync(config, "utf8");

writeFileSync(config, text.replace('"vocab_size": 151936', '"vocab_size": 151935'));
await refused("another vocabulary", "WEIGHTS_NOT_VALID", "vocabSize 151935");
writeFileSync(config, text);

renameSync(shard, `${shard}.away`);
await refused("a missing shard", "TENSOR_FILE_NOT_VALID", "the file is missing");
renameSync(`${shard}.away`, shard);

const first = join(directory, shards[0] ?? "");
const reader = await TensorReader.open(first);
const [entry] = reader.tensors.values();
if (entry) {
  const { offset } = reader.placeOf(entry);
  const original = await reader.read(entry.name, 0, 2);
  overwrite(first, offset, Uint8Array.of(0xc0, 0x7f));
  await refused("a NaN weight", "WEIGHTS_NOT_VALID", `tensor "${entry.name}" holds NaN at [0, 0]`);
  overwrite(first, offset, original);
}
await reader.close();

truncateSync(shard, 1_000_000);
await refused("a truncated shard", "TENSOR_FILE_NOT_VALID", "reaches past the end of the file");
demand((await lossOf()) === after, "the engine keeps its weights when a folder is refused");
engine.dispose();

async function refused(what: string, code: string, problem: string): Promise<void> {
  const failure = await phase(`refuse ${what}`, () =>
    engine.load(directory).then(
      () => undefined,
      // load() rejects with errors of a catalogue.
      (cause: unknown) => cause as { code: string; message: string },
    ),
  );
  demand(failure?.code === code && failure.message.includes(problem), `${what}: ${failure?.code} ${failure?.message}`);
  process.stdout.write(`    ${failure?.message}\n`);
}

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
