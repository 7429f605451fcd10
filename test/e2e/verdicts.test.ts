import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/src/records/json.js";
import { metricsOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { recordsOf, runTroupe } from "../support/troupe-process.js";
import { UNRULY } from "../support/unruly.js";

const folder = temporaryFolder();

const { distill: _distill, plugins: _plugins, ...tiny } = TINY_RUN;

/** A run of four steps with four groups of four each; the verifier fails on slot 1 of every other task. */
function write(
  name: string,
  changes: JsonObject,
): { file: string; folders: { runs: string; home: string }; run: string } {
  const own = join(folder, name);
  const file = writeTinyRun(own, {
    ...tiny,
    environment: { use: UNRULY, with: { fault: "throw" } },
    train: { ...tiny.train, steps: 4 },
    rollout: { maxTokens: 8 },
    eval: { tasks: 4 },
    ...changes,
  });
  const folders = { runs: join(own, "runs"), home: join(own, "home") };
  return { file, folders, run: join(folders.runs, "0001-tiny") };
}

/** Trajectory ids of every step in `ledger.jsonl`. */
function consumed(run: string): readonly (readonly string[])[] {
  const lines = readFileSync(join(run, "ledger.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line).samples.map(({ id }: { id: string }) => id));
}

function ids(step: number, groups: readonly number[], slots: (group: number) => readonly number[]): readonly string[] {
  return groups.flatMap((group) => slots(group).map((slot) => `${step}/${group}/${slot}`));
}

describe("samples without a gradable verdict", () => {
  test.each(["throw", "exit"])("of a verifier that does %s never reach the ledger", async (fault) => {
    const { file, folders, run } = write(`drop-${fault}`, {
      environment: { use: UNRULY, with: { fault } },
      verify: { maxErrorRate: 0.5 },
    });
    const end = await runTroupe(["run", file], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    const left = (group: number): readonly number[] => (group % 2 === 0 ? [0, 2, 3] : [0, 1, 2, 3]);
    expect(consumed(run)).toEqual([1, 2, 3, 4].map((step) => ids(step, [0, 1, 2, 3], left)));
    const shares = metricsOf(run).map((line) => JSON.parse(line).metrics["verdict/ungradable"]);
    expect(shares).toEqual([2 / 16, 2 / 16, 2 / 16, 2 / 16]);
    // They are stored for people to read all the same.
    const listed = recordsOf(await runTroupe(["--json", "inspect", "1", "--step", "1"], folders));
    expect(listed).toHaveLength(16);
    const kind = fault === "throw" ? "error" : "infra";
    expect(listed.find(({ id }) => id === "1/0/1")).toMatchObject({
      verdict: { kind },
      decision: "drop",
      decisionReason: `verdict ${kind}`,
      advantage: null,
    });
  });

  test("of every kind at once never reach the loss, and above the limit the run stops and names the verifier", async () => {
    const environment = { use: UNRULY, with: { fault: "mixed", share: 0.05 } };
    const go = { actors: 2, deadlineMs: 2000, maxErrorRate: 1 };
    const { file, folders, run } = write("mixed", { environment, verify: go });
    const end = await runTroupe(["run", file], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    const kindOf = new Map<unknown, unknown>();
    for (const step of [1, 2, 3, 4])
      for (const { id, verdict } of recordsOf(
        await runTroupe(["--json", "inspect", "1", "--step", String(step)], folders),
      ))
        // A record of inspect has a verdict with its kind.
        kindOf.set(id, (verdict as JsonObject)["kind"]);
    const learnt = consumed(run).flat();
    const failed = [...kindOf].filter(([, kind]) => kind !== "pass" && kind !== "fail").map(([id]) => id);
    expect(kindOf.size).toBe(64);
    expect(failed.length).toBeGreaterThan(0);
    expect(learnt.filter((id) => failed.includes(id))).toEqual([]);
    const strict = write("mixed-strict", { environment, verify: { ...go, maxErrorRate: 0.02 } });
    const stopped = await runTroupe(["run", strict.file], strict.folders);
    expect(stopped.exitCode).toBe(5);
    expect(stopped.stderr).toMatch(
      /VERIFIER_ERROR_RATE: .*verifier "unruly" gave no gradable verdict on \d+ of \d+ samples/,
    );
    // Two runs whose verifiers hang and die by turns, and six commands.
  });

  test("take their whole group along with drop-group", async () => {
    const { file, folders, run } = write("drop-group", { verify: { maxErrorRate: 0.5, onUngradable: "drop-group" } });
    const end = await runTroupe(["run", file], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    expect(consumed(run)).toEqual([1, 2, 3, 4].map((step) => ids(step, [1, 3], () => [0, 1, 2, 3])));
  });

  test("stop the run with exit code 5 above the error rate, naming verifier, shares and an example", async () => {
    const { file, folders, run } = write("stop", {});
    const end = await runTroupe(["--json", "run", file], folders);
    expect(end.exitCode).toBe(5);
    expect(recordsOf(end).find(({ type }) => type === "error")).toEqual({
      type: "error",
      code: "VERIFIER_ERROR_RATE",
      message:
        'Cannot go on at step 1: verifier "unruly" gave no gradable verdict on 2 of 16 samples (limit 0.02), for example "1/0/1": error, verifier-threw: RangeError: no verdict on 1/0/1',
      hint: expect.stringContaining("troupe inspect"),
    });
    expect(readFileSync(join(run, "ledger.jsonl"), "utf8")).toBe("");
  });
});

describe("a prompt longer than the policy's positions", () => {
  test("is refused by the name of its task", async () => {
    const { file, folders } = write("long-prompt", { environment: { use: UNRULY, with: { promptWords: 200 } } });
    const end = await runTroupe(["run", file], folders);
    expect(end.exitCode).toBe(4);
    expect(end.stderr).toMatch(
      /\nPROMPT_TOO_LONG: Cannot roll out task "eval\/\d+": its prompt has \d+ tokens and the policy takes 256 in all\nFix: /,
    );
  });
});
