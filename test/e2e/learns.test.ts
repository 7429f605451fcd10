import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/src/records/json.js";
import type { ScriptEnd } from "../support/run-script.js";
import { metricsOf, stepsOf, traceOf, type RunTrace } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { recordsOf, runTroupe } from "../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
const STEPS = 60;
/** Of the 18 problems with one operation modulo 3. */
const HELD_OUT = 6;

const { plugins: _, ...base } = TINY_RUN;
const file = writeTinyRun(folder, {
  base: {
    ...base,
    environment: {
      use: "arithmetic",
      with: { minSteps: 1, maxSteps: 1, modulus: 3, evalTasks: 12, teacher: { errorRate: 0.35 } },
    },
    train: { steps: 0 },
    eval: { tasks: 12, modes: ["default", "thinkfree"], plugins: ["tfpi"] },
    store: { rolloutsEvery: 20 },
  },
  arms: {
    thinking: {
      plugins: ["grpo"],
      train: { steps: STEPS, promptsPerStep: 8, groupSize: 8, learningRate: 0.001 },
    },
    both: { plugins: ["grpo", "tfpi"], train: { steps: 2, promptsPerStep: 2, groupSize: 2 } },
  },
});

/** Where the arms and the summary of the experiment lie. */
const run = join(folders.runs, "0001-tiny");

