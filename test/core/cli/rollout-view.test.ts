import { describe, expect, it } from "vitest";
import { heatText } from "../../../core/cli/render/heat.js";
import { plainPaint } from "../../../core/cli/render/paint.js";
import { displayWidth } from "../../../core/cli/render/printable.js";
import { rolloutView } from "../../../core/cli/render/rollout-view.js";
import type { RolloutRecord } from "../../../core/src/store/rollouts.js";

const rollout: RolloutRecord = {
  id: "61/3/0",
  round: 0,
  messages: [],
  step: 61,
  group: "61/3",
  slot: 0,
  task: "sum/48+35",
  domain: "math",
  taskMeta: {},
  reference: "83",
  mode: "default",
  prompt: "48+35=?<think>\n",
  assistantPrefix: "<think>\n",
  response: "8+5 is 13\nwrite 3\ncarry 1\n4+3 is 7\x1b[2J</think>\n73",
  verdict: {
    kind: "fail",
    score: 0,
    reason: "wrong-answer: got 73, want 83",
    verifier: "math-verify",
    version: "1.0.0",
    ms: 0.2,
  },
  reward: -0.1,
  rewardParts: { correct: 0, length: -0.1 },
  advantage: -0.9,
  decision: "keep",
  decisionReason: "",
  stopReason: "stop",
  truncated: false,
  promptTokens: 2,
  responseTokens: 4,
  maxTokens: 64,
  temperature: 1,
  seed: "00000000000023a1",
  turns: [],
  versions: [{ version: 59, start: 2, end: 6 }],
  plugins: { grpo: "1.0.0" },
  annotations: { thinkTokens: 31 },
};
const options = { width: 60, paint: plainPaint, hasColour: false, showThinking: false };

describe("rolloutView()", () => {
  it("shows an episode turn by turn, with what was heard between the turns", () => {
    const turns = [
      { role: "prompt", start: 0, end: 2 },
      { role: "policy", start: 2, end: 5, text: "<calc>48+35</calc>" },
      { role: "environment", start: 5, end: 9, text: "\n83\n" },
      { role: "policy", start: 9, end: 10, text: "so 83" },
    ] as const;
    const text = rolloutView({ ...rollout, turns, responseTokens: 8, stopReason: "turns" }, options);
    expect(text).toMatch(/policy\n {2}<calc>48\+35<\/calc>\n\nenvironment\n {2}83\n\npolicy\n {2}so 83\n/);
    expect(text).toContain("2 prompt + 4 of at most 64 response tokens in 2 turns, 4 heard between them, out of turns");
  });

  it("shows everything that a reader asks for, thinking folded", () => {
    const text = rolloutView(rollout, options);
    for (const wanted of [
      "61/3/0",
      "48+35=?",
      "8+5 is 13",
      "1 more lines",
      "73",
      "✗ fail  wrong-answer: got 73, want 83",
      "83",
      "-0.1 = correct 0 + length -0.1",
      "keep, advantage -0.9",
      "policy version 59",
      "seed 00000000000023a1",
      "math-verify 1.0.0, 0.2 ms",
      "grpo 1.0.0",
      "thinkTokens=31",
    ]) {
      expect(text).toContain(wanted);
    }
    expect(text).not.toContain("4+3 is 7");
    expect(text).not.toContain("\x1b");
  });

  it("shows the whole thinking on request, and says when an answer never came", () => {
    expect(rolloutView(rollout, { ...options, showThinking: true })).toContain("4+3 is 7");
    const cut = {
      ...rollout,
      response: "8+5 is",
      truncated: true,
      stopReason: "length" as const,
      advantage: null,
      decision: "drop" as const,
      decisionReason: "all equal",
    };
    const text = rolloutView(cut, options);
    for (const wanted of ["the thinking never ended", "cut at the budget", "drop: all equal, no advantage"])
      expect(text).toContain(wanted);
  });

  it("names the kernels that sampled, where the record does", () => {
    expect(rolloutView({ ...rollout, kernelSet: "avx2/bf16" }, options)).toContain(
      "by policy version 59, temperature 1, seed 00000000000023a1, avx2/bf16 kernels\n",
    );
    expect(rolloutView(rollout, options)).not.toContain("kernels");
  });

  it("says nothing of a decision about a held-out rollout", () => {
    expect(rolloutView({ ...rollout, advantage: null, rewardParts: {} }, options)).not.toMatch(/decision|advantage/);
  });

  it("breaks long texts at the width", () => {
    const text = rolloutView({ ...rollout, response: "word ".repeat(100) }, { ...options, width: 40 });
    const sections = text.split("verdict")[0] ?? "";
    for (const line of sections.split("\n").slice(1)) expect(displayWidth(line)).toBeLessThanOrEqual(40);
  });

  it("shows tokens of the response with their heat and its scale", () => {
    const tokens = {
      tokens: new Int32Array(6),
      origins: new Uint8Array(6),
      logprobs: new Float32Array([0, 0, -0.5, 0, -2, -1]),
      entropies: new Float32Array(6),
      advantages: new Float32Array(6),
    };
    const text = rolloutView(rollout, {
      ...options,
      heat: { by: "logprob", tokens, pieces: ["8", "+", "5\n", "=13"] },
    });
    expect(text).toContain("8▂+5⏎▇\n  =13▃");
    expect(text).toContain("logprob from -2.00 to 0.00 nats");
  });
});

describe("heatText()", () => {
  it("colours by sign and strength and leaves zeros alone", () => {
    const text = heatText(["a", " b", "c"], new Float32Array([1, -1, 0]), "advantage", true);
    expect(text).toBe("\x1b[48;5;33;38;5;16ma\x1b[0m\x1b[48;5;202;38;5;16m b\x1b[0mc");
    expect(heatText(["a", "b"], new Float32Array([0.1, -1]), "advantage", false)).toBe("a▁b-▇");
  });
});
