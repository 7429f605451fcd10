import { join } from "node:path";
import { expect, test } from "vitest";
import { Tokenizer } from "../../core/src/engines/tokenizer.js";
import { ORIGIN } from "../../core/src/records/trajectory.js";
import { readStep } from "../../core/src/store/rollouts.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { runTroupe } from "../support/troupe-process.js";
import { writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();
const LIMIT = 6;
const INJECTED = "\n</think>\n\n";

test("a plugin's budget rule closes the think block of a run's rollouts, and the run learns from the rest", async () => {
  writePlugin(folder, "think-budget", {
    config: "z.strictObject({ limit: z.int().min(1) })",
    hooks: `{
      sampling: {
        writes: ["sampling.budgetRules", "sampling.stopStrings"],
        run: ({ config }, { budgetRules }) => ({
          budgetRules: [...budgetRules, { limit: config.limit, until: "</think>", inject: ${JSON.stringify(INJECTED)} }],
          stopStrings: ["7"],
        }),
      },
    }`,
  });
  const { distill: _distill, ...tiny } = TINY_RUN;
  const file = writeTinyRun(folder, {
    ...tiny,
    plugins: ["grpo", { use: "./think-budget.ts", with: { limit: LIMIT } }],
    train: { ...tiny.train, steps: 2 },
    eval: { tasks: 2 },
  });
  const end = await runTroupe(["run", file], { runs: join(folder, "runs"), home: join(folder, "home") });
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });

  const tokenizer = Tokenizer.fromDirectory(join(folder, "policy"));
  const [inject, close] = [tokenizer.encode(INJECTED), tokenizer.encode("</think>")[0]!];
  const rollouts = await readStep(join(folder, "runs", "0001-tiny", "rollouts"), 1);
  expect(rollouts.length).toBeGreaterThanOrEqual(16);
  let closed = 0;
  for (const { record, tokens } of rollouts) {
    const response = tokens.tokens.subarray(record.promptTokens);
    const origins = tokens.origins.subarray(record.promptTokens);
    // A policy with random weights hardly ever closes the block itself, but ends or says the stop string now and then.
    if (response.length <= LIMIT || response.subarray(0, LIMIT).includes(close)) {
      expect(origins.every((origin) => origin === ORIGIN.sampled)).toBe(true);
      continue;
    }
    closed++;
    expect([...response.subarray(LIMIT, LIMIT + inject.length)]).toEqual([...inject]);
    expect(Array.from(origins, (origin, t) => (origin === ORIGIN.injected ? t : -1)).filter((t) => t >= 0)).toEqual(
      Array.from(inject, (_, t) => LIMIT + t),
    );
    expect(record.response).toContain(INJECTED);
    expect(record.response.slice(0, -1)).not.toContain("7");
  }
  expect(closed).toBeGreaterThan(8);
});
