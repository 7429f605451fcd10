import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { traceOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { actorProcessesOf } from "../support/actor-processes.js";
import { recordsOf, runTroupe, TroupeProcess, type TroupeFolders } from "../support/troupe-process.js";

const folder = temporaryFolder();
const RUN = {
  ...TINY_RUN,
  distill: { ...TINY_RUN.distill, tokens: 20_000 },
  train: { ...TINY_RUN.train, steps: 8 },
  loss: { klCoefficient: 0.01 },
  policy: { ...TINY_RUN.policy, lora: { rank: 4, alpha: 8 } },
};

function foldersFor(name: string): TroupeFolders {
  return { runs: join(folder, name, "runs"), home: join(folder, name, "home") };
}

function runIn({ runs }: TroupeFolders): string {
  return join(runs, readdirSync(runs)[0] ?? "");
}

describe.skipIf(process.platform !== "linux")("a learner of an adapter, in a process of its own", () => {
  test("stops the run cleanly when a signal of native code ends it, and the run resumes to the same end", async () => {
    const inThread = foldersFor("thread");
    const threadEnd = await runTroupe(["--json", "run", writeTinyRun(join(folder, "thread"), RUN)], inThread);
    expect(threadEnd.exitCode, threadEnd.stderr).toBe(0);

    const inProcess = foldersFor("process");
    const file = writeTinyRun(join(folder, "process"), {
      ...RUN,
      policy: { ...RUN.policy, placement: "process" },
    });
    let steps = 0;
    let killed = 0;
    const fourth = { start: '{"type":"step","part":"tiny"', count: 4 };
    const onLine = (line: string): void => {
      if (!line.startsWith(fourth.start) || ++steps !== fourth.count) return;
      const [learner] = actorProcessesOf(troupe.pid);
      if (learner !== undefined) {
        process.kill(learner, "SIGSEGV");
        killed++;
      }
      troupe.goOn();
    };
    const troupe = new TroupeProcess(["--json", "run", file], inProcess, onLine, fourth);
    const end = await troupe.ended;
    expect(killed).toBe(1);
    expect(end.signal).toBe(null);
    expect(end.exitCode, end.stderr).toBe(75);
    expect(end.stderr).toMatch(/LEARNER_ENDED: Cannot go on without the learner: SIGSEGV ended its process/);
    expect(end.stderr).toContain("troupe resume");
    expect(recordsOf(end).length).toBeGreaterThan(0);

    const resumed = await runTroupe(["--json", "resume"], inProcess);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(Object.keys(traceOf(runIn(inProcess)).tensors)).toEqual([
      "adapter_model.safetensors",
      "optimizer.safetensors",
    ]);
    expect(traceOf(runIn(inProcess)).tensors).toEqual(traceOf(runIn(inThread)).tensors);
    expect(traceOf(runIn(inProcess)).ledger).toBe(traceOf(runIn(inThread)).ledger);
  });
});
