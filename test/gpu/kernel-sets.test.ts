import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ComputeType } from "../../core/src/engines/policy-engine.js";
import { kernelSets, measurePeaks } from "../../gpu/src/machine.js";
import { randomBatch, EVERY_TERM, ODD_QWEN3, requestOf, STEP } from "./engine-fixtures.js";

// The kernel set is chosen once per process, so each set gets its own, from the built package.
const built = new URL("../../gpu/dist/src/index.js", import.meta.url);

const PROGRAM = `
  import { createHash } from "node:crypto";
  const { shape, batch, loss, step, requests, module, dtype } = JSON.parse(process.env.INPUT, (_, value) =>
    value?.type === "Int32Array" ? Int32Array.from(value.values) : value?.type === "Float32Array" ? Float32Array.from(value.values) : value);
  const { NativeEngine } = await import(module);
  const engine = await NativeEngine.create({ shape, seed: 12, dtype });
  for (let i = 0; i < 3; i++) {
    await engine.forwardBackward(batch, loss);
    await engine.optimStep(step);
  }
  await engine.publish();
  const hash = createHash("sha256");
  for (const values of (await engine.weights()).values()) hash.update(values);
  for (const { tokens, logprobs } of await engine.generate(requests)) hash.update(tokens).update(logprobs);
  console.log(engine.kernelSet, hash.digest("hex"));
`;

function runWith(set: string, dtype: ComputeType = "fp32") {
  const input = {
    shape: ODD_QWEN3,
    batch: randomBatch(ODD_QWEN3, [70, 5, 33]),
    loss: { ...EVERY_TERM, dualClip: 10 },
    step: STEP,
    requests: Array.from({ length: 20 }, (_, i) => requestOf(i)),
    module: built.href,
    dtype,
  };
  const plain = JSON.stringify(input, (_, value) =>
    ArrayBuffer.isView(value) ? { type: value.constructor.name, values: Object.values(value) } : value,
  );
  return spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    env: { ...process.env, TROUPE_KERNELS: set, INPUT: plain },
    encoding: "utf8",
  });
}

describe.skipIf(!existsSync(fileURLToPath(built)))("TROUPE_KERNELS", () => {
  it.skipIf(!kernelSets().includes("avx512"))("gives the same bits when it names avx2 and avx512", () => {
    const [avx2, avx512] = [runWith("avx2").stdout.split(" "), runWith("avx512").stdout.split(" ")];
    expect([avx2[0], avx512[0]]).toEqual(["avx2", "avx512"]);
    expect(avx2[1]).toBe(avx512[1]);
  });

  it.skipIf(!kernelSets("bf16").includes("avx512bf16"))("gives the same bits in bf16, emulated or not", () => {
    const outputs = ["avx2", "avx512", "avx512bf16"].map((set) => runWith(set, "bf16").stdout.trim().split(" "));
    expect(outputs.map(([name]) => name)).toEqual(["avx2/bf16", "avx512/bf16", "avx512bf16/bf16"]);
    expect(new Set(outputs.map(([, hash]) => hash)).size).toBe(1);
  });

  it("is an error that lists what there is when it names no set", () => {
    const { stderr, status } = runWith("mmx");
    expect(status).not.toBe(0);
    expect(stderr).toContain('TROUPE_KERNELS is "mmx", this CPU has:');
    expect(stderr).toContain("KERNELS_NOT_AVAILABLE");
  });
});

describe("measurePeaks()", () => {
  it("gives positive rates that grow, or stay, with threads", async () => {
    const peaks = await measurePeaks();
    for (const rate of Object.values(peaks)) expect(rate).toBeGreaterThan(0);
    expect(peaks.threads).toBeGreaterThanOrEqual(1);
  });
});

describe("build.mjs", () => {
  const script = fileURLToPath(new URL("../../gpu/build.mjs", import.meta.url));

  it("has nothing to do when nothing changed", () => {
    expect(execFileSync(process.execPath, [script], { encoding: "utf8" })).toBe("");
  });

  it("says in one line what to install when there is no compiler", () => {
    const env = { ...process.env, CXX: "no-such-compiler" };
    const { status, stderr } = spawnSync(process.execPath, [script], { env, encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Cannot build the native engine: no C\+\+ compiler found .*Install one .*\n$/);
  });
});
