import { join } from "node:path";
import { expect, test } from "vitest";
import { runIn } from "../../support/killed-runs.js";
import { traceOf, type RunTrace } from "../../support/run-traces.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";
import { runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();

/** A policy with both modes from the start, rewarded by a balance that takes something off each of them. */
async function traceWith(actors: number): Promise<RunTrace> {
  const own = join(folder, String(actors));
  const teacher = { styles: { think: 0, thinkfree: 0, "ellipsis-think": 1, "ellipsis-direct": 1 } };
  const file = writeTinyRun(own, {
    ...TINY_RUN,
    environment: { use: "arithmetic", with: { ...TINY_RUN.environment.with, teacher } },
    plugins: [
      { use: "autothink", with: { stages: [{ name: "balance", maxTokens: 40, gamma: 0.1 }] } },
      { use: "dapo", with: { dynamicSampling: true } },
    ],
    distill: { ...TINY_RUN.distill, tokens: 60_000 },
    train: { ...TINY_RUN.train, steps: 3 },
    rollout: { maxTokens: 40, actors },
    eval: { every: 0, tasks: 2 },
  });
  const folders = { runs: join(own, "runs"), home: join(own, "home") };
  const end = await runTroupe(["--json", "run", file], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  return traceOf(runIn(folders) ?? "");
}

test("autothink's think share, rewards and weights are the same when one or four workers sample, filtered groups counted in (check AT5)", async () => {
  const [one, four] = [await traceWith(1), await traceWith(4)];
  const metrics = one.metrics.map((line): unknown => line["metrics"]);
  const rates = metrics.map((of) => numberOf(of, "autothink/think_rate/all"));
  expect(rates.every((rate) => rate > 0 && rate < 1)).toBe(true);
  expect(metrics.some((of) => numberOf(of, "group/dropped") > 0)).toBe(true);
  expect(four).toEqual(one);
});

function numberOf(metrics: unknown, name: string): number {
  return typeof metrics === "object" && metrics !== null && name in metrics
    ? Number(Object.entries(metrics).find(([key]) => key === name)?.[1])
    : NaN;
}
