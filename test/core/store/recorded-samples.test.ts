import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordedSamples } from "../../../core/src/store/recorded-samples.js";
import { readRollouts, writeRollouts } from "../../../core/src/store/rollouts.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { describedRollout as rollout } from "./rollout-example.js";

let root: string;
let run: RunDirectory;
let recorded: RecordedSamples;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "troupe-recorded-"));
  run = await RunDirectory.create({ root, name: "r" });
  recorded = new RecordedSamples(run, 7);
  for (const step of [4, 5, 6])
    await writeRollouts(run.rollouts, step, [rollout(`${step}/0/0`, [1, 2, step]), rollout(`${step}/0/1`, [1, 2, 3])]);
});
afterEach(() => rm(root, { recursive: true }));

const task = { id: "sum/1", domain: "arithmetic", prompt: [], reference: "", meta: {} };
/** As the example's trajectories name it. */
const group = { id: "61/3", task, size: 2 };
const plugins = { grpo: "1.0.0" };

describe("RecordedSamples.take()", () => {
  it("gives what was recorded, in the order that is asked for", async () => {
    const [found] = (await recorded.take(5, [group], plugins)) ?? [];
    expect(found?.samples.map(({ trajectory }) => trajectory.id)).toEqual(["5/0/0", "5/0/1"]);
    expect(await recorded.take(6, [], plugins)).toEqual([]);
  });

  it.each([
    ["another task", [{ ...group, task: { ...task, id: "sum/2" } }], plugins],
    ["another size", [{ ...group, size: 3 }], plugins],
    ["another group", [group, { ...group, id: "5/9" }], plugins],
    ["another version of a plugin", [group], { grpo: "1.0.1" }],
    ["one more plugin", [group], { ...plugins, dapo: "1.0.0" }],
  ])("gives nothing for %s, and moves that step and later ones aside", async (_, groups, versions) => {
    expect(await recorded.take(5, groups, versions)).toBeUndefined();
    expect(await recorded.take(6, [group], plugins)).toBeUndefined();
    expect(await recorded.take(4, [group], plugins)).toHaveLength(1);
    expect(await readRollouts(run.rollouts, 5)).toEqual([]);
    expect((await readdir(join(run.rollouts, "aside-7"))).length).toBe(4);
  });

  it("takes a record that a power cut tore for none", async () => {
    await truncate(join(run.rollouts, "000005.tok.bin"), 3);
    expect(await recorded.take(5, [group], plugins)).toBeUndefined();
  });
});
