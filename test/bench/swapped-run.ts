import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BroadcastChannel } from "node:worker_threads";
import { createRuntime, type RunEvent, type Runtime } from "@troupe/core";
import { demoPolicyDirectory } from "./demo-policy.js";

/** Where the actors of the run live; what `rollout.placement` and `verify.placement` take. */
export type SwappedPlacement = "thread" | "process";

/** Live memory of one thread of the run's actors. */
export interface ThreadReading {
  readonly thread: number;
  readonly step: number;
  readonly bytes: number;
}

/** Every so many steps the threads read their memory. */
const READ_EVERY = 10;
const CHANNEL = "troupe-swapped-run";

/** A live run whose plugin is replaced by a new text before every step. */
export class SwappedRun {
  readonly #root: string;
  readonly #runtime: Runtime;
  readonly #plugin: string;
  readonly #pauses: number[];
  readonly #readings: ThreadReading[] = [];
  readonly #channel = new BroadcastChannel(CHANNEL);
  #version = 1;

  private constructor(root: string, runtime: Runtime, plugin: string, pauses: number[]) {
    this.#root = root;
    this.#runtime = runtime;
    this.#plugin = plugin;
    this.#pauses = pauses;
    this.#channel.addEventListener("message", (message) => {
      // The plugin below posts nothing else; Node's type leaves the message open.
      this.#readings.push((message as unknown as { readonly data: ThreadReading }).data);
    });
    this.#channel.unref();
  }

  /** @param placement where the actors live; only those in threads can be heard of their memory */
  static async start(placement: SwappedPlacement): Promise<SwappedRun> {
    const root = await mkdtemp(join(tmpdir(), "troupe-swaps-"));
    const plugin = join(root, "swapped.ts");
    await writePlugin(plugin, 1);
    const pauses: number[] = [];
    const runtime = await createRuntime({
      config: {
        name: "swaps",
        policy: { from: demoPolicyDirectory() },
        environment: { use: "arithmetic" },
        plugins: [plugin, "grpo"],
        train: { steps: 1_000_000, promptsPerStep: 4, groupSize: 4 },
        rollout: { maxTokens: 16, actors: 2, placement },
        verify: { placement },
        store: { rolloutsEvery: 0, checkpointEvery: 1_000_000 },
      },
      baseDirectory: root,
      onEvent: (event: RunEvent) => {
        if (event.type === "plugin" && event.action === "swap") pauses.push(event.pauseMs);
      },
    });
    const run = new SwappedRun(root, runtime, plugin, pauses);
    await run.#runtime.step();
    return run;
  }

  /** Milliseconds that training stood still, of every swap so far. */
  get pauses(): readonly number[] {
    return this.#pauses;
  }

  /** What the actors' threads held, after collections of their own. */
  get threadReadings(): readonly ThreadReading[] {
    return this.#readings;
  }

  /** Asks for a new version while a step is made; it is in force when the next one begins. */
  async swap(): Promise<void> {
    await writePlugin(this.#plugin, ++this.#version);
    const step = this.#runtime.step();
    const change = this.#runtime.changePlugins({ verb: "swap", use: this.#plugin });
    await step;
    // The next step carries it out.
    await Promise.all([change, this.#runtime.step()]);
  }

  /** As many steps as a swap takes, without it. */
  async twoSteps(): Promise<void> {
    await this.#runtime.step();
    await this.#runtime.step();
  }

  async close(): Promise<void> {
    await this.#runtime.close();
    this.#channel.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** In the plugin: once for each of these steps, what the thread holds after a collection. */
const METER = `import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, threadId } from "node:worker_threads";
let told = -1;
const tell = (step) => {
  if (step % ${READ_EVERY} !== 0 || step === told) return;
  told = step;
  globalThis.collect ??= (setFlagsFromString("--expose-gc"), runInNewContext("gc"));
  globalThis.collect();
  const { heapUsed, external } = process.memoryUsage();
  const channel = new BroadcastChannel("${CHANNEL}");
  channel.postMessage({ thread: threadId, step, bytes: heapUsed + external });
  channel.close();
};`;

/** A reward by chance, so that every step learns, and hooks of both kinds of actors; no two versions have one text. */
async function writePlugin(path: string, version: number): Promise<void> {
  await writeFile(
    path,
    `import { definePlugin, samplesOf, z } from "@troupe/core/sdk";
${METER}
const TABLE = Array.from({ length: 4096 }, (_, index) => index * ${version});
export default definePlugin({
  name: "swapped", version: "${version}.0.0", description: "Of a benchmark", config: z.strictObject({}),
  init: (_config, previous) => previous ?? { steps: 0 },
  hooks: {
    plan: { run: (ctx) => { ctx.state.steps += 1; return undefined; } },
    format: { writes: ["annotation.formatted"], run: (ctx) => (tell(ctx.step), { annotations: { formatted: TABLE[1] } }) },
    annotate: { writes: ["annotation.annotated"], run: (ctx) => (tell(ctx.step), { annotated: TABLE[1] }) },
    reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) },
  },
});
`,
  );
}
