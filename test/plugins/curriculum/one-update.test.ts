import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runIn } from "../../support/killed-runs.js";
import { metricsOf } from "../../support/run-traces.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";
import { runTroupe } from "../../support/troupe-process.js";
import { CHANCE, writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;
const LEARNING_RATE = 0.001;

/** The numbers of a float32 safetensors file, in the order of the file. */
function numbersOf(file: string): Float32Array {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + 8 + Number(bytes.readBigUInt64LE(0))));
}

/** The furthest that any weight moved in the only step of a run: 128 prompts of 8 answers, in hundreds of micro-batches. */
async function furthestMove(name: string, settings: object): Promise<number> {
  const own = join(folder, name);
  const stages = [{ name: "math", maxTokens: 6, groupSize: 8, promptsPerStep: 128, ...settings }];
  const file = writeTinyRun(own, {
    ...TINY,
    plugins: [
      { use: "curriculum", with: { stages, strictlyOnPolicy: name === "one" } },
      writePlugin(own, "chance", CHANCE),
    ],
    environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 2, modulus: 9, evalTasks: 2 } },
    train: { steps: 1, learningRate: LEARNING_RATE, microBatchTokens: 64 },
    eval: { every: 0, tasks: 2 },
  });
  const folders = { runs: join(own, "runs"), home: join(own, "home") };
  const end = await runTroupe(["--json", "run", file], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  const run = runIn(folders) ?? "";
  expect(JSON.parse(metricsOf(run)[0] ?? "").metrics).toMatchObject({ "group/kept": 128, "sample/yield": 1 });
  const checkpoints = readdirSync(join(run, "checkpoints"))
    .filter((entry) => /^\d+$/.test(entry))
    .toSorted();
  expect(checkpoints.map(Number)).toEqual([0, 1]);
  const [before, after] = checkpoints.map((entry) => numbersOf(join(run, "checkpoints", entry, "model.safetensors")));
  return before!.reduce((most, value, i) => Math.max(most, Math.abs(after![i]! - value)), 0);
}

// The first update of AdamW moves every weight by the learning rate at most, and those with a clear gradient by all of it.
describe("a step of 1,024 answers", () => {
  test("is one update of the optimizer under the curriculum, however many micro-batches (check A1)", async () => {
    expect((await furthestMove("one", {})) / LEARNING_RATE).toBeCloseTo(1, 3);
  });

  test("is four where four are asked for", async () => {
    expect((await furthestMove("four", { updatesPerBatch: 4 })) / LEARNING_RATE).toBeGreaterThan(2);
  });
});
