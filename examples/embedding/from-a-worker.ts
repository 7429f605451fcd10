// A run seen from another thread, such as that of a screen: a typed proxy of an actor, with a deadline on every call.
//
//     node examples/dist/embedding/from-a-worker.js [STEPS]
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { ActorSystem, connectRef, createRuntime, defineActor, exposeRef, type Runtime } from "@troupe/core";

/** What other threads may ask of the run. */
type Desk = {
  progress: { in: null; out: number };
  pause: { in: null; out: null };
};

export const desk = defineActor<Desk, Runtime, Runtime>({
  name: "desk",
  module: import.meta.url,
  exportName: "desk",
  init: (runtime) => runtime,
  on: {
    progress: (runtime) => runtime.progress(),
    pause(runtime) {
      runtime.pause();
      return null;
    },
  },
});

/** The worker: looks at the run until a third of it is done, then has it pause. */
async function watch(): Promise<void> {
  const remote = connectRef<Desk>(workerData);
  while ((await remote.ask("progress", null, { deadlineMs: 10_000 })) < 1 / 3) await pause(20);
  await remote.ask("pause", null, { deadlineMs: 10_000 });
  remote.close();
}

async function main(steps: number): Promise<void> {
  const here = fileURLToPath(new URL("policies/tiny", import.meta.resolve("@troupe/examples/package.json")));
  const runtime = await createRuntime({
    config: {
      name: "watched",
      policy: { from: here },
      environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 1, modulus: 3 } },
      plugins: ["grpo"],
      train: { steps, promptsPerStep: 4, groupSize: 4 },
      rollout: { maxTokens: 24 },
      eval: { tasks: 4, every: 0 },
    },
  });
  const system = new ActorSystem();
  try {
    const exposed = exposeRef(await system.spawn(desk, runtime));
    const worker = new Worker(new URL(import.meta.url), { workerData: exposed, transferList: [exposed.port] });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    const outcome = await runtime.run();
    await ended;
    console.log(`${outcome} at ${Math.round(100 * runtime.progress())} % of ${steps} steps, watched by another thread`);
  } finally {
    await system.stop();
    await runtime.close();
  }
}

if (isMainThread) await main(Number(process.argv[2] ?? 12));
else await watch();
