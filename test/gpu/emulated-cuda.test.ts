import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { describeCudaEngine } from "./describe-cuda-engine.js";

const GPU = fileURLToPath(new URL("../../gpu/", import.meta.url));

beforeAll(() => {
  execFileSync(process.execPath, ["build-cuda.mjs", "--emulated"], { cwd: GPU, stdio: "inherit" });
  process.env["TROUPE_CUDA_ADDON"] = `${GPU}build/Emulated/troupe-cuda.node`;
  process.env["TROUPE_CUBLASLT"] = `${GPU}build/Emulated/libcublasLt.so`;
  process.env["TROUPE_NCCL"] = `${GPU}build/Emulated/libnccl.so.2`;
});

describe("attention kernels", { timeout: 600_000 }, () => {
  it("agree with their formula, and give a row the same bits however its keys lie and whatever is beside it", () => {
    execFileSync(process.execPath, ["build-cuda.mjs", "--emulated", "--tests"], { cwd: GPU, stdio: "inherit" });
    for (const order of ["", "reversed"]) {
      const env = { ...process.env, TROUPE_EMULATED_ORDER: order };
      expect(execFileSync(`${GPU}build/Emulated/cuda-tests`, { env, encoding: "utf8" })).toBe(
        "all attention tests passed\n",
      );
    }
  });
});

describeCudaEngine("emulated CUDA kernels");
