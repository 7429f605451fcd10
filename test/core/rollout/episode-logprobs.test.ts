import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import type { Episodes } from "../../../core/src/environments/episode.js";
import { packTrajectories } from "../../../core/src/learn/pack.js";
import { ORIGIN, policyTurns, segmentStarts } from "../../../core/src/records/trajectory.js";
import { rollOut } from "../../../core/src/rollout/rollout.js";
import { NativeEngine } from "../../../gpu/src/native-engine.js";
import { EVERY_TERM, ODD_QWEN3 } from "../../gpu/engine-fixtures.js";
import { PLAN } from "../../plugins/hook-contexts.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();

describe("trajectories of several turns", () => {
  const TALK: Episodes<number> = {
    reset: () => ({ state: 0, messages: [], isDone: false }),
    step: (_scene, turns, { responseText }) => ({
      state: turns + 1,
      messages: [{ role: "tool", content: `${turns}: ${responseText.length}` }],
      isDone: turns === 3,
    }),
  };
  const SAMPLING = { maxTokens: 200, temperature: 0.8, topP: 1, topK: 0, minP: 0, logitBias: {}, budgetRules: [] };
  const policy = writeTinyPolicy(folder);
  const trimmed = join(folder, "trimmed");
  cpSync(policy, trimmed, { recursive: true });
  const template =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content[:6] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  writeFileSync(join(trimmed, "chat_template.jinja"), template);

  test.each([
    ["that go on", policy, false],
    ["in segments", trimmed, true],
  ])("%s have the sampler's logprobs again in the learner, bit for bit", async (_what, directory, isBroken) => {
    const tokenizer = Tokenizer.fromDirectory(directory);
    const shape = { ...ODD_QWEN3, vocabSize: tokenizer.vocabSize, maxPositions: 512 };
    const engine = await NativeEngine.create({ shape, seed: 5 });
    engine.setVocabulary(tokenizer.vocabularyBytes());
    const episodes = { episodes: TALK, deadlineMs: 20_000, maxTurns: 10, maxTurnTokens: Infinity, atOnce: Infinity };
    const tools = {
      tokenizer,
      sampler: engine,
      plugins: [],
      evalPlugins: [],
      maxPositions: 512,
      hookDeadlineMs: 10_000,
    };
    // An untrained policy seldom ends its turn by itself: every digit does.
    const sampling = { ...SAMPLING, stopStrings: Array.from({ length: 10 }, (_, digit) => String(digit)) };
    const task = { id: "t", domain: "d", prompt: [{ role: "user", content: "Go." } as const], reference: "", meta: {} };
    const order = { seed: 1, step: 1, phase: "train", mode: "default", plan: PLAN, plugins: "0", sampling } as const;
    const trajectories = await rollOut(
      { ...tools, episodes },
      { ...order, version: engine.version(), groups: [{ id: "1/0", task, size: 8 }] },
      new AbortController().signal,
    );
    expect(trajectories.filter((trajectory) => policyTurns(trajectory).length > 2).length).toBeGreaterThan(2);
    expect(trajectories.some((trajectory) => segmentStarts(trajectory).length > 1)).toBe(isBroken);

    const spec = { ...EVERY_TERM, entropyCoefficient: 0, nextTokenCoefficient: 0 };
    const batch = packTrajectories(
      trajectories.map((trajectory) => ({ trajectory, advantage: 1 })),
      spec,
    );
    const { logprobs_N } = await engine.score(batch.tokens_N, batch.offsets_S1, 0.8);
    let start = 0;
    for (const { tokens, origins, logprobs } of trajectories) {
      origins.forEach((origin, t) => {
        if (origin === ORIGIN.sampled) expect(logprobs_N[start + t]).toBe(logprobs[t]);
        expect(batch.weights_N[start + t]! > 0).toBe(origin === ORIGIN.sampled);
      });
      start += tokens.length;
    }
    expect(await engine.forwardBackward(batch, spec)).toMatchObject({ "mismatch/max": 0, "ratio/max": 1 });
    engine.dispose();
  });
});
