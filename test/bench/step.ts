import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  distillPolicy,
  Run,
  runConfigSchema,
  RunDirectory,
  RunSession,
  type ModelShape,
  type RunConfig,
} from "@troupe/core";
import { createEngine } from "@troupe/gpu";
import type { BenchSession, Findings } from "./area.js";
import type { BestPeaks } from "./best-peaks.js";
import { demoPolicyDirectory, examplesDirectory, shapeIn } from "./demo-policy.js";
import { forwardFlops, trainFlops } from "./engine-work.js";
import { middleOf, row, type Middle } from "./row.js";
import { PARTS, StepMeter, type MeteredStep } from "./step-meter.js";

/** What a step is measured with. */
export interface StepSettings {
  /** Tokens that the policy learns from before: its answers then have the form and the lengths of a real run. */
  readonly distillTokens: number;
  readonly promptsPerStep: number;
  readonly groupSize: number;
  readonly maxTokens: number;
  /** Steps measured, after one that is not. */
  readonly steps: number;
}

/** Takes steps of the demo's kind through `Run`, and after each has the engine alone do the same work. */
export async function measureStep(settings: StepSettings, { progress, peaks }: BenchSession): Promise<Findings> {
  const config = configOf(settings);
  const baseDirectory = examplesDirectory();
  progress("a policy to train");
  const { directory: weights } = await distillPolicy(config, baseDirectory, () => {}, new AbortController().signal);
  const shape = shapeIn(weights);
  const steps: MeteredStep[] = [];
  const root = await mkdtemp(join(tmpdir(), "troupe-bench-"));
  const engine = await createEngine({ shape, seed: 1 });
  try {
    await engine.load(weights);
    await engine.publish();
    const session = await RunSession.open({
      config: { ...config, policy: { ...config.policy, from: weights } },
      baseDirectory,
      directory: await RunDirectory.create({ root, name: config.name }),
      attempt: 1,
      weights,
      onEvent: () => {},
    });
    try {
      const run = new Run(session);
      const meter = new StepMeter(session, engine);
      await meter.measure(run);
      for (let step = 1; step <= settings.steps; step++) {
        progress(`step ${step} of ${settings.steps}`);
        await peaks.measure();
        steps.push(await meter.measure(run));
      }
    } finally {
      await session.close("measured");
    }
  } finally {
    engine.dispose();
    await rm(root, { recursive: true, force: true });
  }
  return findingsOf(shape, steps, peaks);
}

function configOf({ distillTokens, promptsPerStep, groupSize, maxTokens, steps }: StepSettings): RunConfig {
  return runConfigSchema.parse({
    name: "bench",
    policy: { from: demoPolicyDirectory() },
    environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 6 } },
    plugins: ["grpo"],
    distill: { tokens: distillTokens },
    train: { steps: steps + 1, promptsPerStep, groupSize },
    rollout: { maxTokens },
  });
}

function findingsOf(shape: ModelShape, steps: readonly MeteredStep[], peaks: BestPeaks): Findings {
  const over = (reading: (step: MeteredStep) => number): Middle => middleOf(steps.map(reading));
  const whole = (reading: (step: MeteredStep) => number): number => Math.round(over(reading).value);
  const tokensPerSecond = over(({ responseTokens, seconds }) => responseTokens / seconds.step);
  const limit = over((step) => (step.responseTokens * peaks.best.fmaAllThreads) / flopsOf(shape, step));
  return {
    rows: [
      row(
        "step/seconds",
        "s",
        over(({ seconds }) => seconds.step),
      ),
      ...PARTS.map((part) =>
        row(
          `step/${part}/share`,
          "of step",
          over(({ seconds }) => seconds[part] / seconds.step),
        ),
      ),
      row("step/tokens", "tokens/s", tokensPerSecond, limit.value),
      row(
        "step/generate/tokens",
        "tokens/s",
        over(({ responseTokens, seconds }) => responseTokens / seconds.generate),
        over(({ alone }) => alone.generate).value,
      ),
      row(
        "step/train/tokens",
        "tokens/s",
        over(({ trainedTokens, seconds }) => trainedTokens / seconds.train),
        over(({ alone }) => alone.train).value,
      ),
    ],
    notes: [
      `A step: ${whole(({ lengths }) => lengths.length)} trajectories, ${whole(({ responseTokens }) => responseTokens)} response tokens, ${whole(({ trainedTokens }) => trainedTokens)} trained tokens; medians of ${steps.length} steps.`,
      ...peaks.notes,
    ],
  };
}

/** FLOPs of a step: each sequence goes through the policy once when it is sampled and three times when it is learned from. */
function flopsOf(shape: ModelShape, { lengths }: MeteredStep): number {
  return lengths.reduce((sum, length) => sum + length * (forwardFlops(shape, length) + trainFlops(shape, length)), 0);
}
