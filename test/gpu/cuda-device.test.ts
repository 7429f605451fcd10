import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3 } from "./engine-fixtures.js";

const GPU = fileURLToPath(new URL("../../gpu/", import.meta.url));
const hasNvcc = isFound(process.env["NVCC"] ?? "nvcc");
if (!hasNvcc) console.log("CUDA sources are not compiled here: no nvcc");

const create = () => NativeEngine.create({ shape: ODD_QWEN3, seed: 1, device: "cuda" });

describe("NativeEngine.create() with device cuda", () => {
  it("names the file and the build command when the CUDA engine is not built", async () => {
    process.env["TROUPE_CUDA_ADDON"] = "/nowhere/troupe-cuda.node";
    await expect(create()).rejects.toMatchObject({
      code: "CUDA_NOT_BUILT",
      message: 'Cannot use device "cuda": "/nowhere/troupe-cuda.node" is not built',
      hint: expect.stringContaining("node gpu/build-cuda.mjs"),
    });
  });

  // One chip's code, in a folder of its own: a whole build takes twice as long.
  it.skipIf(!hasNvcc)("compiles with nvcc, and says so when there is no driver", async () => {
    execFileSync(process.execPath, ["build-cuda.mjs", "--archs=90a", "--output=CudaCheck"], {
      cwd: GPU,
      stdio: "inherit",
    });
    process.env["TROUPE_CUDA_ADDON"] = `${GPU}build/CudaCheck/troupe-cuda.node`;
    if (existsSync("/dev/nvidiactl")) return expect(existsSync(process.env["TROUPE_CUDA_ADDON"])).toBe(true);
    await expect(create()).rejects.toMatchObject({
      code: "DEVICE_MISSING",
      message: expect.stringContaining("no NVIDIA driver"),
    });
  });
});

function isFound(command: string): boolean {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
