import type { Sample } from "../../../core/src/records/group.js";
import { ORIGIN, type Trajectory } from "../../../core/src/records/trajectory.js";
import { describeRollout, type Rollout } from "../../../core/src/store/rollouts.js";

/** A verified sample with two prompt tokens. */
export function rollout(id: string, tokens: readonly number[]): Sample {
  const trajectory: Trajectory = {
    id,
    taskId: "sum/1",
    groupId: "61/3",
    slot: 0,
    mode: "default",
    tokens: Int32Array.from(tokens),
    origins: Uint8Array.from(tokens, (_, t) => (t < 2 ? ORIGIN.prompt : ORIGIN.sampled)),
    logprobs: Float32Array.from(tokens, (_, t) => -t / 8),
    entropies: Float32Array.from(tokens, (_, t) => t / 4),
    turns: [
      { role: "prompt", start: 0, end: 2 },
      { role: "policy", start: 2, end: tokens.length },
    ],
    versions: [{ version: 59, start: 2, end: tokens.length }],
    stopReason: "length",
    seed: "00000000000023a1",
    temperature: 1,
    maxTokens: 64,
    assistantPrefix: "<think>\n",
    promptText: "48+35=?<think>\n",
    responseText: "8+5 is 13</think>73",
    plugins: { grpo: "1.0.0" },
    annotations: { thinkTokens: 4 },
  };
  return {
    trajectory,
    verdict: {
      kind: "fail",
      score: 0,
      reason: "wrong-answer: got 73, want 83",
      verifier: "math",
      version: "1.0.0",
      ms: 0.2,
    },
  };
}

/** The same as it is stored: kept with an advantage, dropped without. */
export function describedRollout(id: string, tokens: readonly number[], advantage?: number | Float32Array): Rollout {
  return describeRollout(
    { id: "sum/1", domain: "math", prompt: [], reference: "83", meta: { difficulty: 2 } },
    rollout(id, tokens),
    {
      step: 61,
      reward: -0.1,
      rewardParts: { correct: 0, length: -0.1 },
      advantage,
      decision: advantage === undefined ? "drop" : "keep",
      decisionReason: advantage === undefined ? "all rewards are equal" : "",
    },
  );
}
