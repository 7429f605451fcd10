import type { Task } from "./task.js";
import { ORIGIN, type Trajectory } from "./trajectory.js";

/** A trajectory of a response that was sampled elsewhere: its text is all that is known of it. */
export function responseTrajectory(
  task: Task,
  slot: number,
  { response, assistantPrefix }: { readonly response: string; readonly assistantPrefix: string },
): Trajectory {
  return {
    id: `${task.id}/${slot}`,
    taskId: task.id,
    groupId: task.id,
    slot,
    mode: "default",
    tokens: new Int32Array(),
    origins: Uint8Array.of(ORIGIN.prompt).subarray(1),
    logprobs: new Float32Array(),
    entropies: new Float32Array(),
    turns: [],
    versions: [],
    stopReason: "stop",
    seed: "0000000000000000",
    temperature: 1,
    maxTokens: 0,
    assistantPrefix,
    promptText: "",
    responseText: response,
    plugins: {},
    annotations: {},
  };
}
