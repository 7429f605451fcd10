import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { printTrainingReplay } from "../../core/dist/cli/print-training-replay.js";
import { replayTraining, type RetrainedPart } from "../../core/dist/src/replay-training.js";
import { Run } from "../../core/dist/src/run.js";
import { findCheckpoint } from "../../core/dist/src/store/checkpoint.js";
import { readEvents } from "../../core/dist/src/store/events.js";
import { readDropped } from "../../core/dist/src/store/retention.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { TrainingReplayOptions } from "../../core/src/replay-training.js";
import { openSession } from "../support/open-session.js";
import { traceOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";
import { writePlugin } from "../support/write-plugin.js";

/** 100 is the long form. */
const STEPS = Number(process.env["TROUPE_REPLAY_STEPS"] ?? 8);
const TIMEOUT_MS = 900_000 + STEPS * 5_000;

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;

/** Rewards by chance, length and a state that every hook moves; samples some groups again. */
function restless(version: string, scale: number): Parameters<typeof writePlugin>[2] {
  return {
    name: "restless",
    version,
    more: "init: (_config, previous) => previous ?? { sum: 0 },",
    hooks: `{
      plan: { run: (ctx, plan, last) => { ctx.state.sum += last?.metrics["reward/mean"] ?? 1; return {}; } },
      reward: { reads: ["length"], writes: ["reward"], run: (ctx, cohort) =>
        samplesOf(cohort).map(({ trajectory }) => ${scale} * trajectory.tokens.length / (ctx.state.sum + 1) + ctx.random.uniform()) },
      keep: { run: (ctx, group) => (group.rewards_G[0] > group.rewards_G[1] ? "resample" : "keep") },
    }`,
  };
}

/** A finished run, and what replaying it needs. */
async function play(name: string, train: JsonObject, store: JsonObject = {}): Promise<TrainingReplayOptions> {
  const own = join(folder, name);
  writePlugin(own, "restless", restless("1.0.0", 1));
  writePlugin(own, "restless-2", restless("2.0.0", 2));
  const settings: JsonObject = {
    ...TINY,
    train: { steps: STEPS, promptsPerStep: 4, groupSize: 2, maxRounds: 3, learningRate: 0.01, ...train },
    rollout: { actors: 2, maxTokens: 8 },
    eval: { tasks: 2, every: 0 },
    plugins: ["./restless.ts", "grpo"],
    store: { checkpointEvery: 3, keepCheckpoints: 2, ...store },
  };
  const { session, path } = await openSession(own, settings, (event) => {
    if (event.type === "step" && event.report.step === 2)
      void session.parts.plugins.change({ verb: "swap", plugin: "restless", use: "./restless-2.ts" });
  });
  await new Run(session).train(new AbortController().signal);
  await session.close("finished");
  return { config: session.config, baseDirectory: own, directory: await RunDirectory.open(path) };
}

async function replayed(options: TrainingReplayOptions): Promise<readonly RetrainedPart[]> {
  const parts: RetrainedPart[] = [];
  for await (const part of replayTraining(options)) parts.push(part);
  return parts;
}

function stepsIn(parts: readonly RetrainedPart[]): readonly Extract<RetrainedPart, { kind: "step" }>[] {
  return parts.filter((part) => part.kind === "step");
}

function checkpointsIn(parts: readonly RetrainedPart[]): readonly Extract<RetrainedPart, { kind: "checkpoint" }>[] {
  return parts.filter((part) => part.kind === "checkpoint");
}

/** What the command says of a replay, and the exit code that it asks for. */
async function printed(options: TrainingReplayOptions): Promise<{ readonly text: string; readonly exitCode: unknown }> {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((piece) => {
    text += String(piece);
    return true;
  });
  const before = process.exitCode;
  try {
    await printTrainingReplay(options, false);
    return { text, exitCode: process.exitCode };
  } finally {
    process.exitCode = before;
    write.mockRestore();
  }
}

/** What differs from the run: nothing, where its record is sound. */
function differences(parts: readonly RetrainedPart[]): readonly unknown[] {
  return parts.flatMap((part): readonly unknown[] =>
    part.kind === "checkpoint"
      ? part.comparison.differing
      : [...part.differing, ...part.decided.samples.filter(({ isEqual }) => !isEqual)],
  );
}

let ahead: TrainingReplayOptions;

beforeAll(async () => {
  ahead = await play("ahead", { staleness: 1 });
}, TIMEOUT_MS);

describe("replayTraining()", () => {
  test(
    `comes to the rewards and weights of a run of ${STEPS} steps ahead, twice, bit for bit`,
    async () => {
      const runs = [await replayed(ahead), await replayed(ahead)];
      for (const parts of runs) {
        expect(stepsIn(parts).map(({ decided }) => decided.step)).toEqual(
          Array.from({ length: STEPS }, (_, i) => i + 1),
        );
        expect(differences(parts)).toEqual([]);
        expect(stepsIn(parts).every(({ compared }) => compared > 10)).toBe(true);
      }
      const [first = [], second = []] = runs.map((parts) => checkpointsIn(parts).map(({ comparison }) => comparison));
      expect(second).toEqual(first);
      // Every checkpoint that the run made, most of them gone by now.
      const made = [...Array.from({ length: Math.ceil(STEPS / 3) }, (_, i) => 3 * i), STEPS];
      expect(first.map(({ step }) => step)).toEqual([...new Set(made)]);
      expect(readdirSync(ahead.directory.checkpoints).length).toBeLessThan(first.length);
      expect(first.at(-1)?.digests).toEqual(traceOf(ahead.directory.path).tensors);
      expect(new Set(first.map(({ digests }) => digests["model.safetensors"])).size).toBe(first.length);
    },
    TIMEOUT_MS,
  );

  test(
    "takes up a run at a checkpoint",
    async () => {
      const step = 3 * Math.floor((STEPS - 1) / 3);
      const parts = await replayed({ ...ahead, after: await findCheckpoint(ahead.directory, step) });
      expect(stepsIn(parts)[0]?.decided.step).toBe(step + 1);
      expect(differences(parts)).toEqual([]);
      expect(checkpointsIn(parts).map(({ comparison }) => comparison.step)).toEqual([step, STEPS]);
      const said = await printed({ ...ahead, after: await findCheckpoint(ahead.directory, step) });
      expect(said).toMatchObject({
        exitCode: undefined,
        text: expect.stringContaining(`floats, compared with 2 checkpoints (steps ${step}, ${STEPS}): 0 differ\n`),
      });
    },
    TIMEOUT_MS,
  );

  test("comes to the weights of a run in lockstep with several updates a step", async () => {
    expect(differences(await replayed(await play("lockstep", { steps: 5, updatesPerBatch: 2 })))).toEqual([]);
  });

  test(
    "names the first step and tensor that a changed record leads away from the run",
    async () => {
      const file = join(ahead.directory.rollouts, "000005.jsonl");
      const sound = readFileSync(file, "utf8");
      // Another first token of one prompt: no decision sees it, the update does.
      const side = file.replace(".jsonl", ".tok.bin");
      const tokens = readFileSync(side);
      const kept = sound
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
        .find(({ decision }) => decision === "keep");
      const changed = Buffer.from(tokens);
      changed.writeInt32LE(tokens.readInt32LE(kept.bin.tokens) === 5 ? 6 : 5, kept.bin.tokens);
      writeFileSync(side, changed);
      writeFileSync(file, sound.replaceAll(`"kernelSet":"${kept.kernelSet}"`, '"kernelSet":"abacus"'));
      const parts = await replayed({ ...ahead, to: 6 });
      const said = await printed({ ...ahead, to: 6 });
      writeFileSync(side, tokens);
      writeFileSync(file, sound);
      expect(said.exitCode).toBe(5);
      expect(said.text).toMatch(/^0001-tiny: 6 steps, \d+ samples, /);
      expect(said.text).toContain("\nfirst difference at step 5: ");
      expect(said.text).toContain(`\nits samples were drawn with abacus kernels, now they are ${kept.kernelSet}\n`);
      expect(said.text).toContain(
        "\nstep 6 is the first checkpoint with other model.safetensors and optimizer.safetensors",
      );
      const [first] = stepsIn(parts).filter(({ differing }) => differing.length > 0);
      expect(first?.decided.step).toBe(5);
      expect(first?.kernels).toEqual({ recorded: "abacus", replayed: kept.kernelSet });
      expect(stepsIn(parts).filter(({ kernels }) => kernels).length).toBe(1);
      const [at] = checkpointsIn(parts).filter(({ comparison }) => comparison.differing.length > 0);
      expect(at?.comparison).toMatchObject({ step: 6, differing: ["model.safetensors", "optimizer.safetensors"] });
      if (STEPS === 8)
        expect(at?.comparison.first).toMatchObject({ file: "model.safetensors", tensor: expect.any(String) });
    },
    TIMEOUT_MS,
  );

  test(
    "reads over closed segments, and says what was dropped to keep the record small",
    async () => {
      const bounds = { segmentMb: 0.01, compress: true, maxMb: 0.09 };
      const small = await play("small", { steps: 12, staleness: 1 }, bounds);
      const { directory } = small;
      const names = readdirSync(directory.rollouts);
      expect(names.some((name) => name.endsWith(".tar"))).toBe(true);
      const { lines } = await readEvents(directory.events);
      const notices = lines.filter(({ type }) => type === "notice");
      expect(notices).toContainEqual(
        expect.objectContaining({ message: expect.stringMatching(/^dropped .* to stay within store.maxMb 0.09/) }),
      );
      const { rolloutsTo } = await readDropped(directory);
      expect(rolloutsTo).toBeGreaterThan(0);
      expect(rolloutsTo).toBeLessThan(9);
      await expect(replayed(small)).rejects.toMatchObject({
        code: "REPLAY_NOT_POSSIBLE",
        message: expect.stringContaining(`rollouts up to step ${rolloutsTo} were dropped`),
      });
      const after = await findCheckpoint(directory, 9);
      const parts = await replayed({ ...small, after });
      expect(stepsIn(parts).map(({ decided }) => decided.step)).toEqual([10, 11, 12]);
      expect(differences(parts)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test("refuses to begin with other weights than the run did", async () => {
    await expect(replayed({ ...ahead, config: { ...ahead.config, seed: 8 } })).rejects.toMatchObject({
      code: "REPLAY_NOT_POSSIBLE",
      message: expect.stringContaining("model.safetensors"),
    });
  });
});
