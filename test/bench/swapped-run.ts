import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime, type RunEvent, type Runtime } from "@troupe/core";
import { demoPolicyDirectory } from "./demo-policy.js";

/** Where the actors of the run live; what `rollout.placement` and `verify.placement` take. */
export type SwappedPlacement = "thread" | "process";

/** A live run whose plugin is replaced by a new text before every step. */
export class SwappedRun {
  readonly #root: string;
  readonly #runtime: Runtime;
  readonly #plugin: string;
  readonly #pauses: number[];
  #version = 1;

  private constructor(root: string, runtime: Runtime, plugin: string, pauses: number[]) {
    this.#root = root;
    this.#runtime = runtime;
    this.#plugin = plugin;
    this.#pauses = pauses;
  }

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
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** A reward by chance, so that every step learns, and hooks of both kinds of actors; no two versions have one text. */
async function writePlugin(path: string, version: number): Promise<void> {
  await writeFile(
    path,
    `import { definePlugin, samplesOf, z } from "@troupe/core/sdk";
const TABLE = Array.from({ length: 4096 }, (_, index) => index * ${version});
export default definePlugin({
  name: "swapped", version: "${version}.0.0", description: "Of a benchmark", config: z.strictObject({}),
  init: (_config, previous) => previous ?? { steps: 0 },
  hooks: {
    plan: { run: (ctx) => { ctx.state.steps += 1; return undefined; } },
    format: { writes: ["annotation.formatted"], run: () => ({ annotations: { formatted: TABLE[1] } }) },
    annotate: { writes: ["annotation.annotated"], run: () => ({ annotated: TABLE[1] }) },
    reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) },
  },
});
`,
  );
}
