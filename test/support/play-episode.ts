import type { EnvironmentDefinition, Demonstration } from "../../core/src/environments/environment.js";
import type { Reply } from "../../core/src/environments/episode.js";
import { deriveKey, Random } from "../../core/src/numerics/random.js";
import type { Message, Task } from "../../core/src/records/task.js";
import type { Turn } from "../../core/src/records/trajectory.js";
import type { Verdict } from "../../core/src/records/verdict.js";
import { makeTrajectory } from "../plugins/hook-contexts.js";

/** What came of an episode: what the environment said after each turn, and the verdict. */
export interface PlayedEpisode {
  readonly said: readonly (readonly Message[])[];
  readonly isDone: boolean;
  readonly verdict: Verdict;
}

/** Plays an episode with turns that are known beforehand, as many as it takes. */
export async function playEpisode(
  environment: EnvironmentDefinition,
  config: unknown,
  task: Task,
  texts: readonly string[],
  assistantPrefix = "<think>\n",
): Promise<PlayedEpisode> {
  const episodes = environment.episodes!(config);
  const scene = { task, random: new Random(deriveKey(1)), signal: new AbortController().signal };
  let reply: Reply = await episodes.reset(scene);
  const said: (readonly Message[])[] = [];
  const turns: Turn[] = [{ role: "prompt", start: 0, end: 1 }];
  for (const [index, responseText] of texts.entries()) {
    if (reply.isDone) break;
    turns.push({ role: "policy", start: index + 1, end: index + 2, text: responseText });
    reply = await episodes.step(scene, reply.state, { index, assistantPrefix, responseText });
    said.push(reply.messages);
  }
  const { outcome } = reply;
  const trajectory = makeTrajectory("t", task.id, 0, { prefix: assistantPrefix, response: texts.join("") });
  const episode = { ...trajectory, turns, ...(outcome === undefined ? {} : { outcome }) };
  return { said, isDone: reply.isDone, verdict: await environment.verifier(config).verify(task, episode) };
}

/** The turns of a demonstration. */
export function textsOf({ response, turns = [] }: Demonstration): readonly string[] {
  return [response, ...turns.map((turn) => turn.response)];
}
