import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { deriveKey, Random } from "../../core/src/numerics/random.js";
import type { ScriptEnd } from "../support/run-script.js";
import { stepsOf, traceOf, type RunTrace } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { recordsOf, runTroupe, TroupeProcess, type TroupeFolders } from "../support/troupe-process.js";

/** More of them look for rarer moments. */
const KILLS = Number(process.env["TROUPE_KILLS"] ?? 20);
const SECONDS_A_KILL = 20;

const folder = temporaryFolder();
const SETTINGS = {
  ...TINY_RUN,
  // A stage in the middle of the run, groups that are sampled again, and a rate that depends on the step: state that
  // a resumed run must have kept.
  plugins: [
    "dapo",
    {
      use: "tfpi",
      with: {
        stages: [
          { name: "free", steps: 5, maxTokens: 24 },
          { name: "full", maxTokens: 40, thinkFree: false },
        ],
      },
    },
  ],
  train: { ...TINY_RUN.train, warmupSteps: 8 },
  // At the steps of the checkpoints: what is measured there, the next step's plan gets to see.
  eval: { ...TINY_RUN.eval, every: 3, modes: ["default", "thinkfree"] },
} as const;
const file = writeTinyRun(folder, SETTINGS);

function foldersFor(name: string): TroupeFolders {
  return { runs: join(folder, name, "runs"), home: join(folder, name, "home") };
}

/** The one run below a root, once it can be resumed. */
function runIn({ runs }: TroupeFolders): string | undefined {
  const name = existsSync(runs)
    ? readdirSync(runs).find((run) => existsSync(join(runs, run, "config.resolved.yaml")))
    : undefined;
  return name === undefined ? undefined : join(runs, name);
}

