import type { SamplingPlan, Prompt } from "../hooks/prompt.js";
import type { Sample } from "../records/group.js";
import type { StepPlan } from "../records/step-plan.js";
import type { Task } from "../records/task.js";
import { ORIGIN, type Trajectory } from "../records/trajectory.js";
import type { Verdict } from "../records/verdict.js";

/** Tasks of a made-up domain with known difficulties: what a plugin is tried on. */
export function practiceTask(index: number): Task {
  return {
    id: `practice/${index}`,
    domain: "practice",
    prompt: [{ role: "user", content: `What is ${index} + ${index + 1}?` }],
    reference: String(2 * index + 1),
    meta: { difficulty: 1 + (index % 3) },
  };
}

/** Responses of every kind that methods tell apart: right and wrong, thinking, thinking-free, cut, repeating itself. */
const RESPONSES: readonly {
  readonly text: (answer: string) => string;
  readonly isRight: boolean;
  readonly isCut?: true;
}[] = [
  { text: (answer) => `Let me add. Wait, check again.\n</think>\n\nThe answer is \\boxed{${answer}}.`, isRight: true },
  { text: () => "I guess.\n</think>\n\nThe answer is \\boxed{-1}.", isRight: false },
  { text: (answer) => `</think>\n\nThe answer is \\boxed{${answer}}.`, isRight: true },
  { text: () => "so so so so so so so so so so so so so so so so so so so so", isRight: false, isCut: true },
];

/** One token a word: enough for lengths, and the same on every machine. */
export function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** A verified trajectory as rollout and verifier actors would have made it of a formatted prompt. */
export function practiceSample(
  at: { readonly step: number; readonly group: number; readonly slot: number },
  task: Task,
  formatted: { readonly prompt: Prompt; readonly sampling: SamplingPlan },
  plan: StepPlan,
  plugins: Readonly<Record<string, string>>,
): Sample {
  const { prompt, sampling } = formatted;
  const response = RESPONSES[(at.slot + at.group) % RESPONSES.length]!; // the index is in range
  const forced = prompt.forcedPrefix?.text ?? "";
  const responseText = forced + response.text(task.reference);
  const promptText = prompt.messages.map(({ content }) => content).join("\n") + prompt.assistantPrefix;
  const start = countWords(promptText);
  const length = start + Math.min(countWords(responseText), plan.maxTokens);
  const origins = new Uint8Array(length).fill(ORIGIN.sampled, start);
  origins.fill(ORIGIN.forced, start, Math.min(length, start + countWords(forced)));
  const isRight = response.isRight;
  const trajectory: Trajectory = {
    id: `${at.step}/${at.group}/${at.slot}`,
    taskId: task.id,
    groupId: `${at.step}/${at.group}`,
    slot: at.slot,
    mode: "default",
    tokens: Int32Array.from({ length }, (_, index) => (index * 7 + at.slot) % 97),
    origins,
    logprobs: new Float32Array(length).fill(-0.5, start),
    entropies: new Float32Array(length).fill(0.7, start),
    turns: [
      { role: "prompt", start: 0, end: start },
      { role: "policy", start, end: length },
    ],
    versions: [{ version: at.step - 1, start, end: length }],
    stopReason: response.isCut ? "length" : "stop",
    seed: "0123456789abcdef",
    temperature: sampling.temperature,
    maxTokens: sampling.maxTokens,
    assistantPrefix: prompt.assistantPrefix,
    promptText,
    responseText,
    plugins,
    annotations: prompt.annotations,
  };
  return { trajectory, verdict: verdictOn(isRight) };
}

function verdictOn(isRight: boolean): Verdict {
  const { kind, score, reason } = isRight
    ? ({ kind: "pass", score: 1, reason: "equal" } as const)
    : ({ kind: "fail", score: 0, reason: "wrong-answer" } as const);
  return { kind, score, reason, verifier: "practice", version: "1", ms: 1 };
}
