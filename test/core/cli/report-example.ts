import type { ArmSummary, ReportData } from "../../../core/cli/report/report-data.js";
import type { Evaluation } from "../../../core/src/records/evaluation.js";

/** A small report with every part present, and texts that try to break out of theirs. */
export const ATTACK = '</script><script>alert("1")</script><img src=x onerror=alert(1)>\x1b[2J';

const evaluation = (accuracy: number, tokensPerAnswer: number, thinkRate: number): Evaluation => ({
  mode: "default",
  version: 3,
  n: 400,
  samplesPerTask: 1,
  accuracy,
  ci95: [accuracy - 0.05, accuracy + 0.05],
  tokensPerAnswer,
  thinkRate,
  truncated: 0,
  ungradable: 0,
  passAtK: accuracy,
  mixedGroups: 0,
  byDifficulty: [1, 2, 3].map((difficulty) => ({
    difficulty,
    n: 130,
    accuracy: accuracy / difficulty,
    tokensPerAnswer,
    thinkRate,
  })),
  seconds: 2,
});

const arm = (name: string, accuracy: number, tokens: number, thinkRate: number, trainTokens: number): ArmSummary => ({
  name,
  accuracy,
  ci95: [accuracy - 0.05, accuracy + 0.05],
  accuracyThinkFree: NaN,
  ci95ThinkFree: [NaN, NaN],
  tokensPerAnswer: tokens,
  tokensPerAnswerThinkFree: NaN,
  thinkRate,
  trainTokens,
  seconds: 44,
  modes: [evaluation(accuracy, tokens, thinkRate)],
});

export const arms: readonly ArmSummary[] = [
  arm("base", 0.45, 52, 1, 0),
  arm("rlvr", 0.73, 41, 1, 1_900_000),
  {
    ...arm("auto & think", 0.72, 24, 0.48, 1_900_000),
    accuracyThinkFree: 0.51,
    ci95ThinkFree: [0.46, 0.56],
    tokensPerAnswerThinkFree: 8,
  },
];

const view = (response: string) => ({
  id: "1/0/0",
  prompt: ATTACK,
  response,
  verdict: "fail" as const,
  reason: ATTACK,
  reward: 0,
  tokens: 41,
});

export const report: ReportData = {
  title: "troupe demo <7>",
  command: "troupe demo --seed 7",
  machine: "2 cores",
  commit: "0123abc",
  seed: 7,
  wallSeconds: 431,
  n: 400,
  arms,
  headroom: [
    { mode: "thinking", n: 400, singleStep: 0.97, greedy: 0.91, sampled: 0.45, k: 8, passAtK: 0.93, mixedGroups: 0.71 },
  ],
  curves: [
    {
      arm: "rlvr",
      name: "reward",
      points: Array.from({ length: 50 }, (_, i) => ({ trainTokens: i * 1000, value: i / 50 })),
    },
    {
      arm: "rlvr",
      name: "accuracy",
      points: [
        { trainTokens: 0, value: 0.45 },
        { trainTokens: 49_000, value: NaN },
      ],
    },
  ],
  marks: [{ arm: "rlvr", trainTokens: 20_000, label: "stage 2" }],
  efficiency: [{ arm: "rlvr", usefulSamples: 0.83, idleSeconds: 0.042, stepSeconds: 1.5 }],
  samples: [
    { arm: "rlvr", pairs: [{ before: view(`<think>\n${ATTACK}</think>\n5`), after: view(`<think>${ATTACK}`) }] },
  ],
  configs: [{ arm: "rlvr", yaml: `name: ${ATTACK}` }],
  notices: [ATTACK],
};
