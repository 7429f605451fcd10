/** What `troupe plugin new --kind` can start from. */
export type PluginKind =
  | "reward"
  | "format"
  | "advantage"
  | "curriculum"
  | "metric"
  | "select"
  | "sampling"
  | "annotate"
  | "keep"
  | "loss";

interface Template {
  readonly summary: string;
  readonly source: (name: string) => string;
  /** A test of the plugin's own arithmetic. */
  readonly test: string;
}

function head(name: string, description: string, imports: string): string {
  return `import { ${imports} } from "@troupe/core/sdk";

export default definePlugin({
  name: "${name}",
  version: "0.1.0",
  description: "${description}",
`;
}

/** Small plugins that work as they stand, one for each thing that methods are usually about. */
export const PLUGIN_KINDS: Readonly<Record<PluginKind, Template>> = {
  reward: {
    summary: "Takes a little reward off for every response token.",
    source: (name) =>
      `${head(name, "Takes a little reward off for every response token", "definePlugin, responseLength, samplesOf, z")}  config: z.strictObject({
    perToken: z.number().min(0).default(0.001).describe("Reward lost per response token"),
  }),
  hooks: {
    reward: {
      reads: ["length", "reward"],
      writes: ["reward"],
      run: (ctx, cohort, rewards_N) =>
        samplesOf(cohort).map(({ trajectory }, i) => (rewards_N[i] ?? 0) - ctx.config.perToken * responseLength(trajectory)),
    },
  },
});
`,
    test: `  test("has a schema whose defaults are a whole config", () => {
    expect(plugin.config.parse({})).toEqual({ perToken: 0.001 });
  });`,
  },
  format: {
    summary: "Asks for short answers in the prompt, and records that it did.",
    source: (name) =>
      `${head(name, "Asks for short answers in the prompt", "definePlugin, z")}  config: z.strictObject({
    request: z.string().min(1).default("Answer briefly.").describe("Sentence put before every task"),
  }),
  hooks: {
    format: {
      writes: ["prompt.messages", "annotation.${name}"],
      run: (ctx, prompt) => ({
        messages: [{ role: "system", content: ctx.config.request }, ...prompt.messages],
        annotations: { "${name}": true },
      }),
    },
  },
});
`,
    test: `  test("puts the request before the task", () => {
    expect(plugin.config.parse({ request: "Be brief." })).toEqual({ request: "Be brief." });
  });`,
  },
  advantage: {
    summary: "Advantages by the reward's rank within its group, in [-1, 1].",
    source: (name) =>
      `${head(name, "Advantages by the reward's rank within its group, in [-1, 1]", "definePlugin, z")}  config: z.strictObject({}),
  hooks: {
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => rewards_G.map((reward) => rankOf(reward, rewards_G))),
    },
  },
});

/** Share of the group below a reward minus the share above it. */
export function rankOf(reward: number, rewards_G: readonly number[]): number {
  const below = rewards_G.filter((other) => other < reward).length;
  const above = rewards_G.filter((other) => other > reward).length;
  return (below - above) / Math.max(1, rewards_G.length - 1);
}
`,
    test: `  test("ranks the best at 1, the worst at -1, and equals at 0", async () => {
    const { rankOf } = await import("./index.js");
    expect([1, 0, 0.5].map((reward) => rankOf(reward, [1, 0, 0.5]))).toEqual([1, -1, 0]);
    expect(rankOf(1, [1, 1])).toBe(0);
    expect(plugin.config.parse({})).toEqual({});
  });`,
  },
  curriculum: {
    summary: "Raises the token budget step by step.",
    source: (name) =>
      `${head(name, "Raises the token budget step by step", "definePlugin, z")}  config: z.strictObject({
    from: z.int().min(1).default(64).describe("Token budget of the first step"),
    perStep: z.int().min(0).default(1).describe("Tokens more in every step"),
  }),
  init: (_config, previous): { steps: number } => (previous as { steps: number } | undefined) ?? { steps: 0 },
  hooks: {
    plan: {
      writes: ["plan.maxTokens"],
      run: (ctx, plan) => {
        const maxTokens = Math.min(plan.maxTokens, ctx.config.from + ctx.config.perStep * ctx.state.steps);
        ctx.state.steps += 1;
        return { maxTokens };
      },
    },
  },
});
`,
    test: `  test("begins where it is told to", () => {
    expect(plugin.config.parse({ from: 8 })).toEqual({ from: 8, perStep: 1 });
  });`,
  },
  metric: {
    summary: "Adds a metric to every step's report and raises an alarm.",
    source: (name) =>
      `${head(name, "Says when most answers are cut at their budget", "definePlugin, isTruncated, samplesOf, z")}  config: z.strictObject({
    above: z.number().min(0).max(1).default(0.5).describe("Share of cut answers that is worth an alarm"),
  }),
  hooks: {
    observe: {
      reads: ["report"],
      run: (ctx, _report, cohort) => {
        const samples = samplesOf(cohort);
        const share = samples.filter(({ trajectory }) => isTruncated(trajectory)).length / Math.max(1, samples.length);
        if (share > ctx.config.above) ctx.event(\`\${Math.round(100 * share)} % of the answers are cut at their budget\`);
        return { "${name}/truncated": share };
      },
    },
  },
});
`,
    test: `  test("has an alarm in [0, 1]", () => {
    expect(plugin.config.safeParse({ above: 2 }).success).toBe(false);
  });`,
  },
  select: {
    summary: "Takes the tasks one after the other instead of shuffled.",
    source: (name) =>
      `${head(name, "Takes the tasks one after the other", "definePlugin, z")}  config: z.strictObject({
    from: z.int().min(0).default(0).describe("Index of the first task"),
  }),
  init: (config, previous): { next: number } => (previous as { next: number } | undefined) ?? { next: config.from },
  hooks: {
    select: {
      writes: ["select"],
      run: (ctx, selection) => Array.from({ length: selection.count }, () => ctx.state.next++ % selection.size),
    },
  },
});
`,
    test: `  test("begins with the first task", () => {
    expect(plugin.config.parse({})).toEqual({ from: 0 });
  });`,
  },
  sampling: {
    summary: "Gives every second answer of a group a smaller token budget.",
    source: (name) =>
      `${head(name, "Gives every second answer of a group a smaller token budget", "definePlugin, z")}  config: z.strictObject({
    share: z.number().positive().max(1).default(0.5).describe("Of the plan's token budget"),
  }),
  hooks: {
    sampling: {
      writes: ["sampling.maxTokens"],
      run: (ctx, sampling) =>
        ctx.slot % 2 === 1 ? { maxTokens: Math.ceil(sampling.maxTokens * ctx.config.share) } : undefined,
    },
  },
});
`,
    test: `  test("takes a share in (0, 1]", () => {
    expect(plugin.config.safeParse({ share: 0 }).success).toBe(false);
  });`,
  },
  annotate: {
    summary: "Records how often an answer corrects itself.",
    source: (name) =>
      `${head(name, "Records how often an answer corrects itself", "definePlugin, z")}  config: z.strictObject({
    word: z.string().min(1).default("Wait").describe("What a correction begins with"),
  }),
  hooks: {
    annotate: {
      writes: ["annotation.${name}"],
      run: (ctx, trajectory) => ({ "${name}": countOf(trajectory.responseText, ctx.config.word) }),
    },
  },
});

/** How often a word stands in a text. */
export function countOf(text: string, word: string): number {
  return text.split(word).length - 1;
}
`,
    test: `  test("counts every correction", async () => {
    const { countOf } = await import("./index.js");
    expect(countOf("Wait, no. Wait.", "Wait")).toBe(2);
    expect(plugin.config.parse({})).toEqual({ word: "Wait" });
  });`,
  },
  keep: {
    summary: "Drops groups whose rewards are all alike, as they teach nothing.",
    source: (name) =>
      `${head(name, "Drops groups whose rewards are all alike", "definePlugin, z")}  config: z.strictObject({
    within: z.number().min(0).default(0).describe("Rewards no further apart than this are alike"),
  }),
  hooks: {
    keep: {
      reads: ["reward"],
      writes: ["keep"],
      run: (ctx, { rewards_G }) =>
        Math.max(...rewards_G) - Math.min(...rewards_G) > ctx.config.within ? undefined : "drop",
    },
  },
});
`,
    test: `  test("has a distance that is not negative", () => {
    expect(plugin.config.safeParse({ within: -1 }).success).toBe(false);
  });`,
  },
  loss: {
    summary: "Lets unlikely tokens grow faster than likely ones shrink.",
    source: (name) =>
      `${head(name, "Lets unlikely tokens grow faster than likely ones shrink", "definePlugin, z")}  config: z.strictObject({
    clipHigh: z.number().positive().default(0.28).describe("The ratio is clipped above 1 + clipHigh"),
  }),
  hooks: {
    loss: {
      writes: ["loss.spec"],
      run: (ctx, loss) => ({ spec: { ...loss.spec, clipHigh: ctx.config.clipHigh } }),
    },
  },
});
`,
    test: `  test("has a clip bound above 0", () => {
    expect(plugin.config.safeParse({ clipHigh: 0 }).success).toBe(false);
  });`,
  },
};
