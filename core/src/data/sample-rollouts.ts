import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readdir, readFile, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { engineModule, loadEngine } from "../engines/load-engine.js";
import { readModelShape } from "../engines/model-shape.js";
import type { GenerateRequest, PolicyEngine } from "../engines/policy-engine.js";
import { Tokenizer } from "../engines/tokenizer.js";
import { errors } from "../errors.js";
import { deriveKey } from "../numerics/random.js";
import { isMissing, onFile, writeFileAtomically } from "../store/durable-files.js";
import { readLines } from "../store/read-lines.js";
import { hasWeights } from "../store/tensor-folder.js";
import { sha256Of } from "./curate.js";
import { parseObject } from "./parse-object.js";
import { readRecords } from "./read-records.js";
import { textAt } from "./row.js";

/** Which rows are answered, by whom, and how. */
export interface SampleOrder {
  readonly input: string;
  readonly output: string;
  readonly idColumn: string;
  readonly problemColumn: string;
  /** Stands behind each problem after a space; "" for nothing. */
  readonly instruction: string;
  /** Folder of the policy, in Hugging Face layout. */
  readonly policy: string;
  /** Module of the engine, as in a config. */
  readonly engine: string;
  /** Answers to each row. */
  readonly attempts: number;
  /** Tokens of an answer at most. */
  readonly maxTokens: number;
  readonly temperature: number;
  /** 1 keeps everything. */
  readonly topP: number;
  readonly seed: number;
}

/** What became of the rows. */
export interface SampleOutcome {
  /** Rows that have their answers. */
  readonly answered: number;
  /** Rows without a problem, or with one that is too long for the policy. */
  readonly skipped: number;
  /** Rows that had their answers from an earlier, interrupted call. */
  readonly before: number;
  /** What the chat template wrote into the assistant's turn before every answer. */
  readonly assistantPrefix: string;
}

/** Requests that an engine gets together. */
const REQUESTS_AT_ONCE = 64;

/**
 * Has a policy answer every row several times, as lines of `{id, response, tokens}` for the stages that score and vote.
 * An answer depends on seed, id and attempt alone. Interrupted, the same call goes on where it was.
 *
 * @throws OUTPUT_EXISTS, LINES_UNREADABLE, DISK_FULL, MODEL_NOT_VALID, TOKENIZER_NOT_VALID, OPTION_NOT_VALID without weights
 */
export async function sampleRollouts(
  order: SampleOrder,
  { restart, onProgress }: { readonly restart: boolean; readonly onProgress?: (rows: number) => void },
): Promise<SampleOutcome> {
  const { input, output, policy, attempts } = order;
  if (!hasWeights(policy))
    throw errors.optionNotValid({ option: "--policy", found: policy, wanted: "a folder with a policy's weights" });
  const tokenizer = Tokenizer.fromDirectory(policy);
  const shape = readModelShape(policy, tokenizer.vocabSize);
  const key = createHash("sha256")
    .update(JSON.stringify([{ ...order, output: "" }, await sha256Of(input), await weightsOf(policy)]))
    .digest("hex");
  const before = await rowsBefore(output, key, attempts, restart);
  const file = await onFile(output, "write", () => open(output, "a"));
  let engine: PolicyEngine | undefined;
  let [answered, skipped] = [0, 0];
  let assistantPrefix = "";
  try {
    engine = await openPolicy(order, shape);
    let waiting: Asked[] = [];
    const answer = async (): Promise<void> => {
      if (waiting.length > 0 && engine) await answerRows(waiting, engine, tokenizer, order, file);
      answered += waiting.length;
      waiting = [];
      onProgress?.(answered);
    };
    for await (const { number, value } of readRecords(input)) {
      const problem = value && textAt(value, order.problemColumn);
      if (value === undefined || problem === undefined) {
        skipped++;
        continue;
      }
      const content = order.instruction === "" ? problem : `${problem} ${order.instruction}`;
      const prompt = tokenizer.render([{ role: "user", content }]);
      const promptTokens = tokenizer.encode(prompt.context + prompt.assistantPrefix);
      if (promptTokens.length >= shape.maxPositions) {
        skipped++;
        continue;
      }
      assistantPrefix = prompt.assistantPrefix;
      if (answered < before) {
        answered++;
        continue;
      }
      const maxTokens = Math.min(order.maxTokens, shape.maxPositions - promptTokens.length);
      waiting.push({ id: textAt(value, order.idColumn) ?? String(number), promptTokens, maxTokens });
      if (waiting.length * attempts >= REQUESTS_AT_ONCE) await answer();
    }
    await answer();
    return { answered, skipped, before, assistantPrefix };
  } finally {
    engine?.dispose();
    await file.close();
  }
}

