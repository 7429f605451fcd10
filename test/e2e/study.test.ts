import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyPolicy } from "../support/tiny-run.js";
import { recordsOf, runTroupe, TroupeProcess, type TroupeFolders } from "../support/troupe-process.js";

const folder = temporaryFolder();
writeTinyPolicy(folder);

const { name: _, plugins, train, distill, ...rest } = TINY_RUN;
const STUDY = {
  paper: "A paper <of tests>",
  organism: "A policy that is hardly taught",
  seeds: 2,
  base: {
    ...rest,
    name: "micro",
    distill: { ...distill, tokens: 30_000 },
    train: { steps: 0 },
    eval: { tasks: 12, every: 2, modes: ["default", "thinkfree"], plugins: ["tfpi"] },
  },
  arms: {
    one: { plugins, train: { ...train, steps: 4 } },
    two: { startFrom: "one", plugins, train: { ...train, steps: 2 } },
  },
  questions: [
    {
      claim: "thinking-free answers are short",
      expects: "fewer tokens",
      measure: "tokens",
      of: { arm: "one", mode: "thinkfree" },
      against: { arm: "one", mode: "default" },
      as: "ratio",
      below: 1,
    },
    {
      claim: "a second run helps",
      expects: "more right answers",
      measure: "accuracy",
      of: { arm: "two", at: 0 },
      against: { arm: "one" },
      above: 0,
      otherwise: "It is the same policy.",
    },
  ],
};
const file = join(folder, "micro.yaml");
writeFileSync(file, JSON.stringify(STUDY));

function foldersFor(name: string): TroupeFolders {
  mkdirSync(join(folder, name), { recursive: true });
  return { runs: join(folder, name, "runs"), home: join(folder, name, "home") };
}

/** Each finished run's folder with the time at which its summary was written. */
function finishedRuns({ runs }: TroupeFolders): ReadonlyMap<string, number> {
  const root = join(runs, "study");
  const summaries = readdirSync(root).map((run) => [run, join(root, run, "summary.json")] as const);
  return new Map(summaries.filter(([, path]) => existsSync(path)).map(([run, path]) => [run, statSync(path).mtimeMs]));
}

describe("troupe study", () => {
  test("runs every seed, answers every question, and takes up what is there", async () => {
    const folders = foldersFor("whole");
    const end = await runTroupe(["--json", "study", file], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    const [summary] = recordsOf(end)
      .filter(({ type }) => type === "study")
      .flatMap(({ studies }) => (Array.isArray(studies) ? studies : []));
    expect(summary).toMatchObject({ name: "micro", seeds: [1, 2] });
    const [short, same] = summary.findings;
    expect(short.bySeed.map(({ seed }: { seed: number }) => seed)).toEqual([1, 2]);
    expect(short.effect).toBeLessThan(1);
    // What starts from an arm begins as the policy that the arm ended as, and meets the same tasks with the same draws.
    expect(same).toMatchObject({ effect: 0, interval: { low: 0, high: 0 }, p: 1, verdict: "open" });

    const root = join(folders.runs, "study");
    const text = readFileSync(join(root, "RESULTS.md"), "utf8");
    expect(text).toContain("*more right answers*: not shown. The study's explanation: It is the same policy.");
    expect(text).toContain("![accuracy against tokens, and training curves](micro.svg)");
    const page = readFileSync(join(root, "study.html"), "utf8");
    expect(page).toContain("A paper &lt;of tests&gt;");
    expect(page).not.toContain("<script");

    const before = finishedRuns(folders);
    expect(before.size).toBe(2);
    const out = join(folder, "whole", "out");
    const again = await runTroupe(["study", file, "--seeds", "3", "--out", out], folders);
    expect(again, again.stderr).toMatchObject({ exitCode: 0 });
    const after = finishedRuns(folders);
    expect(after.size).toBe(3);
    for (const [run, time] of before) expect(after.get(run)).toBe(time);
    expect(readdirSync(out).toSorted()).toEqual(["RESULTS.md", "micro.svg", "results.json", "study.html"]);
  });

  test("goes on after it was killed, and keeps what was finished", async () => {
    const folders = foldersFor("killed");
    const study = new TroupeProcess(["--json", "study", file, "--jobs", "1"], folders);
    // Killed as soon as the first seed is finished: the second one's process is there, or about to be.
    while (!existsSync(join(folders.runs, "study")) || finishedRuns(folders).size === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    study.signal("SIGKILL");
    await study.ended;
    const before = finishedRuns(folders);
    const end = await runTroupe(["study", file], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    const after = finishedRuns(folders);
    expect(after.size).toBe(2);
    for (const [run, time] of before) expect(after.get(run)).toBe(time);
    // Nothing was begun twice.
    expect(readdirSync(join(folders.runs, "study")).filter((run) => /^\d/.test(run))).toHaveLength(2);
  });

  test("refuses an arm that cannot run before anything is started", async () => {
    const folders = foldersFor("checked");
    const wrong = join(folder, "wrong.yaml");
    const arms = { ...STUDY.arms, two: { plugins: [{ use: "dapo", with: { speed: 3 } }], train } };
    writeFileSync(wrong, JSON.stringify({ ...STUDY, arms }));
    const end = await runTroupe(["study", wrong], folders);
    expect(end.exitCode).toBe(2);
    expect(end.stderr).toContain("PLUGIN_CONFIG_NOT_VALID");
    expect(existsSync(folders.home)).toBe(false);
  });

  test("refuses a study that is not there", async () => {
    const end = await runTroupe(["study", "nothing"], foldersFor("none"));
    expect(end.exitCode).toBe(4);
    expect(end.stderr).toContain("STUDY_NOT_FOUND");
  });
});
