import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { KILLED_RUN, runIn, surviveKills } from "../support/killed-runs.js";
import type { ScriptEnd } from "../support/run-script.js";
import { stepsOf, traceOf, type RunTrace } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyRun } from "../support/tiny-run.js";
import {
  recordsOf,
  runTroupe,
  TroupeProcess,
  type OutputPlace,
  type TroupeFolders,
} from "../support/troupe-process.js";

/** `npm run kills` has many more, of workers too. */
const KILLS = { inLockstep: 12, ahead: 8 };
const SECONDS_A_KILL = 120;

const folder = temporaryFolder();
const file = writeTinyRun(folder, KILLED_RUN);

function foldersFor(name: string): TroupeFolders {
  return { runs: join(folder, name, "runs"), home: join(folder, name, "home") };
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
});

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

/** Kills a run again and again, resumes it each time, and compares what it comes to. */
async function survive(name: string, config: string, kills: number, expected: RunTrace): Promise<void> {
  const { traces, inTraining } = await surviveKills({ folder: join(folder, name), config, kills });
  for (const trace of traces) {
    expect(trace.ledger).toBe(expected.ledger);
    expect(trace).toEqual(expected);
  }
  // Otherwise every process was killed before it began to train.
  expect(inTraining).toBeGreaterThan(0);
}

describe("a run killed with SIGKILL", () => {
  const { inLockstep, ahead } = KILLS;

  test(
    `${inLockstep} times, and resumed each time, is the uninterrupted run`,
    () => survive("killed", file, inLockstep, whole),
    inLockstep * SECONDS_A_KILL * 1000,
  );

  test(
    `${ahead} times while it samples the next step ahead, and resumed each time, is the uninterrupted run`,
    async () => {
      const train = { ...KILLED_RUN.train, staleness: 1 };
      // Segments of a few steps: some kills fall between the end of one and the beginning of the next.
      const store = { ...KILLED_RUN.store, segmentMb: 0.01, compress: true };
      const config = writeTinyRun(join(folder, "ahead"), { ...KILLED_RUN, train, store });
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
  /** One signal at a line of its output; a second one would end it at once. */
  function interruptedAt(place: OutputPlace, folders: TroupeFolders): Promise<ScriptEnd> {
    let lines = 0;
    const onLine = (line: string): void => {
      if (!line.startsWith(place.start) || ++lines !== place.count) return;
      troupe.signal("SIGINT");
      troupe.goOn();
    };
    const troupe = new TroupeProcess(["--json", "run", file], folders, onLine, place);
    return troupe.ended;
  }

  test("saves, says how to go on, and goes on without a gap or a step twice", async () => {
    const folders = foldersFor("stopped");
    await mkdir(folders.runs, { recursive: true });
    const stopped = await interruptedAt({ start: '{"type":"step","part":"tiny"', count: 4 }, folders);
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
    const stopped = await interruptedAt({ start: '{"type":"step","part":"base"', count: 1 }, folders);
    expect(stopped).toMatchObject({ exitCode: 130, signal: null });
    expect(await runTroupe(["--json", "resume"], folders)).toMatchObject({ exitCode: 0 });
    expect(traceOf(runIn(folders) ?? "")).toEqual(whole);
  });
});
