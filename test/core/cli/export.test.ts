import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readModelShape } from "../../../core/src/engines/model-shape.js";
import { readSafetensors } from "../../../core/src/store/safetensors.js";
import { float32Of } from "../../../core/src/store/tensor-values.js";
import { bfloat16Of } from "../../support/bfloat16.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const root = temporaryFolder();
const folders = { runs: join(root, "runs"), home: join(root, "home") };

describe("troupe export", () => {
  test("writes the newest weights with the tokenizer, in bfloat16 with a model for ONNX Runtime, and spares full folders", async () => {
    const { distill: _, ...plain } = TINY_RUN;
    const file = writeTinyRun(root, { ...plain, train: { ...TINY_RUN.train, steps: 1 } });
    const run = await runTroupe(["run", file], folders);
    expect(run.exitCode, run.stderr).toBe(0);

    const target = join(root, "exported");
    const end = await runTroupe(["--json", "export", "1", target, "--bf16", "--onnx"], folders);
    expect(end.exitCode, end.stderr).toBe(0);
    expect(recordsOf(end)).toEqual([{ type: "exported", run: "0001-tiny", step: 1, path: target }]);
    expect(readdirSync(target).toSorted()).toEqual([
      "config.json",
      "model.onnx",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(readModelShape(target, 298)).toEqual(readModelShape(join(root, "policy"), 298));
    const checkpoint = join(folders.runs, "0001-tiny", "checkpoints", "000001", "model.safetensors");
    const [exact, rounded] = [
      await readSafetensors(checkpoint),
      await readSafetensors(join(target, "model.safetensors")),
    ];
    for (const [name, tensor] of exact.tensors)
      expect(rounded.tensors.get(name)?.bytes).toEqual(bfloat16Of(float32Of(tensor) ?? new Float32Array()));

    writeFileSync(join(target, "mine"), "keep me");
    const again = await runTroupe(["export", "1", target], folders);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain(`EXPORT_NOT_POSSIBLE: Cannot export run "0001-tiny": "${target}" is not empty`);
    expect(readFileSync(join(target, "mine"), "utf8")).toBe("keep me");
  });
});
