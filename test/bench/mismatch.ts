import type { PolicyEngine } from "@troupe/core/sdk";
import { plainRequests } from "./engine-work.js";

/** Sampled tokens, and how many of their logprobs `score` gives with other bits. */
export interface Mismatch {
  readonly compared: number;
  readonly differing: number;
}

/** Other than 1, so that logits are scaled on both sides. */
const TEMPERATURE = 0.8;

/** Sequences sampled together, by turns. */
const BATCHES = [1, 7, 64, 130];

/** Samples in batches of several sizes, prompts and answers of several lengths, and scores each batch packed. */
export async function countMismatch(engine: PolicyEngine, tokens: number): Promise<Mismatch> {
  let [compared, differing] = [0, 0];
  for (let round = 0; compared < tokens; round++) {
    const promptLength = (request: number): number => 1 + ((request * 13 + round) % 61);
    const requests = plainRequests(engine.shape, BATCHES[round % BATCHES.length] ?? 1, promptLength, 1).map(
      (request, i) => ({
        ...request,
        temperature: TEMPERATURE,
        maxTokens: 20 + ((i * 7 + round) % 83),
      }),
    );
    const completions = await engine.generate(requests);
    const sequences = completions.map((completion, i) => [...(requests[i]?.promptTokens ?? []), ...completion.tokens]);
    const offsets = [0];
    for (const sequence of sequences) offsets.push((offsets.at(-1) ?? 0) + sequence.length);
    const scores = await engine.score(Int32Array.from(sequences.flat()), Int32Array.from(offsets), TEMPERATURE);
    for (const [i, { logprobs }] of completions.entries()) {
      const end = offsets[i + 1] ?? 0;
      compared += logprobs.length;
      differing += differingBits(logprobs, scores.logprobs_N.subarray(end - logprobs.length, end));
    }
  }
  return { compared, differing };
}

/** Entries whose bits differ; comparing numbers would take 0 for -0 and no NaN for itself. */
function differingBits(a: Float32Array, b: Float32Array): number {
  const [ofA, ofB] = [new Int32Array(a.slice().buffer), new Int32Array(b.slice().buffer)];
  return ofA.reduce((sum, bits, i) => sum + (bits === ofB[i] ? 0 : 1), 0);
}
