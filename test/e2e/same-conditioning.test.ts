import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/src/records/json.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { recordsOf, runTroupe } from "../support/troupe-process.js";
import { CHANCE, writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;
/** The empty think block, in tokens of the tiny policy. */
const BLOCK_TOKENS = 4;

/** Takes the closed think block out of what was sampled behind it: the learner sees x where the sampler saw x'. */
const FORGETFUL = {
  hooks: `{
  reward: {
    writes: ["reward"],
    run: (ctx, cohort) => {
      for (const { trajectory } of samplesOf(cohort)) {
        const { end } = trajectory.turns[0];
        const without = (values) => values.filter((_, t) => t < end - ${BLOCK_TOKENS} || t >= end);
        const { tokens, origins, logprobs, entropies } = trajectory;
        Object.assign(trajectory, {
          tokens: without(tokens), origins: without(origins), logprobs: without(logprobs), entropies: without(entropies),
          turns: trajectory.turns.map((turn, i) => ({
            ...turn, start: i === 0 ? 0 : turn.start - ${BLOCK_TOKENS}, end: turn.end - ${BLOCK_TOKENS},
          })),
          versions: trajectory.versions.map((span) => ({
            ...span, start: span.start - ${BLOCK_TOKENS}, end: span.end - ${BLOCK_TOKENS},
          })),
        });
      }
      return samplesOf(cohort).map(() => ctx.random.uniform());
    },
  },
}`,
};

async function warningsOf(plugin: string, train: JsonObject = {}): Promise<readonly string[]> {
  const own = join(folder, `${plugin}-${JSON.stringify(train).replace(/\W/g, "")}`);
  const file = writeTinyRun(own, {
    ...TINY,
    plugins: [writePlugin(own, plugin, plugin === "forgetful" ? FORGETFUL : CHANCE), "tfpi", "grpo"],
    train: { steps: 3, promptsPerStep: 2, groupSize: 2, learningRate: 0.001, ...train },
    eval: { every: 0, tasks: 2 },
  });
  const folders = { runs: join(own, "runs"), home: join(own, "home") };
  const end = await runTroupe(["--json", "run", file], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  return recordsOf(end)
    .filter(({ type, level }) => type === "notice" && level === "warning")
    .map(({ step, message }) => `${String(step)} ${String(message)}`)
    .filter((text) => text.includes("logprobs"));
}

describe("a thinking-free run", () => {
  test("says nothing of logprobs while the learner sees what the sampler saw", async () => {
    expect(await warningsOf("chance")).toEqual([]);
  });

  test("warns in the first step, and once, when the learner sees the thinking prompt (check T3)", async () => {
    const warnings = await warningsOf("forgetful");
    expect(warnings).toEqual([expect.stringMatching(/^1 the learner gives sampled tokens other logprobs .* nats/)]);
  });
});
