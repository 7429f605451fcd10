import {
  ORIGIN,
  Random,
  sampleToken,
  tokenLogprob,
  type Completion,
  type GenerateRequest,
  type ModelShape,
  type Scores,
} from "@troupe/core/sdk";
import { cacheNames } from "./decoder-graph.js";
import type { OnnxRuntime, OnnxSession, OnnxTensor } from "./runtime.js";

/** Sequences that are decoded beside each other. */
const BATCH = 32;

/** Longer inputs go through in pieces of so many tokens, and of fewer where the logits would pass 256 MB. */
const PIECE = 512;
const MOST_LOGITS = 1 << 26;

/** Calls of the runtime for exported policies: padding on the left, a cache of keys and values, sampling in TypeScript. */
export class OnnxDecoder {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;
  readonly #shape: ModelShape;

  constructor(runtime: OnnxRuntime, session: OnnxSession, shape: ModelShape) {
    this.#runtime = runtime;
    this.#session = session;
    this.#shape = shape;
  }

  /** Completions in the order of the requests; the token, its logprob and chance are those of a `GenerateRequest`. */
  async generate(
    requests: readonly GenerateRequest[],
    version: number,
    isAborted: () => boolean,
  ): Promise<readonly Completion[]> {
    const completions: Completion[] = [];
    for (let first = 0; first < requests.length; first += BATCH) {
      const rows = requests.slice(first, first + BATCH).map((request) => new Row(request));
      const batch = new CachedBatch(
        this.#runtime,
        this.#session,
        this.#shape,
        rows.map(({ request }) => request.promptTokens),
      );
      let logits = isAborted() ? undefined : await batch.prefill();
      while (logits) {
        rows.forEach((row, i) => row.take(logits?.(i) ?? new Float32Array()));
        if (rows.every((row) => row.isDone) || isAborted()) break;
        logits = await batch.advance(rows.map((row) => row.last));
      }
      completions.push(...rows.map((row) => row.completion(version)));
    }
    return completions;
  }

  async score(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number): Promise<Scores> {
    const logprobs_N = new Float32Array(tokens_N.length);
    const entropies_N = new Float32Array(tokens_N.length);
    for (let s = 0; s + 1 < offsets_S1.length; s++) {
      const [start = 0, end = 0] = offsets_S1.subarray(s, s + 2);
      if (end === start) continue;
      const sequence = tokens_N.subarray(start, end);
      const batch = new CachedBatch(this.#runtime, this.#session, this.#shape, [sequence]);
      await batch.prefill((position, row_V) => {
        if (position + 1 >= sequence.length) return;
        const { logprob, entropy } = tokenLogprob(row_V, sequence[position + 1] ?? 0, temperature);
        logprobs_N[start + position + 1] = logprob;
        entropies_N[start + position + 1] = entropy;
      });
    }
    return { logprobs_N, entropies_N };
  }

  /** A reward model's first score at the end of each sequence. */
  async judge(sequences: readonly Int32Array[]): Promise<Float32Array> {
    const scores = new Float32Array(sequences.length);
    for (const [i, tokens] of sequences.entries()) {
      const length = tokens.length;
      const integers = (values: ArrayLike<number>) =>
        new this.#runtime.Tensor("int64", BigInt64Array.from(Array.from(values), BigInt), [1, length]);
      const { scores: found } = await this.#session.run({
        input_ids: integers(tokens),
        attention_mask: integers(tokens.map(() => 1)),
        position_ids: integers(tokens.map((_, t) => t)),
      });
      const labels = found?.dims[2] ?? 1;
      scores[i] = floats(found)[(length - 1) * labels] ?? NaN;
    }
    return scores;
  }
}

/** One request on its way. */
class Row {
  readonly request: GenerateRequest;
  readonly #tokens: number[] = [];
  readonly #logprobs: number[] = [];
  readonly #entropies: number[] = [];
  readonly #origins: number[] = [];
  #stopReason: Completion["stopReason"] = "aborted";

  constructor(request: GenerateRequest) {
    this.request = request;
  }

  get isDone(): boolean {
    return this.#stopReason !== "aborted";
  }

  /** The token to go on with; any will do for a row that is done. */
  get last(): number {
    return this.#tokens.at(-1) ?? 0;
  }