describe("an experiment through the command line", () => {
  let end: ScriptEnd;
  beforeAll(async () => {
    end = await runTroupe(["--json", "run", file], folders);
  });

  test("ends well, in records alone: the launch first, done last, and what happened between them", () => {
    expect(end, end.stderr).toMatchObject({ exitCode: 0, signal: null });
    const records = recordsOf(end);
    expect(records[0]).toMatchObject({ type: "launch", run: "0001-tiny", path: run });
    expect(records.at(-1)).toEqual({ type: "done", outcome: "finished", run: "0001-tiny" });
    const types = new Set(records.map(({ type }) => type));
    for (const type of ["started", "step", "sample", "evaluated", "checkpoint", "finished", "summary"]) {
      expect(types, type).toContain(type);
    }
    const parts = records.filter(({ type }) => type === "finished").map(({ part }) => part);
    expect(parts).toEqual(["base", "thinking", "both"]);
  });

  test("the base's seconds hold its teaching", () => {
    const { distillSeconds } = JSON.parse(readFileSync(join(run, "progress.json"), "utf8"));
    const ended = recordsOf(end).find(({ type, part }) => type === "finished" && part === "base");
    expect(distillSeconds).toBeGreaterThan(0);
    expect(ended?.["seconds"]).toBeGreaterThan(distillSeconds);
  });

  test("the reward rises clearly", () => {
    const rewards = metricsOf(join(run, "arms", "thinking")).map((line) => metric(line, "reward/raw/mean"));
    expect(rewards).toHaveLength(STEPS);
    expect(average(rewards.slice(-10))).toBeGreaterThan(average(rewards.slice(0, 10)) + 0.15);
  });

  test.each(["thinking", "both"])("sampler and learner agree to the bit in every step of arm %s", (arm) => {
    const lines = metricsOf(join(run, "arms", arm));
    expect(lines.map((line) => [metric(line, "kl/mismatch"), metric(line, "mismatch/max")])).toEqual(
      lines.map(() => [0, 0]),
    );
    expect(lines.map((line) => metric(line, "ratio/max"))).toEqual(lines.map(() => 1));
  });

  test("summary.json has what is documented, for the base and every arm", () => {
    const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
    expect(summary).toMatchObject({ seed: 7, n: HELD_OUT, wallSeconds: expect.any(Number) });
    expect(summary.arms.map(({ name }: { name: string }) => name)).toEqual(["base", "thinking", "both"]);
    for (const arm of summary.arms) {
      expect(arm).toMatchObject({
        accuracy: expect.any(Number),
        ci95: [expect.any(Number), expect.any(Number)],
        accuracyThinkFree: expect.any(Number),
        tokensPerAnswer: expect.any(Number),
        thinkRate: expect.any(Number),
        trainTokens: expect.any(Number),
        seconds: expect.any(Number),
      });
      expect(arm.ci95[0]).toBeLessThanOrEqual(arm.accuracy);
      expect(arm.ci95[1]).toBeGreaterThanOrEqual(arm.accuracy);
    }
    expect(recordsOf(end).find(({ type }) => type === "summary")).toEqual({ type: "summary", ...summary });
  });

  test.each(["report.html", "summary.svg"])("%s shows every arm and loads nothing from elsewhere", (name) => {
    const text = readFileSync(join(run, name), "utf8");
    for (const arm of ["base", "thinking", "both"]) expect(text).toContain(arm);
    expect(text).not.toMatch(/<script[^>]+src|<link|@import|url\(|(?:src|href)=["'](?!#|data:)/i);
  });

  test("inspect lists the rollouts of a step, and shows one with its verdict", async () => {
    const listed = recordsOf(await runTroupe(["--json", "inspect", "1", "--arm", "thinking", "--step", "20"], folders));
    expect(listed).toHaveLength(64);
    expect(listed[0]).toMatchObject({ type: "rollout", id: "20/0/0", step: 20, verdict: { verifier: "arithmetic" } });

    const table = await runTroupe(["inspect", "1", "--arm", "thinking"], folders);
    expect(table, table.stderr).toMatchObject({ exitCode: 0 });
    expect(table.stdout).toContain(`0001-tiny thinking, step ${STEPS}: 64 rollouts`);

    const one = await runTroupe(["inspect", "1", "20/0/3", "--arm", "thinking", "--think"], folders);
    expect(one, one.stderr).toMatchObject({ exitCode: 0 });
    expect(one.stdout).toMatch(/20\/0\/3[\s\S]*(pass|fail)/);

    const held = recordsOf(
      await runTroupe(["--json", "inspect", "1", "--arm", "thinking", "--mode", "thinkfree"], folders),
    );
    expect(held).toHaveLength(HELD_OUT);
    expect(held[0]).toMatchObject({ mode: "thinkfree", annotations: { thinkFree: true }, advantage: null });
  });

  test("inspect names the run and what it looked for when there is no such rollout", async () => {
    const missing = await runTroupe(["inspect", "1", "20/99/0", "--arm", "thinking"], folders);
    expect(missing).toMatchObject({ exitCode: 4, stdout: "" });
    expect(missing.stderr).toContain('ROLLOUT_NOT_FOUND: Cannot find rollout "20/99/0" in run "thinking"');
  });

  test("eval measures the newest checkpoint as the run itself did, and leaves the run as it is", async () => {
    const before = traceOf(join(run, "arms", "thinking"));
    const measured = await runTroupe(["--json", "eval", "1", "--arm", "thinking"], folders);
    expect(measured, measured.stderr).toMatchObject({ exitCode: 0 });
    const last = recordsOf(end).findLast(({ type, part }) => type === "evaluated" && part === "thinking");
    const again = recordsOf(measured).map(({ type: _type, run: _run, arm: _arm, seconds: _seconds, ...rest }) => rest);
    expect(again).toHaveLength(2);
    // The run's last evaluation is the one in its last mode.
    expect(last).toMatchObject({ evaluation: again[1] });
    expect(traceOf(join(run, "arms", "thinking"))).toEqual(before);

    const unknown = await runTroupe(["eval", "1", "--arm", "none"], folders);
    expect(unknown).toMatchObject({ exitCode: 2 });
    expect(unknown.stderr).toContain('it has "base", "thinking", "both"');
  });

  test("resuming a finished experiment trains nothing again", async () => {
    const again = await runTroupe(["--json", "resume", "1"], folders);
    expect(again, again.stderr).toMatchObject({ exitCode: 0 });
    expect(recordsOf(again).filter(({ type }) => type === "step")).toEqual([]);
    expect(stepsOf(join(run, "arms", "thinking"))).toHaveLength(STEPS);
  });
});

describe("the same seed", () => {
  const short = writeRun("short", { ...TINY_RUN });

  /** One run in folders of its own, its policy taught anew. */
  async function trace(name: string, ...settings: readonly string[]): Promise<RunTrace> {
    const own = { runs: join(folder, name, "runs"), home: join(folder, name, "home") };
    const ended = await runTroupe(["--json", "run", short, ...settings], own);
    if (ended.exitCode !== 0) throw new Error(ended.stderr);
    return traceOf(join(own.runs, "0001-tiny"));
  }

  let first: RunTrace;
  beforeAll(async () => {
    first = await trace("first", "rollout.actors=1", "policy.threads=1");
  });

  test("gives the same run, however many actors and engine threads do the work", async () => {
    expect(first.ledger.trim().split("\n")).toHaveLength(12);
    expect(await trace("again", "rollout.actors=1", "policy.threads=1")).toEqual(first);
    expect(await trace("more-actors", "rollout.actors=2", "verify.actors=2", "policy.threads=1")).toEqual(first);
    expect(await trace("more-threads", "rollout.actors=2", "policy.threads=2")).toEqual(first);
  });

  test("and another seed gives another run", async () => {
    expect((await trace("eight", "seed=8")).ledger).not.toBe(first.ledger);
  });
});

describe("the command line", () => {
  const single = writeRun("single", { ...TINY_RUN });

  test("run --dry-run checks everything, prints the plan and starts nothing", async () => {
    const own = { runs: join(folder, "dry", "runs"), home: join(folder, "dry", "home") };
    const dry = await runTroupe(["run", file, "--dry-run"], own);
    expect(dry, dry.stderr).toMatchObject({ exitCode: 0 });
    expect(dry.stdout).toContain("dry run: everything above was loaded and checked; nothing was started");
    expect(dry.stdout).toMatch(/thinking[\s\S]*1 to 60 +main +40 +8 × 8 = 64/);
    await expect(runTroupe(["inspect"], own)).resolves.toMatchObject({ exitCode: 4 });
  });

  test("config print --origin says where every value came from", async () => {
    const printed = await runTroupe(["--json", "config", "print", single, "--origin", "train.steps=5"], folders);
    expect(recordsOf(printed)[0]).toMatchObject({
      type: "config",
      config: { train: { steps: 5, groupSize: 4 }, rollout: { actors: 2 } },
      origins: {
        "train.steps": "command line",
        "train.groupSize": expect.stringMatching(/run\.yaml:\d+$/),
        "rollout.actors": "default",
      },
    });
    const experiment = await runTroupe(
      ["--json", "config", "print", file, "seed=3", "arms.both.train.steps=4"],
      folders,
    );
    expect(recordsOf(experiment)[0]).toMatchObject({
      config: {
        base: { seed: 3, train: { steps: 0 } },
        arms: { thinking: { seed: 3, train: { steps: STEPS } }, both: { seed: 3, train: { steps: 4 } } },
      },
      origins: { "base.seed": "command line", "arms.both.train.steps": "command line" },
    });
    const table = await runTroupe(["config", "print", single, "--origin"], folders);
    expect(table.stdout).toMatch(/train\.groupSize +4 +\S+run\.yaml:\d+\n/);
  });

  test("plugin list names the installed plugins, and says why one cannot be loaded", async () => {
    const listed = await runTroupe(["--json", "plugin", "list", "./nowhere"], folders);
    const byName = new Map(recordsOf(listed).map((record) => [record["name"], record]));
    expect(byName.get("tfpi")).toMatchObject({
      modes: ["thinkfree"],
      hooks: ["plan", "format", "sampling", "observe"],
    });
    expect(byName.get("./nowhere")).toMatchObject({
      version: "-",
      description: expect.stringContaining("MODULE_NOT_FOUND"),
    });
    expect(listed.exitCode).toBe(0);
  });

  test("prints an error as code, message and fix, and as one record with --json", async () => {
    const failed = await runTroupe(["--json", "run", single, "train.groupSise=4"], folders);
    expect(failed.exitCode).toBe(2);
    expect(recordsOf(failed)).toEqual([
      {
        type: "error",
        code: "CONFIG_NOT_VALID",
        message: expect.stringContaining('unknown key "groupSise" in train: did you mean "groupSize"?'),
        hint: expect.any(String),
      },
    ]);
    expect(failed.stderr).toMatch(/^CONFIG_NOT_VALID: [\s\S]+\nFix: .+\n$/);
  });

  test("ends with code 2 and a suggestion for a command that it does not know", async () => {
    const unknown = await runTroupe(["resum"], folders);
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain("resume");
  });
});

function writeRun(name: string, settings: JsonObject): string {
  return writeTinyRun(join(folder, name), settings);
}

function metric(line: string, name: string): number {
  return JSON.parse(line).metrics[name];
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
