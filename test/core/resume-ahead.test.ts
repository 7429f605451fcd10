import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { replayTraining } from "../../core/dist/src/replay-training.js";
import { Run } from "../../core/dist/src/run.js";
import { readEvents } from "../../core/dist/src/store/events.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import { readStep } from "../../core/dist/src/store/rollouts.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import type { OpenSession } from "../support/open-session.js";
import { openSession } from "../support/open-session.js";
import { traceOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";
import { RESTLESS_CHANCE, writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;
const TRAIN = { steps: 8, promptsPerStep: 3, groupSize: 2, maxRounds: 3, learningRate: 0.01 };
const SETTINGS: JsonObject = {
  ...TINY,
  train: { ...TRAIN, staleness: 2 },
  rollout: { actors: 2, maxTokens: 8 },
  eval: { tasks: 2, every: 0 },
  store: { checkpointEvery: 3 },
  plugins: ["./chance.ts", "grpo"],
};

function open(
  name: string,
  changes: JsonObject = {},
  plugin: Parameters<typeof writePlugin>[2] = RESTLESS_CHANCE,
  onEvent?: (event: RunEvent) => void,
): Promise<OpenSession> {
  const own = join(folder, name);
  writePlugin(own, "chance", plugin);
  return openSession(own, { ...SETTINGS, ...changes }, onEvent);
}

/** Goes on with a run as the next attempt. */
async function reopen(run: OpenSession): Promise<OpenSession> {
  return { ...run, session: await run.again(() => {}) };
}

async function finish({ session }: OpenSession): Promise<void> {
  try {
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
  } finally {
    await session.close("finished");
  }
}

/** Trains so many steps, with a checkpoint after some of them, and leaves without another. */
async function leaveAfter({ session }: OpenSession, steps: number, saveAfter: number): Promise<void> {
  const run = new Run(session);
  for (let step = 1; step <= steps; step++) {
    await run.nextStep();
    if (step === saveAfter) await run.save();
  }
  await session.close("failed");
}

/** Everything that training again finds to differ. */
async function differences({ session, path }: OpenSession): Promise<readonly unknown[]> {
  const options = {
    config: session.config,
    baseDirectory: join(path, "../.."),
    directory: await RunDirectory.open(path),
  };
  const found: unknown[] = [];
  for await (const part of replayTraining(options)) {
    if (part.kind === "checkpoint") found.push(...part.comparison.differing);
    else found.push(...part.differing, ...part.decided.samples.filter(({ isEqual }) => !isEqual));
  }
  return found;
}

describe("a resumed run with staleness", () => {
  test("of 2 is the uninterrupted run, bit for bit", async () => {
    const whole = await open("whole");
    await finish(whole);
    const cut = await open("cut");
    await leaveAfter(cut, 5, 3);
    const resumed = await reopen(cut);
    await finish(resumed);
    const { state: _ofCut, ...trace } = traceOf(cut.path);
    const { state: _ofWhole, ...wanted } = traceOf(whole.path);
    expect(trace).toEqual(wanted);
    expect(await differences(resumed)).toEqual([]);
  });

  test("takes what was recorded where responses cross versions, and no record that others made", async () => {
    const partial: JsonObject = {
      rollout: { actors: 2, maxTokens: 40, partial: true },
      train: { ...TRAIN, staleness: 1 },
    };
    const cut = await open("partial", partial);
    await leaveAfter(cut, 6, 3);
    const rollouts = join(cut.path, "rollouts");
    // A mark on step 5 that no sampler makes: its first sample's last token.
    const [first] = await readStep(rollouts, 5);
    const side = join(rollouts, "000005.tok.bin");
    const bytes = readFileSync(side);
    const place = JSON.parse(readFileSync(join(rollouts, "000005.jsonl"), "utf8").split("\n")[0] ?? "").bin;
    bytes.writeInt32LE(297, place.tokens + 4 * ((first?.tokens.tokens.length ?? 1) - 1));
    writeFileSync(side, bytes);
    const before = await Promise.all([4, 5, 6].map((step) => readStep(rollouts, step)));
    const resumed = await reopen(cut);
    await finish(resumed);
    expect(await Promise.all([4, 5, 6].map((step) => readStep(rollouts, step)))).toEqual(before);
    expect(traceOf(cut.path).metrics).toHaveLength(8);
    expect(await differences(resumed)).toEqual([]);
  });
});

describe("a plugin that keeps samples in flight from being made", () => {
  test("is rolled back at a checkpoint as in a step, and the run resumes from there", async () => {
    // No group is sampled again, so that the step of the swap asks its actors for nothing but the next one's samples.
    const steady = { ...RESTLESS_CHANCE, hooks: RESTLESS_CHANCE.hooks.replace(/keep:.*\n/, "") };
    const format = 'format: { run: () => { throw new Error("no prompt"); } }, plan:';
    const failing = { ...steady, version: "2.0.0", hooks: steady.hooks.replace("plan:", format) };
    writePlugin(join(folder, "failing"), "failing", failing);
    const changes = { train: { ...TRAIN, staleness: 1 } };
    const cut = await open("failing", changes, steady, (event) => {
      if (event.type !== "step" || event.report.step !== 2) return;
      void cut.session.parts.plugins.change({ verb: "swap", plugin: "chance", use: "./failing.ts" });
    });
    await leaveAfter(cut, 4, 3);
    const resumed = await reopen(cut);
    await finish(resumed);
    const { lines } = await readEvents(join(cut.path, "events.jsonl"));
    const found = lines.flatMap((event) =>
      event.type === "plugin" ? [{ step: event.step, action: event.action }] : [],
    );
    expect(found).toEqual([
      { step: 3, action: "swap" },
      { step: 4, action: "roll-back" },
    ]);
    expect(await differences(resumed)).toEqual([]);
  });
});

describe("a run that is gone back with behind a change of its plugins", () => {
  const second = {
    ...RESTLESS_CHANCE,
    version: "2.0.0",
    hooks: RESTLESS_CHANCE.hooks.replace("ctx.random.uniform()", "-ctx.random.uniform()"),
  };

  async function start(name: string): Promise<OpenSession> {
    writePlugin(join(folder, name), "second", second);
    const run = await open(name, {}, RESTLESS_CHANCE, (event) => {
      if (event.type !== "step" || event.report.step !== 4) return;
      void run.session.parts.plugins.change({ verb: "swap", plugin: "chance", use: "./second.ts" });
    });
    return run;
  }

  test("makes it again at its step, killed once or twice before", async () => {
    const whole = await start("changed-whole");
    await finish(whole);
    for (const redone of [0, 1]) {
      const cut = await start(`changed-${redone}`);
      await leaveAfter(cut, 6, 3);
      // An attempt that ends before the step of the change leaves it to the next.
      if (redone > 0) await leaveAfter(await reopen(cut), redone, 99);
      const resumed = await reopen(cut);
      await finish(resumed);
      expect(traceOf(cut.path)).toMatchObject({
        ledger: traceOf(whole.path).ledger,
        tensors: traceOf(whole.path).tensors,
      });
      const { lines } = await readEvents(join(cut.path, "events.jsonl"));
      expect(lines.filter(({ type }) => type === "plugin")).toMatchObject([
        { step: 5, action: "swap", reason: "asked for" },
      ]);
      expect(await differences(resumed)).toEqual([]);
    }
  });

  test("records that a plugin's file had changed, so that it replays", async () => {
    const cut = await open("mended");
    await leaveAfter(cut, 4, 3);
    writePlugin(join(folder, "mended"), "chance", second);
    const resumed = await reopen(cut);
    await finish(resumed);
    const { lines } = await readEvents(join(cut.path, "events.jsonl"));
    expect(lines.filter(({ type }) => type === "plugin")).toMatchObject([
      { step: 4, plugin: "chance", reason: "its file had changed when the run was resumed" },
    ]);
    expect(await differences(resumed)).toEqual([]);
  });
});