  /** Records the next token, the given one where it is forced. */
  take(logits_V: Float32Array): void {
    if (this.isDone) return;
    const { forcedTokens, temperature, seed, stopTokens, maxTokens } = this.request;
    const at = this.#tokens.length;
    const forced = forcedTokens?.[at];
    const token = forced ?? sampleToken(logits_V, this.request, new Random(seed, at).uniform());
    // At temperature 0 the numbers are those of temperature 1.
    const { logprob, entropy } = tokenLogprob(logits_V, token, temperature === 0 ? 1 : temperature);
    this.#tokens.push(token);
    this.#origins.push(forced === undefined ? ORIGIN.sampled : ORIGIN.forced);
    this.#logprobs.push(logprob);
    this.#entropies.push(entropy);
    if (forced === undefined && stopTokens.includes(token)) this.#stopReason = "stop";
    else if (at + 1 >= maxTokens) this.#stopReason = "length";
  }

  completion(version: number): Completion {
    return {
      tokens: Int32Array.from(this.#tokens),
      origins: Uint8Array.from(this.#origins),
      logprobs: Float32Array.from(this.#logprobs),
      entropies: Float32Array.from(this.#entropies),
      stopReason: this.#stopReason,
      version,
    };
  }
}

/** Logits [V] of one row. */
type LogitsOf = (row: number) => Float32Array;

/** Sequences padded on the left to one length, with their keys and values so far. */
class CachedBatch {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;
  readonly #shape: ModelShape;
  readonly #prompts: readonly Int32Array[];
  readonly #longest: number;
  #length = 0;
  #cache: Record<string, OnnxTensor> = {};

  constructor(runtime: OnnxRuntime, session: OnnxSession, shape: ModelShape, prompts: readonly Int32Array[]) {
    this.#runtime = runtime;
    this.#session = session;
    this.#shape = shape;
    this.#prompts = prompts;
    this.#longest = prompts.reduce((most, prompt) => Math.max(most, prompt.length), 0);
    const { layers, kvHeads, headSize } = shape;
    const empty = () => new runtime.Tensor("float32", new Float32Array(), [prompts.length, kvHeads, 0, headSize]);
    for (let layer = 0; layer < layers; layer++) {
      const { pastKey, pastValue } = cacheNames(layer);
      this.#cache[pastKey] = empty();
      this.#cache[pastValue] = empty();
    }
  }

  /**
   * Takes all prompts in, piece by piece.
   *
   * @param visit sees the logits after each token of the only prompt, which counts as the first row
   * @returns the logits after the last tokens
   */
  async prefill(visit?: (position: number, logits_V: Float32Array) => void): Promise<LogitsOf> {
    const room = Math.floor(MOST_LOGITS / (this.#prompts.length * this.#shape.vocabSize));
    const piece = Math.max(1, Math.min(PIECE, room));
    let logits: LogitsOf = () => new Float32Array();
    for (let from = 0; from < this.#longest; from += piece) {
      const width = Math.min(piece, this.#longest - from);
      const all = await this.#run(width, (row, column) => {
        const prompt = this.#prompts[row];
        return prompt?.[from + column - (this.#longest - prompt.length)] ?? 0;
      });
      for (let t = 0; visit && t < width; t++) visit(from + t, all(0, t));
      logits = (row) => all(row, width - 1);
    }
    return logits;
  }

  /** One more token for each row. */
  async advance(tokens: readonly number[]): Promise<LogitsOf> {
    const all = await this.#run(1, (row) => tokens[row] ?? 0);
    return (row) => all(row, 0);
  }

  async #run(
    width: number,
    tokenAt: (row: number, column: number) => number,
  ): Promise<(row: number, column: number) => Float32Array> {
    const rows = this.#prompts.length;
    const past = this.#length;
    const padding = this.#prompts.map((prompt) => this.#longest - prompt.length);
    const table = (columns: number, valueAt: (row: number, column: number) => number) =>
      new this.#runtime.Tensor(
        "int64",
        BigInt64Array.from({ length: rows * columns }, (_, i) => BigInt(valueAt(Math.floor(i / columns), i % columns))),
        [rows, columns],
      );
    const outputs = await this.#session.run({
      input_ids: table(width, tokenAt),
      attention_mask: table(past + width, (row, column) => Number(column >= (padding[row] ?? 0))),
      position_ids: table(width, (row, column) => Math.max(0, past + column - (padding[row] ?? 0))),
      ...this.#cache,
    });
    this.#length += width;
    for (let layer = 0; layer < this.#shape.layers; layer++) {
      const { pastKey, pastValue, key, value } = cacheNames(layer);
      // Every export has these outputs; the runtime refuses a feed that is missing.
      this.#cache[pastKey] = outputs[key]!;
      this.#cache[pastValue] = outputs[value]!;
    }
    const logits = floats(outputs["logits"]);
    const { vocabSize } = this.#shape;
    return (row, column) => logits.subarray((row * width + column) * vocabSize, (row * width + column + 1) * vocabSize);
  }
}

function floats(tensor: OnnxTensor | undefined): Float32Array {
  return tensor?.data instanceof Float32Array ? tensor.data : new Float32Array();
}
