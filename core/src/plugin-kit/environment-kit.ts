import { isDeepStrictEqual } from "node:util";
import { TroupeError } from "../error-catalogue.js";
import { loadEnvironment } from "../environments/environment-loader.js";
import type { Taskset } from "../environments/environment.js";
import { deriveKey, Random } from "../numerics/random.js";
import { spokenAnswer } from "../environments/spoken-trajectory.js";
import type { Task } from "../records/task.js";
import { VERDICT_KINDS, type Verdict } from "../records/verdict.js";
import { EPISODE_PROMISES, tryEpisodes, type EpisodePromise } from "./episode-kit.js";
import { HOSTILE_RESPONSES } from "./hostile-responses.js";

const PROMISES = ["random-access", "disjoint", "references", "total", "deterministic", "portable"] as const;

/** One promise of the environment contract, and whether an environment keeps it. */
export interface EnvironmentResult {
  readonly promise: (typeof PROMISES)[number] | EpisodePromise;
  readonly isKept: boolean;
  /** What was seen first; empty when it is kept. */
  readonly problem: string;
}

/** Tasks that are tried of each split. */
const TASKS = 40;

/**
 * Tries an environment and says which promises of its contract it keeps:
 *
 * - random-access: an index gives the same task on every call, in any order, from any taskset of the same seed;
 * - disjoint: no prompt of `eval` is among those of `train`;
 * - references: a boxed reference is judged, never an error; and with a teacher, demonstrations pass, not always but at all;
 * - total: no response makes the verifier throw, and every verdict has a known kind, with a score where it may be learned from;
 * - deterministic: the same response gets the same verdict;
 * - portable: tasks and verdicts survive the way to another thread;
 *
 * and where it talks with the policy in turns:
 *
 * - unshaken: no turn makes it throw, hang, answer nonsense, or call the policy's turn an error;
 * - replayable: the same turns and chance get the same answers;
 * - state: the state is plain data that nothing changes, and a copy of the environment goes on from it alike;
 * - budget: an episode that is cut after any of its turns gets a verdict;
 * - taught: a demonstration has the environment say what it says, and ends when it ends.
 *
 * @param use path or name, as in a config
 * @throws what loading the environment throws, and what its tasksets throw
 */
export async function tryEnvironment(
  use: string,
  baseDirectory: string,
  options: { readonly with?: unknown } = {},
): Promise<readonly EnvironmentResult[]> {
  const environment = await loadEnvironment(use, options.with ?? {}, baseDirectory);
  const { definition, config } = environment;
  const open = (split: "train" | "eval") => definition.taskset(config, split, { baseDirectory, seed: 11 });
  const [train, again, held] = [await open("train"), await open("train"), await open("eval")];
  const tasks = [...firstOf(train), ...firstOf(held)];
  const seen = new Map<EnvironmentResult["promise"], string>();
  const note = (promise: EnvironmentResult["promise"], problem: string): void => {
    if (!seen.has(promise)) seen.set(promise, problem);
  };

  firstOf(again, true).forEach((task, index) => {
    if (!isDeepStrictEqual(task, train.at(index)))
      note("random-access", `task ${index} of train differs between calls`);
  });
  const heldOut = new Set(firstOf(held).map(promptOf));
  for (const task of firstOf(train))
    if (heldOut.has(promptOf(task))) note("disjoint", `the prompt of task "${task.id}" is also held out`);

  const verifier = definition.verifier(config);
  const teacher = definition.teacher?.(config);
  let passes = 0;
  for (const [index, task] of tasks.entries()) {
    const about = `task "${task.id}"`;
    if (!isPortable(task)) note("portable", `${about} changes on its way`);
    const judge = async (prefix: string, response: string): Promise<Verdict | undefined> => {
      try {
        const verdict = await verifier.verify(task, spokenAnswer(task, prefix, response));
        const problem = problemOf(verdict);
        if (problem !== "") note("total", `${about}: ${problem}`);
        if (!isPortable(verdict)) note("portable", `the verdict on ${about} changes on its way`);
        return verdict;
      } catch (error) {
        note("total", `${about}, response ${JSON.stringify(response.slice(0, 40))}: ${textOf(error)}`);
        return undefined;
      }
    };
    const boxed = `</think>\n\n\\boxed{${task.reference}}`;
    const verdict = await judge("<think>\n", boxed);
    if (verdict?.kind === "error") note("references", `${about}: ${verdict.reason}`);
    const second = await judge("<think>\n", boxed);
    // The time that a check took is no part of what was found.
    if (!isDeepStrictEqual({ ...verdict, ms: 0 }, { ...second, ms: 0 }))
      note("deterministic", `${about}: ${verdict?.reason}, then ${second?.reason}`);
    if (teacher !== undefined && definition.episodes === undefined) {
      const { prefix, response } = teacher.demonstrate(task, new Random(deriveKey(11, index)));
      if ((await judge(prefix, response))?.kind === "pass") passes += 1;
    }
    if (index < 4) for (const response of HOSTILE_RESPONSES) await judge("<think>\n", response);
  }
  if (definition.episodes !== undefined) passes += await tryEpisodes(environment, tasks, note);
  if (teacher !== undefined && passes === 0) note("references", "no demonstration of the teacher passes");
  return [...PROMISES, ...(definition.episodes ? EPISODE_PROMISES : [])].map((promise) => {
    const problem = seen.get(promise) ?? "";
    return { promise, isKept: problem === "", problem };
  });
}

/** The first tasks, asked for from the front or from the back. */
function firstOf(taskset: Taskset, isBackwards = false): Task[] {
  const indices = Array.from({ length: Math.min(TASKS, taskset.size) }, (_, index) => index);
  if (!isBackwards) return indices.map((index) => taskset.at(index));
  return indices
    .toReversed()
    .map((index) => taskset.at(index))
    .toReversed();
}

function promptOf({ prompt }: Task): string {
  return JSON.stringify(prompt);
}

function isPortable(value: unknown): boolean {
  try {
    return isDeepStrictEqual(structuredClone(value), value);
  } catch {
    return false;
  }
}

function problemOf({ kind, score, reason }: Verdict): string {
  if (!VERDICT_KINDS.includes(kind)) return `the verdict's kind is ${JSON.stringify(kind)}`;
  if (typeof reason !== "string" || reason === "") return "the verdict has no reason";
  const isScored = kind === "pass" || kind === "fail" || kind === "partial";
  if (isScored !== (score !== undefined)) return `a verdict of kind ${kind} has score ${score}`;
  return score !== undefined && !(score >= 0 && score <= 1) ? `the score is ${score}, wanted is 0 to 1` : "";
}

function textOf(error: unknown): string {
  return error instanceof TroupeError ? `${error.code}: ${error.message}` : String(error);
}
