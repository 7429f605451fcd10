import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluate } from "../../core/dist/src/evaluate.js";
import { replay } from "../../core/dist/src/replay.js";
import { Run } from "../../core/dist/src/run.js";
import { RunSession } from "../../core/dist/src/run-session.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { Evaluation } from "../../core/src/records/evaluation.js";
import { placeOf } from "../../core/src/records/task.js";
import type { StepReport } from "../../core/src/records/step-report.js";
import { readStep } from "../../core/src/store/rollouts.js";
import { openSession } from "../support/open-session.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";

const folder = temporaryFolder();
const before = process.env["TROUPE_HOME"];
beforeAll(() => void (process.env["TROUPE_HOME"] = join(folder, "home")));
afterAll(() => {
  if (before === undefined) delete process.env["TROUPE_HOME"];
  else process.env["TROUPE_HOME"] = before;
});

const { distill: _, ...TINY } = TINY_RUN;
const SETTINGS = {
  ...TINY,
  environment: {
    use: "corpus",
    // Of a policy with random weights every token is as uncertain as any other: tiers by what little differs.
    with: { prompt: "bare", worked: { documents: 40 }, entropy: { renormalise: true }, thresholds: [2, 2.768, 2.77] },
  },
  plugins: [{ use: "rmt", with: { thinkBudget: { initial: 20 } } }],
  train: { steps: 4, promptsPerStep: 4, groupSize: 2, learningRate: 0.01 },
  rollout: { actors: 1, maxTokens: 8 },
  eval: { tasks: 6, every: 2, modes: ["budget", "next-token"] },
};

test("a run reasons about places in raw text, reads the rest, and is measured without thinking; replay agrees", async () => {
  const reports: StepReport[] = [];
  const evaluations: Evaluation[] = [];
  const { session, path } = await openSession(folder, SETTINGS, (event) => {
    if (event.type === "step") reports.push(event.report);
    if (event.type === "evaluated") evaluations.push(event.evaluation);
  });
  const held = session.parts.held.at(0);
  await new Run(session).train(new AbortController().signal);
  await session.close("finished");

  expect(reports.map(({ metrics }) => metrics["rmt/budget"])).toEqual([20, 13, 8, 5]);
  for (const { metrics } of reports) expect(metrics["loss/next_token"]).toBeCloseTo(0.1 * metrics["rmt/ntp_nll"]!, 6);
  expect(reports.at(-1)!.metrics["rmt/ntp_nll"]).toBeLessThan(reports[0]!.metrics["rmt/ntp_nll"]!);
  const read = evaluations.filter(({ mode }) => mode === "next-token");
  expect(read.map(({ n }) => n)).toEqual([6, 6, 6]);
  expect(read[0]!.perplexity).toBeGreaterThan(200);
  expect(read.at(-1)!.perplexity).toBeLessThan(read[0]!.perplexity!);

  // Every prompt names the budget of its step.
  for (const [index, report] of reports.entries()) {
    const rollouts = await readStep(join(path, "rollouts"), index + 1);
    for (const { record } of rollouts) {
      expect(record.prompt).toContain(`\nUse exactly ${report.metrics["rmt/budget"]} tokens for thinking.`);
      expect(placeOf({ meta: record.taskMeta })?.text).toContain(record.messages[0]!.content);
    }
  }

  // The weights have changed, the tiers have not: held-out tasks are those of the run's beginning.
  const options = { config: session.config, baseDirectory: folder, directory: await RunDirectory.open(path) };
  const later = await RunSession.openForReading(options);
  expect(later.parts.held.at(0)).toEqual(held);
  const measured = await evaluate(later, "next-token", { isProbe: true });
  expect({ ...measured, seconds: 0 }).toEqual({ ...read.at(-1), seconds: 0 });
  await later.close("evaluated");

  let samples = 0;
  for await (const step of replay(options)) {
    samples += step.samples.length;
    expect(step.samples.filter(({ isEqual }) => !isEqual)).toEqual([]);
    const { auxiliaryTexts } = step.update.loss;
    expect(auxiliaryTexts.length).toBeGreaterThan(0);
    // No place is in both sets in one step.
    for (const { group } of step.update.collected.kept) {
      const place = placeOf(group.task)!;
      const text = auxiliaryTexts.find((one) => one.text === place.text);
      expect(text?.masked).toContainEqual([place.start, place.end]);
    }
  }
  expect(samples).toBe(32);
});
