import { isDeepStrictEqual } from "node:util";
import { environmentParcel, unpackEnvironment, type LoadedEnvironment } from "../environments/environment-loader.js";
import type { Demonstration } from "../environments/environment.js";
import type { Episodes, Reply } from "../environments/episode.js";
import { deriveKey, Random } from "../numerics/random.js";
import type { JsonValue } from "../records/json.js";
import { spokenEpisode } from "../environments/spoken-trajectory.js";
import type { Task } from "../records/task.js";
import { askEnvironment } from "../rollout/environment-call.js";
import { HOSTILE_RESPONSES } from "./hostile-responses.js";

/** A promise that an environment makes when it talks with the policy. */
export type EpisodePromise = "unshaken" | "replayable" | "state" | "budget" | "taught";

/** In the order in which they are reported. */
export const EPISODE_PROMISES: readonly EpisodePromise[] = ["unshaken", "replayable", "state", "budget", "taught"];

const DEADLINE_MS = 10_000;
/** Turns of a policy that talks nonsense. */
const HOSTILE_TURNS = 3;
/** Tasks that nonsense is said to. */
const HOSTILE_TASKS = 3;
const PREFIX = "<think>\n";

/** What the environment said in one episode, in order; `failure` is how it ended before its time. */
interface Played {
  readonly replies: readonly Reply[];
  readonly failure?: string;
}

/**
 * Tries how an environment talks. Episodes are played with known turns: those of its teacher, and nonsense.
 *
 * @param note is told what breaks a promise
 * @returns how many demonstrations pass
 */
export async function tryEpisodes(
  environment: LoadedEnvironment,
  tasks: readonly Task[],
  note: (promise: EpisodePromise, problem: string) => void,
): Promise<number> {
  const open = ({ definition, config }: LoadedEnvironment): Episodes => definition.episodes!(config);
  const original = open(environment);
  const copy = open(unpackEnvironment(environmentParcel(environment)));
  const { definition, config } = environment;
  const teacher = definition.teacher?.(config);
  const verifier = definition.verifier(config);
  let passes = 0;

  /** Plays one script in every way that has to come to the same, and has every beginning of it judged. */
  const tryScript = async (task: Task, texts: readonly string[], prefix: string): Promise<Played> => {
    const about = `task "${task.id}" after ${JSON.stringify(texts[0]?.slice(0, 40))}`;
    const played = await play([original], task, texts, prefix);
    if (played.failure !== undefined) note("unshaken", `${about}: ${played.failure}`);
    const again = await play([original], task, texts, prefix);
    if (!isDeepStrictEqual(again, played)) note("replayable", `${about}: ${difference(played, again)}`);
    const moved = await play([original, copy], task, texts, prefix, (state) => JSON.parse(JSON.stringify(state)));
    if (!isDeepStrictEqual(moved, played))
      note("state", `${about}, played by copies in turn: ${difference(played, moved)}`);
    for (const [turns, { isDone, outcome }] of played.replies.entries()) {
      const end = outcome === undefined ? { isDone } : { isDone, outcome };
      try {
        const verdict = await verifier.verify(task, spokenEpisode(task, prefix, texts.slice(0, turns), end));
        if (verdict.kind === "error") note("budget", `${about}, cut after ${turns} turns: ${verdict.reason}`);
        if (isDone && verdict.kind === "pass" && turns === texts.length) passes += 1;
      } catch (error) {
        note("budget", `${about}, cut after ${turns} turns: ${String(error)}`);
      }
    }
    return played;
  };

  for (const [index, task] of tasks.entries()) {
    if (teacher !== undefined) {
      const demonstration = teacher.demonstrate(task, new Random(deriveKey(11, index)));
      const texts = [demonstration.response, ...(demonstration.turns ?? []).map(({ response }) => response)];
      const { replies } = await tryScript(task, texts, demonstration.prefix);
      const problem = lessonProblem(demonstration, replies);
      if (problem !== "") note("taught", `task "${task.id}": ${problem}`);
    }
    const before = passes;
    for (const text of index < HOSTILE_TASKS ? HOSTILE_RESPONSES : [])
      await tryScript(
        task,
        Array.from({ length: HOSTILE_TURNS }, () => text),
        PREFIX,
      );
    // Nonsense that passes is no demonstration.
    passes = before;
  }
  return passes;
}

/** @param episodes copies of the environment that take turns; `through` is the way that states take between them */
async function play(
  episodes: readonly Episodes[],
  task: Task,
  texts: readonly string[],
  assistantPrefix: string,
  through: (state: JsonValue) => JsonValue = (state) => state,
): Promise<Played> {
  const { signal } = new AbortController();
  const replies: Reply[] = [];
  const ask = async (call: number, work: (one: Episodes, random: Random) => Reply | Promise<Reply>) => {
    const one = episodes[call % episodes.length]!; // there is at least one
    const about = call === 0 ? "reset" : `step ${call}`;
    const random = new Random(deriveKey(11, task.id, call));
    const { reply, failure } = await askEnvironment(about, DEADLINE_MS, signal, () => work(one, random));
    if (reply !== undefined) replies.push(structuredClone(reply));
    const outcome = reply?.outcome ?? failure;
    return failure !== undefined || outcome?.kind === "error" ? outcome?.reason : undefined;
  };
  let failure = await ask(0, (one, random) => one.reset({ task, random, signal }));
  for (const [index, responseText] of texts.entries()) {
    const last = replies.at(-1);
    if (failure !== undefined || last === undefined || last.isDone) break;
    const state = deepFrozen(through(last.state));
    const turn = { index, assistantPrefix, responseText };
    failure = await ask(index + 1, (one, random) => one.step({ task, random, signal }, state, turn));
  }
  const last = replies.at(-1);
  try {
    if (last !== undefined) await episodes[0]?.close?.(last.state);
  } catch (error) {
    failure ??= `close threw: ${String(error)}`;
  }
  return failure === undefined ? { replies } : { replies, failure };
}

/** What keeps a demonstration from being what the environment would have said and heard. */
function lessonProblem({ turns = [] }: Demonstration, replies: readonly Reply[]): string {
  const answers = replies.slice(1);
  const wrong = turns.findIndex(({ messages }, turn) => !isDeepStrictEqual(messages, answers[turn]?.messages));
  if (wrong >= 0)
    return `after turn ${wrong + 1} the teacher has the environment say ${shown(turns[wrong]?.messages)}, it says ${shown(answers[wrong]?.messages)}`;
  const end = answers.findIndex(({ isDone }) => isDone);
  if (end === turns.length) return "";
  return end < 0 ? "the episode goes on after the teacher's last turn" : `the episode is over after turn ${end + 1}`;
}

function difference(a: Played, b: Played): string {
  const turn = a.replies.findIndex((reply, index) => !isDeepStrictEqual(reply, b.replies[index]));
  if (turn >= 0) return `turn ${turn} was answered with ${shown(a.replies[turn])}, then ${shown(b.replies[turn])}`;
  return `${a.failure ?? "it went well"}, then ${b.failure ?? "it went well"}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}

/** A state that cannot be changed, as the runtime may keep it. */
function deepFrozen(value: JsonValue): JsonValue {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFrozen);
    Object.freeze(value);
  }
  return value;
}
