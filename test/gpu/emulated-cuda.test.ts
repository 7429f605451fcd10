import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll } from "vitest";
import { describeCudaEngine } from "./describe-cuda-engine.js";

const GPU = fileURLToPath(new URL("../../gpu/", import.meta.url));

beforeAll(() => {
  execFileSync(process.execPath, ["build-cuda.mjs", "--emulated"], { cwd: GPU, stdio: "inherit" });
  process.env["TROUPE_CUDA_ADDON"] = `${GPU}build/Emulated/troupe-cuda.node`;
  process.env["TROUPE_CUBLASLT"] = `${GPU}build/Emulated/libcublasLt.so`;
  process.env["TROUPE_NCCL"] = `${GPU}build/Emulated/libnccl.so.2`;
});

describeCudaEngine("emulated CUDA kernels");
