import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readRollouts, readTrajectory, writeRollouts } from "../../../core/src/store/rollouts.js";
import { describedRollout as rollout } from "./rollout-example.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-store-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("writeRollouts()", () => {
  it("keeps every fact and every array through a round trip", async () => {
    const rollouts = [
      rollout("61/3/0", [1, 2, 3, 4, 5], 0.5),
      rollout("61/3/1", [7, 8, 9]),
      rollout("61/3/2", [1, 2, 3, 4], new Float32Array([1, 2])),
    ];
    await writeRollouts(folder, 61, rollouts);
    expect(await readRollouts(folder, 61)).toEqual(rollouts.map(({ record }) => record));
    for (const { record, tokens } of rollouts)
      expect(await readTrajectory(folder, record.id)).toEqual({ record, tokens });
    expect(rollouts[0]!.tokens.advantages).toEqual(new Float32Array([0, 0, 0.5, 0.5, 0.5]));
    expect(rollouts.map(({ record }) => record.advantage)).toEqual([0.5, null, 1.5]);
    expect(await readdir(folder)).toEqual(["000061.jsonl", "000061.tok.bin"]);
  });

  it("keeps arrays of any length apart", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 2, maxLength: 9 }), {
          maxLength: 5,
        }),
        async (lists) => {
          await writeRollouts(
            folder,
            1,
            lists.map((tokens, i) => rollout(`1/0/${i}`, tokens, i)),
          );
          for (const [i, tokens] of lists.entries()) {
            const read = await readTrajectory(folder, `1/0/${i}`);
            expect(read?.tokens).toEqual(rollout("", tokens, i).tokens);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("writes a line that tells where the arrays are", async () => {
    await writeRollouts(folder, 61, [rollout("a", [1, 2, 3], 1), rollout("b", [4, 5], 1)]);
    const line: { bin: Record<string, number> } = JSON.parse(
      (await readFile(join(folder, "000061.jsonl"), "utf8")).split("\n")[1]!,
    );
    expect(line.bin).toEqual({ length: 2, tokens: 52, logprobs: 60, entropies: 68, advantages: 76, origins: 84 });
    const bytes = await readFile(join(folder, "000061.tok.bin"));
    expect([bytes.readInt32LE(52), bytes.readInt32LE(56), bytes.length]).toEqual([4, 5, 88]);
  });

  it("keeps evaluations under their own names, found by id", async () => {
    const rollouts = [rollout("eval/thinkfree/200/0/0", [1, 2, 3])];
    await writeRollouts(folder, 200, rollouts, "thinkfree");
    expect(await readRollouts(folder, 200)).toEqual([]);
    expect(await readRollouts(folder, 200, "thinkfree")).toHaveLength(1);
    expect((await readTrajectory(folder, "eval/thinkfree/200/0/0"))?.record.task).toBe("sum/1");
  });
});

describe("readTrajectory()", () => {
  it("gives undefined for an unknown id", async () => {
    expect(await readTrajectory(folder, "9/0/0")).toBeUndefined();
    expect(await readTrajectory(folder, "eval/x")).toBeUndefined();
  });

  it("fails with ROLLOUTS_UNREADABLE when the side file is cut or gone", async () => {
    await writeRollouts(folder, 1, [rollout("1/0/0", [1, 2, 3])]);
    await truncate(join(folder, "000001.tok.bin"), 20);
    await expect(readTrajectory(folder, "1/0/0")).rejects.toMatchObject({
      code: "ROLLOUTS_UNREADABLE",
      message: expect.stringContaining("too early"),
    });
    await rm(join(folder, "000001.tok.bin"));
    await expect(readTrajectory(folder, "1/0/0")).rejects.toMatchObject({ code: "ROLLOUTS_UNREADABLE" });
  });
});
