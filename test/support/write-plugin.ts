import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a test says about a plugin: TypeScript, except for names. */
export interface PluginSketch {
  readonly name?: string;
  readonly version?: string;
  /** The object of hooks. */
  readonly hooks?: string;
  /** The settings' schema. */
  readonly config?: string;
  /** Further properties of the plugin: "init: () => 1,". */
  readonly more?: string;
  /** Statements before it. */
  readonly before?: string;
}

/** Rewards by chance: every step teaches something, whatever was said. */
export const CHANCE: PluginSketch = {
  hooks: `{ reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) } }`,
};

/** Rewards and decisions by chance, and a state that every hook moves: what a resumed or repeated run could get wrong. */
export const RESTLESS_CHANCE = {
  name: "chance",
  more: "init: (_config, previous) => previous ?? { sum: 0 },",
  hooks: `{
    plan: { run: (ctx) => { ctx.state.sum += 1; return undefined; } },
    reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) },
    keep: { run: (ctx, group) => (group.rewards_G[0] > group.rewards_G[1] ? "resample" : "keep") },
    observe: { run: (ctx) => { ctx.state.sum += 0.01; return { "chance/sum": ctx.state.sum }; } },
  }`,
} as const satisfies PluginSketch;

/** Writes a plugin in one file `<file>.ts` and gives its path. */
export function writePlugin(folder: string, file: string, sketch: PluginSketch): string {
  const path = join(folder, `${file}.ts`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path,
    `import { definePlugin, samplesOf, z } from "@troupe/core/sdk";
${sketch.before ?? ""}
export default definePlugin({
  name: "${sketch.name ?? file}", version: "${sketch.version ?? "1.0.0"}", description: "Of a test",
  config: ${sketch.config ?? "z.strictObject({})"},
  ${sketch.more ?? ""}
  hooks: ${sketch.hooks ?? "{}"},
});
`,
  );
  return path;
}
