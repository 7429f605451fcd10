import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readModelShape } from "../../core/dist/src/engines/model-shape.js";
import { replayTraining } from "../../core/dist/src/replay-training.js";
import { Run } from "../../core/dist/src/run.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import { readStep, type Rollout } from "../../core/dist/src/store/rollouts.js";
import type { JsonObject } from "../../core/src/records/json.js";
import { createEngine } from "../../gpu/src/index.js";
import { HELD_AT, HELD_TOKENS } from "../support/held-engine.js";
import { openSession, type OpenSession } from "../support/open-session.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_POLICY, TINY_RUN } from "../support/tiny-run.js";
import { writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;
const STEPS = 6;
const TEMPERATURE = 0.8;
const SETTINGS: JsonObject = {
  ...TINY,
  policy: { from: "./policy", engine: join(import.meta.dirname, "../dist/support/held-engine.js") },
  train: { steps: STEPS, promptsPerStep: 3, groupSize: 2, learningRate: 0.01, staleness: 1 },
  rollout: { actors: 2, maxTokens: 40, partial: true, temperature: TEMPERATURE },
  eval: { tasks: 2, every: 0, maxTokens: 8 },
  store: { checkpointEvery: 1, keepCheckpoints: STEPS + 1 },
  plugins: ["./chance.ts", "grpo"],
};

function open(name: string): Promise<OpenSession> {
  const own = join(folder, name);
  writePlugin(own, "chance", {
    hooks: `{ plan: { run: (ctx) => ({ maxTokens: ${HELD_TOKENS} + ctx.step }) }, reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) } }`,
  });
  return openSession(own, SETTINGS);
}

async function finish(session: OpenSession["session"]): Promise<void> {
  try {
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
  } finally {
    await session.close("finished");
  }
}

async function rolloutsOf(path: string): Promise<readonly (readonly Rollout[])[]> {
  const steps = Array.from({ length: STEPS }, (_, index) => index + 1);
  return Promise.all(steps.map((step) => readStep(join(path, "rollouts"), step)));
}

/** What was sampled, and by which versions. */
function drawn(rollouts: readonly Rollout[]): readonly unknown[] {
  return rollouts.map(({ record, tokens }) => [record.id, record.versions, tokens.tokens, tokens.logprobs]);
}

describe("responses that go on with a new version in their middle", () => {
  test("name it token by token, with logprobs of its very weights; the run resumes and replays", async () => {
    const whole = await open("whole");
    await finish(whole.session);
    const steps = await rolloutsOf(whole.path);

    // A step's samples are begun by the version before the one that is live when its turn comes; step 1's have none.
    const crossing = steps.flat().filter(({ record }) => record.versions.length > 1);
    expect(crossing.length).toBeGreaterThan(0);
    for (const { record, tokens } of crossing) {
      const [start, change] = [record.promptTokens, record.promptTokens + HELD_AT];
      expect(record.versions).toEqual([
        { version: record.step - 2, start, end: change },
        { version: record.step - 1, start: change, end: tokens.tokens.length },
      ]);
    }

    const engine = await createEngine({
      shape: readModelShape(join(folder, "whole", "policy"), TINY_POLICY.vocab_size),
      seed: 1,
    });
    let compared = 0;
    for (const name of readdirSync(join(whole.path, "checkpoints"))) {
      await engine.load(join(whole.path, "checkpoints", name));
      await engine.publish();
      for (const { record, tokens } of steps.flat()) {
        const span = record.versions.find(({ version }) => version === Number(name));
        if (!span) continue;
        const { logprobs_N } = await engine.score(tokens.tokens, Int32Array.of(0, tokens.tokens.length), TEMPERATURE);
        expect(tokens.logprobs.slice(span.start, span.end), `${record.id}, version ${name}`).toEqual(
          logprobs_N.slice(span.start, span.end),
        );
        compared += span.end - span.start;
      }
    }
    engine.dispose();
    // Every token of every response, once.
    expect(compared).toBe(steps.flat().reduce((sum, { record }) => sum + record.responseTokens, 0));

    const cut = await open("cut");
    const run = new Run(cut.session);
    for (let step = 1; step <= 5; step++) {
      await run.nextStep();
      if (step === 3) await run.save();
    }
    await cut.session.close("failed");
    const before = (await rolloutsOf(cut.path)).slice(0, 5);
    await finish(await cut.again(() => {}));
    expect((await rolloutsOf(cut.path)).slice(0, 5).map(drawn)).toEqual(before.map(drawn));

    const { config } = cut.session;
    const differing: unknown[] = [];
    let checkpoints = 0;
    const directory = await RunDirectory.open(cut.path);
    for await (const part of replayTraining({ config, baseDirectory: join(folder, "cut"), directory })) {
      if (part.kind === "checkpoint") checkpoints += 1;
      differing.push(
        ...(part.kind === "checkpoint"
          ? part.comparison.differing
          : [...part.differing, ...part.decided.samples.filter(({ isEqual }) => !isEqual)]),
      );
    }
    expect(differing).toEqual([]);
    expect(checkpoints).toBeGreaterThan(1);
  });
});
