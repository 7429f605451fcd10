import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cacheDirectory } from "./config/paths.js";
import type { RunConfig } from "./config/run-config.js";
import { engineOptions } from "./engines/engine-options.js";
import { engineModule, loadEngine } from "./engines/load-engine.js";
import { readModelShape } from "./engines/model-shape.js";
import type { PolicyEngine } from "./engines/policy-engine.js";
import { Tokenizer, tokenizerFiles } from "./engines/tokenizer.js";
import type { EntropyOptions, TextReader } from "./environments/environment.js";
import { errors } from "./errors.js";
import { topEntropy } from "./numerics/top-entropy.js";
import { writeFileAtomically } from "./store/durable-files.js";
import { hasWeights } from "./store/tensor-folder.js";

/** Tokens that are scored, and put on disk, at once. */
const CHUNK_TOKENS = 16_384;

/** Where a scoring pass is done, and where it is kept. */
export interface ReadingPlace {
  readonly config: RunConfig;
  /** Where relative paths in the config start. */
  readonly baseDirectory: string;
  /** Of the run's policy. */
  readonly tokenizer: Tokenizer;
  /** Folder of the run that keeps what was measured, whatever its policy becomes; absent keeps it in the cache alone. */
  readonly keptIn?: string | undefined;
}

/**
 * Reads texts as the policy of a config does. Its scoring pass is the policy that a run begins with, or one that the caller
 * names, over whole texts. Chunks lie in the cache by all that goes in (texts, weights, tokenizer, options), so that a
 * pass goes on where it was cut off and processes that do the same one help each other.
 *
 * @param canScore false for a policy that has yet to be taught: its reader has no `entropies`
 */
export function readTexts(place: ReadingPlace, canScore: boolean): TextReader {
  const { tokenizer } = place;
  const tokenEnds = (text: string): Int32Array => tokenizer.endsOf(tokenizer.encode(text), text);
  if (!canScore) return { tokenEnds };
  return { tokenEnds, entropies: (texts, options) => entropiesOf(place, texts, options) };
}

async function entropiesOf(
  { config, baseDirectory, tokenizer, keptIn }: ReadingPlace,
  texts: readonly string[],
  options: EntropyOptions,
): Promise<readonly Float32Array[]> {
  const directory = resolve(baseDirectory, options.policy ?? config.policy.from);
  const scorer = options.policy === undefined ? tokenizer : Tokenizer.fromDirectory(directory);
  const sequences = texts.map((text) => scorer.encode(text));
  if (scorer !== tokenizer) checkAlike(texts, sequences, scorer, tokenizer, directory);
  const lengths = sequences.map((sequence) => sequence.length);
  const asked = keyOf([JSON.stringify(options), ...texts]);
  const kept = keptIn === undefined ? undefined : join(keptIn, `${asked}.f32`);
  if (kept !== undefined && existsSync(kept)) return divide(floatsOf(await readFile(kept)), lengths);
  const pass = new ScoringPass(config, baseDirectory, directory, scorer);
  const parts = await pass.run(sequences, texts, options, asked);
  const all = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  let next = 0;
  for (const part of parts) {
    all.set(part, next);
    next += part.length;
  }
  if (keptIn !== undefined && kept !== undefined) {
    await mkdir(keptIn, { recursive: true });
    await writeFileAtomically(kept, new Uint8Array(all.buffer));
  }
  return divide(all, lengths);
}

/** Another policy may score the texts when it cuts them at the same places. */
function checkAlike(
  texts: readonly string[],
  sequences: readonly Int32Array[],
  scorer: Tokenizer,
  own: Tokenizer,
  directory: string,
): void {
  texts.forEach((text, s) => {
    const ends_T = own.endsOf(own.encode(text), text);
    const others_T = scorer.endsOf(sequences[s]!, text);
    if (ends_T.length !== others_T.length || ends_T.some((end, t) => end !== others_T[t]))
      throw errors.tokensDiffer({ policy: directory, text: text.slice(0, 60) });
  });
}

/** One policy over many texts, a chunk of whole texts at a time. */
class ScoringPass {
  readonly #config: RunConfig;
  readonly #baseDirectory: string;
  readonly #directory: string;
  readonly #tokenizer: Tokenizer;
  #engine: PolicyEngine | undefined;

  constructor(config: RunConfig, baseDirectory: string, directory: string, tokenizer: Tokenizer) {
    this.#config = config;
    this.#baseDirectory = baseDirectory;
    this.#directory = directory;
    this.#tokenizer = tokenizer;
  }

