import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { updateDirections } from "../../../core/cli/update-directions.js";
import { tensorOf } from "../../../core/src/store/tensor-values.js";
import { writeTensorFolder } from "../../../core/src/store/tensor-folder.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();

/** Weights of two layers and an embedding. */
async function weights(name: string, layer0: number[], layer1: number[], embedding: number[]): Promise<string> {
  const path = join(folder, name);
  const tensors = {
    "model.layers.0.mlp.up_proj.weight": layer0.slice(0, 1),
    "model.layers.0.mlp.down_proj.weight": layer0.slice(1),
    "model.layers.1.mlp.up_proj.weight": layer1,
    "model.embed_tokens.weight": embedding,
  };
  await writeTensorFolder(
    path,
    new Map(
      Object.entries(tensors).map(([tensor, values]) => [tensor, tensorOf(Float32Array.from(values), [values.length])]),
    ),
  );
  return path;
}

const start = await weights("start", [0, 0, 0], [1, 1], [5]);
const reference = await weights("reference", [1, 2, 2], [2, 1], [6]);
const updated = await weights("updated", [2, 1, 2], [1, 2], [4]);

describe("updateDirections()", () => {
  test("gives the cosine of every layer, of what lies in none and of the whole, beside a random direction", async () => {
    const [found] = await updateDirections(start, reference, [updated]);
    const parts = found!.parts;
    expect([...parts.keys()]).toEqual(["layer 0", "layer 1", "embed_tokens", ""]);
    expect([...parts.values()].map(({ cosine }) => Number(cosine.toFixed(4)))).toEqual([0.8889, 0, -1, 0.6364]);
    for (const { control } of parts.values()) expect(Math.abs(control)).toBeLessThanOrEqual(1);
  });

  test("holds several trainings against the same random direction", async () => {
    const [one, same] = await updateDirections(start, reference, [updated, reference]);
    expect(same!.parts.get("")).toEqual({ cosine: expect.closeTo(1, 12), control: one!.parts.get("")!.control });
  });

  test("refuses weights of another shape by the tensor's name", async () => {
    const other = await weights("other", [1, 1, 1], [1, 1, 1], [1]);
    await expect(updateDirections(start, reference, [other])).rejects.toMatchObject({
      code: "LENGTH_MISMATCH",
      message: expect.stringContaining("model.layers.1.mlp.up_proj.weight"),
    });
  });
});

describe("troupe directions", () => {
  test("prints a line for each part", async () => {
    const args = ["directions", updated, "--start", start, "--reference", reference];
    const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
    const shown = await runTroupe(args, folders);
    expect(shown, shown.stderr).toMatchObject({ exitCode: 0 });
    expect(shown.stdout).toMatch(/part +.+ +random direction\nlayer 0 +0\.8889 +-?\d\.\d{4}\n[\s\S]+whole +0\.6364/);
    expect(recordsOf(await runTroupe(["--json", ...args], folders))[0]).toMatchObject({
      type: "direction",
      parts: { "layer 0": { cosine: expect.closeTo(8 / 9, 6) } },
    });
  });
});
