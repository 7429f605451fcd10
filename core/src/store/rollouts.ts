import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errors } from "../errors.js";
import type { KeepDecision } from "../hooks/hooks.js";
import type { Sample } from "../records/group.js";
import type { JsonObject } from "../records/json.js";
import type { Message, Task } from "../records/task.js";
import {
  isTruncated,
  promptLength,
  responseLength,
  type StopReason,
  type Turn,
  type VersionSpan,
} from "../records/trajectory.js";
import type { EpisodeOutcome, Verdict } from "../records/verdict.js";
import { onFile } from "./durable-files.js";
import { field, parseLines } from "./jsonl.js";
import { looseFiles, packedFiles, readRolloutFile } from "./rollout-segments.js";
import { packTokens, unpackTokens, type RolloutTokens, type TokenPlace } from "./token-file.js";

/** One trajectory with everything a reader needs: a line of `rollouts/000214.jsonl`, readable without this project. */
export interface RolloutRecord {
  readonly id: string;
  readonly step: number;
  /** Generation round of the step, from 0. */
  readonly round: number;
  readonly group: string;
  readonly slot: number;
  readonly task: string;
  readonly domain: string;
  /** Facts about the task, for example its difficulty. */
  readonly taskMeta: JsonObject;
  /** The right answer, as its verifier reads it. */
  readonly reference: string;
  readonly mode: string;
  /** The task's prompt, before any plugin formatted it. */
  readonly messages: readonly Message[];
  /** The whole prompt as text, `assistantPrefix` at its end. */
  readonly prompt: string;
  readonly assistantPrefix: string;
  /** Special tokens kept. */
  readonly response: string;
  readonly verdict: Verdict;
  /** After shaping. */
  readonly reward: number;
  /** Named parts of the reward. */
  readonly rewardParts: Readonly<Record<string, number>>;
  /** Mean over the response where tokens have advantages of their own; null when the group was not kept. */
  readonly advantage: number | null;
  readonly decision: KeepDecision;
  /** Why the group was dropped or resampled; empty when it was kept. */
  readonly decisionReason: string;
  readonly stopReason: StopReason;
  readonly truncated: boolean;
  /** Error text when `stopReason` is "failed". */
  readonly failure?: string;
  /** What the environment found at the end of an episode, or how it failed. */
  readonly outcome?: EpisodeOutcome;
  readonly promptTokens: number;
  readonly responseTokens: number;
  readonly maxTokens: number;
  readonly temperature: number;
  /** What the sampler computed with; records of earlier releases do not tell. */
  readonly kernelSet?: string;
  /** Key of the generator, 16 hexadecimal digits. */
  readonly seed: string;
  readonly turns: readonly Turn[];
  readonly versions: readonly VersionSpan[];
  /** Plugin name → version. */
  readonly plugins: Readonly<Record<string, string>>;
  readonly annotations: JsonObject;
}

/** One trajectory as it is written. */
export interface Rollout {
  readonly record: RolloutRecord;
  readonly tokens: RolloutTokens;
}

/** What became of a sample after its verdict. */
export interface SampleOutcome {
  readonly step: number;
  /** 0 unless given. */
  readonly round?: number;
  readonly reward: number;
  readonly rewardParts: Readonly<Record<string, number>>;
  /** One number for the sample, or one for each response token; undefined when the group was not kept. */
  readonly advantage: number | Float32Array | undefined;
  readonly decision: KeepDecision;
  readonly decisionReason: string;
}

/** Puts together what is written about one sample. */
export function describeRollout(task: Task, { trajectory, verdict }: Sample, outcome: SampleOutcome): Rollout {
  const { step, round = 0, reward, rewardParts, advantage, decision, decisionReason } = outcome;
  const start = promptLength(trajectory);
  const advantages = new Float32Array(trajectory.tokens.length);
  if (typeof advantage === "number") advantages.fill(advantage, start);
  else if (advantage !== undefined) advantages.set(advantage, start);
  return {
    record: {
      id: trajectory.id,
      step,
      round,
      group: trajectory.groupId,
      slot: trajectory.slot,
      task: task.id,
      domain: task.domain,
      taskMeta: task.meta,
      reference: task.reference,
      mode: trajectory.mode,
      messages: task.prompt,
      prompt: trajectory.promptText,
      assistantPrefix: trajectory.assistantPrefix,
      response: trajectory.responseText,
      verdict,
      reward,
      rewardParts,
      advantage: typeof advantage === "object" ? mean(advantage) : (advantage ?? null),
      decision,
      decisionReason,
      stopReason: trajectory.stopReason,
      truncated: isTruncated(trajectory),
      ...(trajectory.failure === undefined ? {} : { failure: trajectory.failure }),
      ...(trajectory.outcome === undefined ? {} : { outcome: trajectory.outcome }),
      promptTokens: start,
      responseTokens: responseLength(trajectory),
      maxTokens: trajectory.maxTokens,
      temperature: trajectory.temperature,
      ...(trajectory.kernelSet === undefined ? {} : { kernelSet: trajectory.kernelSet }),
      seed: trajectory.seed,
      turns: trajectory.turns,
      versions: trajectory.versions,
      plugins: trajectory.plugins,
      annotations: trajectory.annotations,
    },
    tokens: {
      tokens: trajectory.tokens,
      origins: trajectory.origins,
      logprobs: trajectory.logprobs,
      entropies: trajectory.entropies,
      advantages,
    },
  };
}