  async run(
    sequences: readonly Int32Array[],
    texts: readonly string[],
    options: EntropyOptions,
    asked: string,
  ): Promise<readonly Float32Array[]> {
    const folder = join(cacheDirectory(), "entropies", keyOf([asked, await this.#identity()]));
    await mkdir(folder, { recursive: true });
    const parts: Float32Array[] = [];
    try {
      for (const [index, chunk] of chunksOf(sequences).entries()) {
        const file = join(folder, `${index}.f32`);
        if (!existsSync(file)) {
          const found = await this.#score(sequences.slice(...chunk), texts.slice(...chunk), options);
          await writeFileAtomically(file, new Uint8Array(found.buffer));
        }
        parts.push(floatsOf(await readFile(file)));
      }
      return parts;
    } finally {
      this.#engine?.dispose();
    }
  }

  async #score(
    sequences: readonly Int32Array[],
    texts: readonly string[],
    { topK, renormalise }: EntropyOptions,
  ): Promise<Float32Array> {
    const { maxPositions } = readModelShape(this.#directory, this.#tokenizer.vocabSize);
    const offsets_S1 = new Int32Array(sequences.length + 1);
    sequences.forEach((sequence, s) => {
      if (sequence.length > maxPositions)
        throw errors.textTooLong({ text: texts[s]!.slice(0, 60), tokens: sequence.length, maxPositions });
      offsets_S1[s + 1] = offsets_S1[s]! + sequence.length;
    });
    const tokens_N = new Int32Array(offsets_S1.at(-1)!);
    sequences.forEach((sequence, s) => tokens_N.set(sequence, offsets_S1[s]));
    const engine = (this.#engine ??= await this.#open());
    const { topLogprobs_NK } = await engine.score(tokens_N, offsets_S1, 1, { topK });
    if (!topLogprobs_NK) throw errors.engineNotValid({ name: this.#config.policy.engine });
    const entropies_N = new Float32Array(tokens_N.length);
    // The first token of a sequence is predicted from nothing, and has 0 everywhere.
    const firsts = new Set(offsets_S1);
    for (let t = 0; t < tokens_N.length; t++)
      if (!firsts.has(t)) entropies_N[t] = topEntropy(topLogprobs_NK.subarray(t * topK, (t + 1) * topK), renormalise);
    return entropies_N;
  }

  async #open(): Promise<PolicyEngine> {
    const { createEngine } = await loadEngine(engineModule(this.#config.policy.engine, this.#baseDirectory));
    const shape = readModelShape(this.#directory, this.#tokenizer.vocabSize);
    const { lora: _, ...options } = engineOptions(this.#config, shape);
    const engine = await createEngine(options);
    if (hasWeights(this.#directory)) await engine.load(this.#directory);
    await engine.publish(0);
    return engine;
  }

  /** What the predictions depend on: every file of the policy, and how it is computed. */
  async #identity(): Promise<string> {
    const { engine, dtype } = this.#config.policy;
    const weights = (await readdir(this.#directory)).filter((name) => name.endsWith(".safetensors")).toSorted();
    const hash = createHash("sha256").update(JSON.stringify([engine, dtype]));
    // Weights that are not there are drawn from the seed.
    if (weights.length === 0) hash.update(String(this.#config.seed));
    for (const name of ["config.json", ...tokenizerFiles(this.#directory), ...weights])
      for await (const bytes of createReadStream(join(this.#directory, name))) hash.update(bytes as Buffer); // no encoding is set
    return hash.digest("hex");
  }
}

/** Neighbouring texts of together at least `CHUNK_TOKENS` tokens, as [first, end) of their indices. */
function chunksOf(sequences: readonly Int32Array[]): readonly (readonly [number, number])[] {
  const chunks: [number, number][] = [];
  let tokens = 0;
  let first = 0;
  sequences.forEach((sequence, s) => {
    tokens += sequence.length;
    if (tokens < CHUNK_TOKENS && s < sequences.length - 1) return;
    chunks.push([first, s + 1]);
    first = s + 1;
    tokens = 0;
  });
  return chunks;
}

function divide(all: Float32Array, lengths: readonly number[]): readonly Float32Array[] {
  let next = 0;
  return lengths.map((length) => all.subarray(next, (next += length)));
}

function keyOf(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/** A copy: the bytes of a file may begin at any place of their buffer. */
function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
