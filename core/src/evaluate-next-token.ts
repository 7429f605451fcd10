import { systemClock } from "./actors/clock.js";
import { errors } from "./errors.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import { mean, wilsonInterval } from "./numerics/statistics.js";
import { NEXT_TOKEN_MODE, type DifficultySlice, type Evaluation } from "./records/evaluation.js";
import { placeOf, type Task, type TextPlace } from "./records/task.js";
import type { RunSession } from "./run-session.js";

/** Tokens that are scored at once. */
const CHUNK_TOKENS = 16_384;

interface Asked {
  readonly place: TextPlace;
  readonly difficulty: number | undefined;
}

/**
 * What the live version predicts of held-out texts without writing anything: whether its most probable token is the true
 * one at each task's place, and the perplexity of the texts that the tasks stand in, over all tokens but each one's first.
 * Tasks that stand in no text, those of a mixture's other parts, are passed over.
 *
 * @throws TASK_WITHOUT_PLACE, TOKENS_DIFFER
 */
export async function evaluateNextToken(session: RunSession, tasks: readonly Task[]): Promise<Evaluation> {
  const started = systemClock.now();
  const asked = grouped(tasks.flatMap(askedOf), ({ place }) => place.text);
  if (asked.size === 0) throw errors.taskWithoutPlace({ taskId: tasks[0]?.id ?? "", mode: NEXT_TOKEN_MODE });
  let losses = 0;
  let tokens = 0;
  const answers: { readonly difficulty: number | undefined; readonly isHit: boolean }[] = [];
  for (const texts of chunksOf(session, [...asked.keys()])) {
    const found = await score(session, texts);
    texts.forEach(({ text, ends_T }, s) => {
      const start = found.offsets_S1[s]!;
      for (let t = 1; t < ends_T.length; t++) losses -= found.logprobs_N[start + t]!;
      tokens += ends_T.length - 1;
      for (const { place, difficulty } of asked.get(text) ?? []) {
        const t = ends_T.indexOf(place.end);
        if (t < 1 || ends_T[t - 1] !== place.start)
          throw errors.tokensDiffer({ policy: session.config.policy.from, text: text.slice(0, 60) });
        answers.push({ difficulty, isHit: found.topIds_N[start + t] === found.tokens_N[start + t] });
      }
    });
  }
  const hits = answers.filter(({ isHit }) => isHit).length;
  const { low, high } = wilsonInterval(hits, answers.length);
  const accuracy = hits / Math.max(1, answers.length);
  return {
    mode: NEXT_TOKEN_MODE,
    version: session.state.version,
    n: answers.length,
    samplesPerTask: 1,
    accuracy,
    ci95: [low, high],
    tokensPerAnswer: 0,
    thinkRate: 0,
    truncated: 0,
    ungradable: 0,
    passAtK: accuracy,
    mixedGroups: 0,
    byDifficulty: slicesOf(answers),
    perplexity: Math.exp(losses / Math.max(1, tokens)),
    seconds: (systemClock.now() - started) / 1000,
  };
}

function askedOf(task: Task): readonly Asked[] {
  const place = placeOf(task);
  const { difficulty } = task.meta;
  return place ? [{ place, difficulty: typeof difficulty === "number" ? difficulty : undefined }] : [];
}

interface Tokenised {
  readonly text: string;
  readonly tokens_T: Int32Array;
  readonly ends_T: Int32Array;
}

/** Texts in the order given, tokenised, together at least `CHUNK_TOKENS` tokens a chunk. */
function* chunksOf({ parts }: RunSession, texts: readonly string[]): Generator<readonly Tokenised[]> {
  let chunk: Tokenised[] = [];
  let tokens = 0;
  for (const text of texts) {
    const tokens_T = parts.tokenizer.encode(text);
    chunk.push({ text, tokens_T, ends_T: parts.tokenizer.endsOf(tokens_T, text) });
    tokens += tokens_T.length;
    if (tokens < CHUNK_TOKENS) continue;
    yield chunk;
    chunk = [];
    tokens = 0;
  }
  if (chunk.length > 0) yield chunk;
}

async function score({ parts }: RunSession, texts: readonly Tokenised[]) {
  const offsets_S1 = new Int32Array(texts.length + 1);
  texts.forEach(({ tokens_T }, s) => (offsets_S1[s + 1] = offsets_S1[s]! + tokens_T.length));
  const tokens_N = new Int32Array(offsets_S1.at(-1)!);
  texts.forEach(({ tokens_T }, s) => tokens_N.set(tokens_T, offsets_S1[s]));
  const asked = { tokens_N, offsets_S1, topK: 1 };
  const { logprobs_N, topIds_NK } = await parts.learner.ask("score", asked, { deadlineMs: LEARNER_DEADLINE_MS });
  if (!topIds_NK) throw errors.engineNotValid({ name: parts.engine.description });
  return { tokens_N, offsets_S1, logprobs_N, topIds_N: topIds_NK };
}

function slicesOf(
  answers: readonly { readonly difficulty: number | undefined; readonly isHit: boolean }[],
): readonly DifficultySlice[] {
  return [...grouped(answers, ({ difficulty }) => difficulty)]
    .flatMap(([difficulty, of]) => (difficulty === undefined ? [] : [{ difficulty, of }]))
    .toSorted((a, b) => a.difficulty - b.difficulty)
    .map(({ difficulty, of }) => ({
      difficulty,
      n: of.length,
      accuracy: mean(of.map(({ isHit }) => (isHit ? 1 : 0))),
      tokensPerAnswer: 0,
      thinkRate: 0,
    }));
}

function grouped<Key, Value>(
  values: readonly Value[],
  keyOf: (value: Value) => Key,
): ReadonlyMap<Key, readonly Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group) group.push(value);
    else groups.set(keyOf(value), [value]);
  }
  return groups;
}
