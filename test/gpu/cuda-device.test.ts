import { describe, expect, it } from "vitest";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3 } from "./engine-fixtures.js";

describe("NativeEngine.create() with device cuda", () => {
  it("names the file and the build command when the CUDA engine is not built", async () => {
    process.env["TROUPE_CUDA_ADDON"] = "/nowhere/troupe-cuda.node";
    await expect(NativeEngine.create({ shape: ODD_QWEN3, seed: 1, device: "cuda" })).rejects.toMatchObject({
      code: "CUDA_NOT_BUILT",
      message: 'Cannot use device "cuda": "/nowhere/troupe-cuda.node" is not built',
      hint: expect.stringContaining("node gpu/build-cuda.mjs"),
    });
  });
});