/** The run as it is when nothing disturbs it. */
async function undisturbed(name: string, config: string): Promise<RunTrace> {
  const folders = foldersFor(name);
  const end = await runTroupe(["--json", "run", config], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  return traceOf(runIn(folders) ?? "");
}

let whole: RunTrace;

beforeAll(async () => {
  whole = await undisturbed("whole", file);
}, 120_000);

describe("an uninterrupted run", () => {
  test("has the state that resuming could lose", () => {
    const stages = new Set(whole.metrics.map(({ stage }) => stage));
    expect([...stages]).toEqual(["free", "full"]);
    expect(whole.metrics.some(({ metrics }) => rounds(metrics) > 1)).toBe(true);
    const tasks = whole.ledger
      .trimEnd()
      .split("\n")
      .map((line) => new Set(JSON.parse(line).samples.map(taskOf)));
    expect(new Set(tasks.flatMap((ofStep) => [...ofStep])).size).toBe(tasks.reduce((sum, { size }) => sum + size, 0));
    expect(whole.state).toMatchObject({
      run: { step: 12 },
      plugins: { tfpi: { position: { index: 1 }, evaluations: [expect.anything(), expect.anything()] } },
    });
  });
});

function taskOf({ task }: { readonly task: string }): string {
  return task;
}

function rounds(metrics: unknown): number {
  return typeof metrics === "object" && metrics !== null && "group/rounds" in metrics
    ? Number(metrics["group/rounds"])
    : 0;
}

/** When a process is killed. */
type Moment =
  | { readonly at: "delay"; readonly ms: number }
  | { readonly at: "step"; readonly steps: number; readonly ms: number }
  /** As soon as half a checkpoint stands on the disk. */
  | { readonly at: "checkpoint" };

/** Seeded moments over the whole run: start-up and teaching, any place in any step, and inside checkpoints. */
function momentOf(kill: number): Moment {
  const random = new Random(deriveKey(11, "kills", kill));
  if (kill % 3 === 0) return { at: "delay", ms: random.integer(0, 2000) };
  if (kill % 3 === 1) return { at: "step", steps: random.integer(1, 6), ms: random.integer(0, 30) };
  return { at: "checkpoint" };
}

/** Runs a command and kills it at a moment; whether it was still alive then is in its end. */
async function runUntil(moment: Moment, args: readonly string[], folders: TroupeFolders): Promise<ScriptEnd> {
  let steps = 0;
  const kill = (): void => troupe.signal("SIGKILL");
  const timers: NodeJS.Timeout[] = [];
  const troupe = new TroupeProcess(args, folders, (line) => {
    if (moment.at !== "step" || !line.startsWith('{"type":"step","part":"tiny"')) return;
    if (++steps === moment.steps) timers.push(setTimeout(kill, moment.ms));
  });
  if (moment.at === "delay") timers.push(setTimeout(kill, moment.ms));
  if (moment.at === "checkpoint") {
    timers.push(
      setInterval(() => {
        const checkpoints = join(runIn(folders) ?? "", "checkpoints");
        if (existsSync(checkpoints) && readdirSync(checkpoints).some((name) => /^\.tmp-\d+$/.test(name))) kill();
      }, 1),
    );
  }
  const end = await troupe.ended;
  for (const timer of timers) clearTimeout(timer);
  return end;
}

/** Kills a run again and again, resumes it each time, and compares what it comes to. */
async function survive(name: string, config: string, count: number, expected: RunTrace): Promise<void> {
  let kills = 0;
  let stepsAtKills = 0;
  for (let run = 0; kills < count; run++) {
    const folders = foldersFor(`${name}-${run}`);
    for (;;) {
      const begun = runIn(folders);
      // A process that dies before it has written what to do leaves nothing to resume.
      const args = ["--json", ...(begun === undefined ? ["run", config] : ["resume", begun])];
      const end = kills < count ? await runUntil(momentOf(kills), args, folders) : await runTroupe(args, folders);
      if (end.signal === "SIGKILL") {
        kills += 1;
        if (existsSync(join(runIn(folders) ?? "", "metrics.jsonl"))) stepsAtKills += 1;
        continue;
      }
      expect(end, end.stderr).toMatchObject({ exitCode: 0, signal: null });
      break;
    }
    const trace = traceOf(runIn(folders) ?? "");
    expect(trace.ledger).toBe(expected.ledger);
    expect(trace).toEqual(expected);
  }
  // Otherwise every process was killed before it began to train.
  expect(stepsAtKills).toBeGreaterThan(0);
}

describe("a run killed with SIGKILL", () => {
  const inLockstep = Math.ceil(KILLS * 0.6);
  const ahead = KILLS - inLockstep;

  test(
    `${inLockstep} times, and resumed each time, is the uninterrupted run`,
    () => survive("killed", file, inLockstep, whole),
    inLockstep * SECONDS_A_KILL * 1000,
  );

  test(
    `${ahead} times while it samples the next step ahead, and resumed each time, is the uninterrupted run`,
    async () => {
      const train = { ...SETTINGS.train, staleness: 1 };
      const config = writeTinyRun(join(folder, "ahead"), { ...SETTINGS, train });
      const expected = await undisturbed("ahead-whole", config);
      const behind = expected.metrics.map(({ metrics }) => stalenessOf(metrics));
      expect(behind).toEqual([0, ...Array.from({ length: 11 }, () => 1)]);
      await survive("ahead-killed", config, ahead, expected);
    },
    (ahead + 2) * SECONDS_A_KILL * 1000,
  );
});

function stalenessOf(metrics: unknown): unknown {
  return typeof metrics === "object" && metrics !== null && "staleness/max" in metrics
    ? metrics["staleness/max"]
    : undefined;
}

describe("a run stopped with SIGINT", () => {
  test("saves, says how to go on, and goes on without a gap or a step twice", async () => {
    const folders = foldersFor("stopped");
    await mkdir(folders.runs, { recursive: true });
    let steps = 0;
    const troupe = new TroupeProcess(["--json", "run", file], folders, (line) => {
      if (line.startsWith('{"type":"step","part":"tiny"') && ++steps === 4) troupe.signal("SIGINT");
    });
    const stopped = await troupe.ended;
    expect(stopped).toMatchObject({ exitCode: 130, signal: null });
    expect(stopped.stderr).toContain("stopping after this step, then saving");
    expect(stopped.stderr).toContain("Go on with: troupe resume 0001-tiny");
    expect(recordsOf(stopped).at(-1)).toMatchObject({ type: "done", outcome: "interrupted", run: "0001-tiny" });
    const run = runIn(folders) ?? "";
    const before = stepsOf(run);
    expect(before).toEqual(Array.from({ length: before.length }, (_, index) => index + 1));
    expect(before.length).toBeLessThan(12);

    const resumed = await runTroupe(["--json", "resume", "0001-tiny"], folders);
    expect(resumed, resumed.stderr).toMatchObject({ exitCode: 0 });
    const started = recordsOf(resumed).filter(({ type, part }) => type === "started" && part === "tiny");
    expect(started).toEqual([
      expect.objectContaining({ detail: expect.stringContaining(`resumed at step ${before.length}`) }),
    ]);
    expect(stepsOf(run)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
    expect(traceOf(run)).toEqual(whole);
  });

  test("while the teacher is at work ends with the same code, and resuming trains from the start", async () => {
    const folders = foldersFor("stopped-early");
    let lines = 0;
    const troupe = new TroupeProcess(["--json", "run", file], folders, (line) => {
      // A second signal would end the process at once.
      if (line.startsWith('{"type":"step","part":"base"') && ++lines === 1) troupe.signal("SIGINT");
    });
    expect(await troupe.ended).toMatchObject({ exitCode: 130, signal: null });
    expect(await runTroupe(["--json", "resume"], folders)).toMatchObject({ exitCode: 0 });
    expect(traceOf(runIn(folders) ?? "")).toEqual(whole);
  });
});