/**
 * Writes the rollouts of one step, `000214.jsonl` beside `000214.tok.bin`; held-out ones, under the name of their
 * evaluation, as `eval-<name>-000214.jsonl`. Files appear whole or not at all, side file first. Forcing them to the disk
 * is the caller's.
 *
 * @param directory the run's folder of rollouts
 * @returns the paths of the files
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export async function writeRollouts(
  directory: string,
  step: number,
  rollouts: readonly Rollout[],
  evaluation?: string,
): Promise<readonly string[]> {
  const name = fileName(step, evaluation);
  const lines: string[] = [];
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const { record, tokens } of rollouts) {
    const { place, bytes } = packTokens(tokens, offset);
    lines.push(`${JSON.stringify({ ...record, bin: place })}\n`);
    chunks.push(bytes);
    offset += bytes.length;
  }
  const paths = [join(directory, `${name}.tok.bin`), join(directory, `${name}.jsonl`)] as const;
  await replaceFile(paths[0], Buffer.concat(chunks));
  await replaceFile(paths[1], lines.join(""));
  return paths;
}

/**
 * Reads what was written about the rollouts of a step, token arrays left on disk; a step without rollouts is empty.
 * @throws LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export async function readRollouts(
  directory: string,
  step: number,
  evaluation?: string,
): Promise<readonly RolloutRecord[]> {
  const lines = await readLines(directory, fileName(step, evaluation));
  return lines.map(({ record }) => record);
}

/**
 * Reads every trajectory of a training step with its token arrays, in order of sampling; a step without rollouts is empty.
 * @throws ROLLOUTS_UNREADABLE, LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export async function readStep(directory: string, step: number): Promise<readonly Rollout[]> {
  const name = fileName(step);
  const lines = await readLines(directory, name);
  if (lines.length === 0) return [];
  const { file, side } = await readSide(directory, name);
  return lines.map(({ record, place }) => ({ record, tokens: unpackTokens(side, place, file) }));
}

/**
 * Reads one trajectory with its token arrays; undefined when it was not written.
 * @throws ROLLOUTS_UNREADABLE when the side file does not hold it; LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export async function readTrajectory(directory: string, id: string): Promise<Rollout | undefined> {
  const step = /^(\d+)\//.exec(id)?.[1];
  const names =
    step === undefined
      ? (await listRollouts(directory)).filter((name) => name.startsWith("eval-"))
      : [fileName(Number(step))];
  for (const name of names.toReversed()) {
    const line = (await readLines(directory, name)).find(({ record }) => record.id === id);
    if (line === undefined) continue;
    const { file, side } = await readSide(directory, name);
    return { record: line.record, tokens: unpackTokens(side, line.place, file) };
  }
  return undefined;
}

/** Names of the stored files without their endings, closed segments' included, in order: "000214", "eval-default-000200". */
export async function listRollouts(directory: string): Promise<readonly string[]> {
  const loose = (await looseFiles(directory)).map(({ name }) => name);
  const packed = (await packedFiles(directory)).map(({ file }) => file);
  const names = [...loose, ...packed].filter((name) => name.endsWith(".jsonl"));
  return [...new Set(names.map((name) => name.slice(0, -".jsonl".length)))].toSorted();
}

function fileName(step: number, evaluation?: string): string {
  const number = String(step).padStart(6, "0");
  return evaluation === undefined ? number : `eval-${evaluation}-${number}`;
}

async function readLines(
  directory: string,
  name: string,
): Promise<readonly { record: RolloutRecord; place: TokenPlace }[]> {
  const file = `${name}.jsonl`;
  const bytes = await readRolloutFile(directory, file);
  if (!bytes) return [];
  const content = parseLines(join(directory, file), bytes, (line) => {
    field(line, "id", "string");
    const bin = field(line, "bin", "object");
    const at = (array: string) => field(bin, array, "number");
    const place = {
      length: at("length"),
      tokens: at("tokens"),
      logprobs: at("logprobs"),
      entropies: at("entropies"),
      advantages: at("advantages"),
      origins: at("origins"),
    };
    // What finds a rollout was checked; the rest stands as `writeRollouts` wrote it.
    const { bin: _, ...record } = line as RolloutRecord & { readonly bin: TokenPlace };
    return { record, place };
  });
  return content.lines;
}

async function readSide(directory: string, name: string): Promise<{ readonly file: string; readonly side: Buffer }> {
  const file = join(directory, `${name}.tok.bin`);
  const side = await readRolloutFile(directory, `${name}.tok.bin`);
  if (!side) throw errors.rolloutsUnreadable({ file, problem: "the file is not there" });
  return { file, side };
}

async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  await onFile(file, "write", async () => {
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(`${file}.tmp`, content);
    await rename(`${file}.tmp`, file);
  });
}

function mean(values: Float32Array): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
