import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { describeCudaEngine } from "./describe-cuda-engine.js";
import { ODD_QWEN3 } from "./engine-fixtures.js";

const problem = await NativeEngine.create({ shape: ODD_QWEN3, seed: 1, device: "cuda" }).then(
  (engine) => engine.dispose(),
  String,
);
if (problem !== undefined) console.log(`CUDA kernels are tested by the emulator alone. ${problem}`);

describe.skipIf(problem !== undefined)("attention kernels on a GPU", { timeout: 600_000 }, () => {
  it("agree with their formula, and give a row the same bits however its keys lie and whatever is beside it", () => {
    const gpu = fileURLToPath(new URL("../../gpu/", import.meta.url));
    execFileSync(process.execPath, ["build-cuda.mjs", "--tests"], { cwd: gpu, stdio: "inherit" });
    expect(execFileSync(`${gpu}build/Release/cuda-tests`, { encoding: "utf8" })).toBe("all attention tests passed\n");
  });
});

describeCudaEngine("a GPU", problem === undefined);