/** What tells the weights of a folder from others that stood there before. */
async function weightsOf(policy: string): Promise<readonly unknown[]> {
  const names = (await readdir(policy)).filter((name) => /\.(safetensors|json)$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(policy, name));
      return [name, size, mtimeMs];
    }),
  );
}

interface Asked {
  readonly id: string;
  readonly promptTokens: Int32Array;
  readonly maxTokens: number;
}

async function openPolicy({ engine: name, policy, seed }: SampleOrder, shape: ReturnType<typeof readModelShape>) {
  const { createEngine } = await loadEngine(engineModule(name, process.cwd()));
  const engine = await createEngine({ shape, seed, blank: true });
  await engine.load(policy);
  await engine.publish(0);
  return engine;
}

/** All answers to a row reach the file together, so that after a stop whole rows can be counted. */
async function answerRows(
  rows: readonly Asked[],
  engine: PolicyEngine,
  tokenizer: Tokenizer,
  { attempts, temperature, topP, seed, output }: SampleOrder,
  file: FileHandle,
): Promise<void> {
  const requests = rows.flatMap(({ id, promptTokens, maxTokens }) =>
    Array.from({ length: attempts }, (_, attempt): GenerateRequest => {
      const chance = deriveKey(seed, "data/sample", id, attempt);
      const stopTokens = [tokenizer.eosToken];
      return { promptTokens, maxTokens, temperature, topP, topK: 0, minP: 0, stopTokens, seed: chance };
    }),
  );
  const completions = await engine.generate(requests);
  const lines = completions.map(({ tokens }, index) => {
    const id = rows[Math.floor(index / attempts)]?.id;
    return `${JSON.stringify({ id, response: tokenizer.decode(tokens), tokens: tokens.length })}\n`;
  });
  await onFile(output, "write", async () => {
    await file.appendFile(lines.join(""));
    await file.datasync();
  });
}

/** Rows that an earlier call of the same order has answered; what it left of another one is cut off. */
async function rowsBefore(output: string, key: string, attempts: number, restart: boolean): Promise<number> {
  const note = `${output}.sampling.json`;
  const known = restart ? undefined : await keyIn(note);
  if (known !== key && existsSync(output) && !restart)
    throw errors.outputExists({ path: output, problem: "it lies there already, made from other rows or options" });
  await writeFileAtomically(note, JSON.stringify({ key }));
  if (!existsSync(output)) return 0;
  const ends: number[] = [];
  const { size } = await stat(output);
  if (known === key)
    for await (const { text, start, bytes } of readLines(createReadStream(output), output)) {
      const end = start + bytes + 1;
      if (end <= size && parseObject(text) !== undefined) ends.push(end);
    }
  const rows = Math.floor(ends.length / attempts);
  const file = await open(output, "r+");
  await file.truncate(rows === 0 ? 0 : (ends[rows * attempts - 1] ?? 0));
  await file.close();
  return rows;
}

async function keyIn(path: string): Promise<string | undefined> {
  try {
    const key = parseObject(await readFile(path, "utf8"))?.["key"];
    return typeof key === "string" ? key : undefined;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}
