import { join } from "node:path";
import { expect, test } from "vitest";
import { metricsOf, stepsOf, tensorsOf } from "../../support/run-traces.js";
import { runIn } from "../../support/killed-runs.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";
import { runTroupe } from "../../support/troupe-process.js";
import { writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;

/** Every step learns from chance until the last stage begins; from there on nothing moves the weights. */
const STILL = {
  hooks: `{
  plan: { writes: ["plan.learningRate"], run: (ctx) => (ctx.step > 2 ? { learningRate: 0 } : undefined) },
  reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) },
}`,
};

test("a run that hands over to rlvr goes on with the weights of the stage before to the bit, and counts its steps on (check T5)", async () => {
  const file = writeTinyRun(folder, {
    ...TINY,
    plugins: [
      {
        use: "tfpi",
        with: {
          stages: [
            { name: "tfpi-1", maxTokens: 16, steps: 2 },
            { name: "rlvr", maxTokens: 24, thinkFree: false },
          ],
        },
      },
      writePlugin(folder, "still", STILL),
      "grpo",
    ],
    train: { steps: 3, promptsPerStep: 2, groupSize: 2, learningRate: 0.01 },
    eval: { every: 0, tasks: 2 },
    store: { checkpointEvery: 1, keepCheckpoints: 4 },
  });
  const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
  const end = await runTroupe(["--json", "run", file], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  const run = runIn(folders) ?? "";
  expect(stepsOf(run)).toEqual([1, 2, 3]);
  const lines = metricsOf(run).map((line) => JSON.parse(line));
  expect(lines.map(({ stage }) => stage)).toEqual(["tfpi-1", "tfpi-1", "rlvr"]);
  // What the stage's first step samples and learns from are these weights.
  expect(lines.map(({ metrics }) => metrics["mismatch/max"])).toEqual([0, 0, 0]);
  const [first, last, handedOver] = [1, 2, 3].map((step) => tensorsOf(run, step));
  expect(last!["model.safetensors"]).not.toBe(first!["model.safetensors"]);
  expect(handedOver!["model.safetensors"]).toBe(last!["model.safetensors"]);
});
