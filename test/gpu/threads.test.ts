import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { Completion } from "../../core/src/engines/policy-engine.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, STEP } from "./engine-fixtures.js";

// Threads of Node 20 run JavaScript alone: they take the built package, over the same native addon.
const built = new URL("../../gpu/dist/src/index.js", import.meta.url);

const PROGRAM = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.module).then(async ({ attachSampler }) => {
    const sampler = attachSampler(workerData.handle);
    parentPort.postMessage("ready");
    await new Promise((resolve) => parentPort.once("message", resolve));
    const options = workerData.streams ? { onTokens: () => parentPort.postMessage("tokens") } : {};
    for (let call = 0; call < workerData.calls; call++)
      parentPort.postMessage(await sampler.generate(workerData.requests, options));
    sampler.dispose();
  });
`;

function startWorker(engine: NativeEngine, requests: readonly unknown[], calls: number, streams = false): Worker {
  return new Worker(PROGRAM, {
    eval: true,
    workerData: { module: built.href, handle: engine.handle(), requests, calls, streams },
  });
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

describe.skipIf(!existsSync(fileURLToPath(built)))("attachSampler() on other threads", () => {
  const requests = Array.from({ length: 60 }, (_, i) => requestOf(i));

  it("samples the engine's weights there, bit for bit, while the engine trains", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
    const expected = await engine.generate(requests);
    const workers = [startWorker(engine, requests, 1), startWorker(engine, requests, 1)];
    // Listen to both before waiting for either: a worker's message without a listener is gone.
    expect(await Promise.all(workers.map(nextMessage))).toEqual(["ready", "ready"]);
    const completions = workers.map((worker) => {
      const completion = nextMessage(worker);
      worker.postMessage("go");
      return completion;
    });
    const batch = randomBatch(ODD_QWEN3, [60, 60]);
    for (let step = 0; step < 5; step++) {
      await engine.forwardBackward(batch, EVERY_TERM);
      await engine.optimStep(STEP);
    }
    for (const one of completions) {
      // Plain data: a worker's message has lost nothing of a completion.
      expect((await one) as readonly Completion[]).toEqual(expected);
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    engine.dispose();
  });

  it("leaves the engine alone when a thread is terminated in the middle of a call", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
    const expected = await engine.generate(requests);
    const many = Array.from({ length: 10 }, (_, i) => requestOf(i, { maxTokens: 110 }));
    for (let round = 0; round < 3; round++) {
      const worker = startWorker(engine, many, 1_000_000);
      expect(await nextMessage(worker)).toBe("ready");
      const answer = nextMessage(worker);
      worker.postMessage("go");
      const first = await answer;
      expect(first).toHaveLength(10);
      await worker.terminate();
    }
    expect(await engine.generate(requests)).toEqual(expected);
    engine.dispose();
  });

  it("ends nothing but the thread when it is terminated while tokens stream to it", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
    const many = Array.from({ length: 40 }, (_, i) => requestOf(i, { maxTokens: 110 }));
    for (let round = 0; round < 8; round++) {
      const worker = startWorker(engine, many, 1_000_000, true);
      expect(await nextMessage(worker)).toBe("ready");
      const tokens = nextMessage(worker);
      worker.postMessage("go");
      expect(await tokens).toBe("tokens");
      await worker.terminate();
    }
    // A call that was ended gives back what it had a moment after its thread.
    await expect.poll(() => engine.cache().lent, { timeout: 600_000 }).toBe(0);
    engine.dispose();
  });

  it("ends nothing but the thread when it is terminated while an answer arrives", async () => {
    const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
    const short = [requestOf(1, { maxTokens: 2 })];
    // Answers come every 0.1 ms; before errors were dropped in a dying thread, the first few rounds aborted the process.
    for (let round = 0; round < 25; round++) {
      const worker = startWorker(engine, short, 1_000_000);
      expect(await nextMessage(worker)).toBe("ready");
      const answer = nextMessage(worker);
      worker.postMessage("go");
      await answer;
      await worker.terminate();
    }
    expect(await engine.generate(short)).toHaveLength(1);
    engine.dispose();
  });
});
