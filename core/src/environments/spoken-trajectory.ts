import type { Task } from "../records/task.js";
import { ORIGIN, type Trajectory, type Turn } from "../records/trajectory.js";
import type { EpisodeOutcome } from "../records/verdict.js";

/** One answer to a task that was not sampled here: its text is all that is known, and one token stands for it. */
export function spokenAnswer(task: Task, assistantPrefix: string, responseText: string): Trajectory {
  return spokenTrajectory(task, assistantPrefix, responseText, [{ role: "policy", start: 1, end: 2 }]);
}

/**
 * An episode that was not sampled here, one token for each of its turns; cut after them unless it is done.
 *
 * @param texts what the policy says, turn by turn
 */
export function spokenEpisode(
  task: Task,
  assistantPrefix: string,
  texts: readonly string[],
  end: { readonly isDone: boolean; readonly outcome?: EpisodeOutcome },
): Trajectory {
  const turns = texts.map((text, t): Turn => ({ role: "policy", start: t + 1, end: t + 2, text }));
  const { isDone, outcome } = end;
  return {
    ...spokenTrajectory(task, assistantPrefix, texts.join("\n"), turns),
    stopReason: isDone ? "stop" : "length",
    ...(outcome === undefined ? {} : { outcome }),
  };
}

/** One prompt token, then one token for every turn. */
function spokenTrajectory(
  { id, prompt }: Task,
  assistantPrefix: string,
  responseText: string,
  turns: readonly Turn[],
): Trajectory {
  const length = turns.length + 1;
  const spoken = (value: number): Float32Array => new Float32Array(length).fill(value, 1);
  return {
    id: `${id}/0`,
    taskId: id,
    groupId: id,
    slot: 0,
    mode: "default",
    tokens: Int32Array.from({ length }, (_, t) => t),
    origins: new Uint8Array(length).fill(ORIGIN.sampled, 1),
    logprobs: spoken(-0.5),
    entropies: spoken(0.7),
    turns: [{ role: "prompt", start: 0, end: 1 }, ...turns],
    versions: [{ version: 0, start: 1, end: length }],
    stopReason: "stop",
    seed: "0123456789abcdef",
    temperature: 1,
    maxTokens: turns.length,
    assistantPrefix,
    promptText: prompt.map(({ content }) => content).join("\n") + assistantPrefix,
    responseText,
    plugins: {},
    annotations: {},
  };
}
