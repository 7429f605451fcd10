import { z } from "zod";

const positive = z.number().positive();
/** Where actors live; `ActorPlaces` turns it into places. */
const placement = z
  .union([z.enum(["thread", "process"]), z.strictObject({ nodes: z.array(z.string()).min(1) })])
  .default("thread");
const count = z.int().min(1);
const fraction = z.number().min(0).max(1);

/** Options of a plugin or environment: its own schema checks them when it is loaded. */
const options = z.record(z.string(), z.unknown());

const pluginEntry = z.union([
  z.string(),
  z.strictObject({
    use: z.string().describe("Name of an installed plugin, or a path to a TypeScript or JavaScript file or folder"),
    with: options.default({}).describe("The plugin's own settings"),
    steps: z
      .strictObject({
        from: z.int().min(1).optional().describe("First step with the plugin; absent is the run's first"),
        to: z.int().min(1).optional().describe("Last step with it; absent is the run's last"),
      })
      .refine(({ from = 1, to = Infinity }) => from <= to, "from must not lie behind to")
      .optional()
      .describe(
        "Steps in which the plugin is part of the run; absent is all. Two that cannot work together may follow each other",
      ),
  }),
]);

/** The policy: what samples tokens. */
const policy = z.strictObject({
  from: z
    .string()
    .describe(
      "Folder in Hugging Face layout: config.json and tokenizer files; with safetensors files its weights are loaded, without they are drawn from the seed",
    ),
  engine: z
    .string()
    .default("@troupe/gpu")
    .describe("Module that makes the policy engine: a package, or a path to one of your own"),
  threads: z.int().min(0).default(0).describe("Threads of the engine; 0 takes every core that the process may use"),
  dtype: z
    .enum(["fp32", "bf16"])
    .default("fp32")
    .describe("What linear layers compute with; weights and optimizer state stay fp32"),
  device: z
    .enum(["cpu", "cuda"])
    .default("cpu")
    .describe(
      "Where the policy lives and is computed; cuda is the first NVIDIA GPU, or the first policy.gpus, and needs the CUDA build of the engine",
    ),
  invariant: z
    .boolean()
    .default(true)
    .describe(
      "false has cuBLASLt compute the gradients on device cuda, for speed; their bits then depend on chip, library and batch; sampling and training still agree to the bit",
    ),
  gpus: z
    .int()
    .min(1)
    .default(1)
    .describe(
      "GPUs of this machine that train and sample together on device cuda, the first so many: each has the whole policy and a share of the optimizer's state. More than one needs NCCL",
    ),
  placement: z
    .enum(["thread", "process"])
    .default("thread")
    .describe(
      "Where the learner lives. In a process of its own, a fault in its native code stops the run cleanly, and it can be resumed; rollout actors read the weights in shared memory",
    ),
  lora: z
    .strictObject({
      rank: count.default(16).describe("Rank of the update of each target"),
      alpha: positive.default(32).describe("The update counts alpha / rank times"),
      targets: z
        .array(z.string().regex(/^\w+$/, "the name of a linear such as q_proj"))
        .min(1)
        .default(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
        .describe("Linears that are adapted, by their names in the model"),
    })
    .nullable()
    .default(null)
    .describe("Trains a low-rank adapter in place of the weights; null trains all weights"),
});

const train = z.strictObject({
  steps: z.int().min(0).default(200).describe("Optimizer steps at most; 0 evaluates only"),
  tokenBudget: z
    .int()
    .min(0)
    .default(0)
    .describe("Ends the run once this many response tokens were sampled in training; 0 means no bound"),
  promptsPerStep: count.default(32).describe("Groups that feed one step"),
  groupSize: z
    .int()
    .min(2, "at least 2 trajectories per task are wanted: with 1 every advantage is 0")
    .default(8)
    .describe("Trajectories per task"),
  maxRounds: count.default(4).describe("Generation rounds per step when groups are dropped or resampled"),
  staleness: z
    .int()
    .min(0)
    .max(8)
    .default(0)
    .describe("Versions that a sample may be behind; 0 is lockstep, 1 samples the next step while this one is learned"),
  carryOver: z
    .boolean()
    .default(true)
    .describe("With staleness: groups kept beyond a step's places feed the next step instead of being dropped"),
  updatesPerBatch: count.default(1).describe("Optimizer updates per cohort; 1 is strictly on-policy"),
  learningRate: positive.default(3e-4).describe("Step size of AdamW"),
  warmupSteps: z.int().min(0).default(0).describe("Steps over which the learning rate rises from 0"),
  schedule: z
    .enum(["constant", "linear", "cosine"])
    .default("constant")
    .describe("How the learning rate falls over the run, by steps or by its token budget"),
  learningRateFloor: fraction.default(0).describe("Share of the learning rate that is left at the end of the schedule"),
  beta1: fraction.default(0.9),
  beta2: fraction.default(0.95),
  epsilon: positive.default(1e-8),
  weightDecay: z
    .number()
    .min(0)
    .default(0)
    .describe("Decoupled decay of matrices, per step times learning rate; norm weights and biases do not decay"),
  maxGradNorm: positive.default(1).describe("Gradients are scaled down to this global norm"),
  microBatchTokens: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "Tokens that go through the policy at once at most; an update is split and adds up to one mean. 0 takes the engine's own size. Fewer tokens need less memory",
    ),
  recompute: z
    .enum(["nothing", "feed-forward", "layers"])
    .default("nothing")
    .describe(
      'What the backward pass computes again to save memory: "feed-forward" costs about a tenth more time, "layers" a third; neither changes a bit',
    ),
});

const loss = z.strictObject({
  clipLow: z
    .number()
    .min(0)
    .optional()
    .describe("Ratio is clipped below 1 − clipLow; absent takes the method's bound, 0.2 without one"),
  clipHigh: z
    .number()
    .min(0)
    .optional()
    .describe("Ratio is clipped above 1 + clipHigh; absent takes the method's bound, 0.2 without one"),
  dualClip: z.number().min(1).nullable().default(null).describe("Bound c of the dual clip; null switches it off"),
  klCoefficient: z
    .number()
    .min(0)
    .default(0)
    .describe("Weight of the KL term against the policy that the run began with; 0 is off"),
  klEstimator: z.enum(["k1", "k2", "k3"]).default("k3"),
  entropyCoefficient: z
    .number()
    .optional()
    .describe("Weight of the entropy bonus; 0 is off; absent takes the method's, 0 without one"),
  importance: z
    .union([
      z.literal("auto"),
      z.null(),
      z.strictObject({
        level: z.enum(["token", "sequence", "geometric"]).default("token"),
        outside: z.enum(["truncate", "mask"]).default("truncate"),
        low: z.number().min(0).default(0),
        high: z.number().positive().default(2),
        normalize: z.boolean().default(false).describe("Divides weights by their mean over the update"),
      }),
    ])
    .default("auto")
    .describe(
      "Truncated importance sampling of stale samples; auto truncates token weights at 2 when staleness is above 0",
    ),
  maskTruncated: z.boolean().default(false).describe("Masks the loss of trajectories cut at their token budget"),
});

const rollout = z.strictObject({
  actors: z.int().min(1).max(64).default(2).describe("Rollout actors"),
  placement: placement.describe(
    'Where each of them lives: "thread"; "process", which reads the weights in shared memory; or nodes ("host:port") that `troupe node` opened, by turns: each keeps a copy of the policy and is sent every version',
  ),
  maxTokens: count
    .default(256)
    .describe("Sampled tokens per trajectory at most, all turns together; prompt and environment do not count"),
  maxTurns: count.default(10).describe("Turns of the policy in an episode at most"),
  maxTurnTokens: z
    .int()
    .min(0)
    .default(0)
    .describe("Sampled tokens of one turn at most; a turn that is cut ends the episode. 0 means no bound of its own"),
  maxEpisodes: z
    .int()
    .min(0)
    .default(0)
    .describe("Episodes that one actor has under way at once; 0 means all of its share. For servers with little room"),
  environmentDeadlineMs: positive
    .default(30_000)
    .describe("An environment that has not answered by then ends the episode with a verdict of kind timeout"),
  temperature: positive
    .default(1)
    .describe("Sampling temperature in training; above 0, as a greedy policy has no gradient"),
  topP: fraction.default(1),
  topK: z.int().min(0).default(0).describe("0 keeps every token"),
  minP: fraction.default(0),
  partial: z
    .boolean()
    .default(false)
    .describe(
      "With staleness: responses under way go on with a new version as soon as it is live; what they say then depends on timing, and is resumed from the record",
    ),
  deadlineMs: positive.default(600_000).describe("A rollout actor that has not answered by then is replaced"),
});

const verify = z.strictObject({
  actors: z.int().min(1).max(64).default(1).describe("Verifier actors"),
  placement: placement.describe(
    'Where each of them lives: "thread"; "process", for verifiers that may crash or fill memory; or nodes ("host:port") that `troupe node` opened, by turns',
  ),
  deadlineMs: positive.default(10_000).describe("Deadline of one group's verdicts, enforced from outside"),
  onUngradable: z
    .enum(["drop-sample", "drop-group"])
    .default("drop-sample")
    .describe("What happens to a sample whose verdict may not reach a gradient"),
  maxErrorRate: fraction
    .default(0.02)
    .describe("The run stops when more of a step's verdicts than this are not gradable"),
});

const evaluation = z.strictObject({
  every: z.int().min(0).default(50).describe("Steps between evaluations; 0 evaluates only at the start and the end"),
  tasks: count.default(200).describe("Held-out tasks"),
  samples: count.default(1).describe("Samples per task"),
  temperature: z.number().min(0).default(1).describe("Sampling temperature in evaluation"),
  topP: fraction.default(1).describe("Nucleus in evaluation; 1 keeps every token"),
  topK: z.int().min(0).default(0).describe("0 keeps every token"),
  minP: fraction.default(0),
  maxTokens: z.int().min(0).default(0).describe("Token budget in evaluation; 0 takes rollout.maxTokens"),
  modes: z
    .array(z.string())
    .min(1)
    .default(["default"])
    .describe(
      '"default", "next-token" (direct prediction at places in texts), and modes that plugins name; the first is how the policy is meant to answer',
    ),
  plugins: z.array(pluginEntry).default([]).describe("Plugins loaded for their evaluation modes alone"),
});

const distill = z.strictObject({
  tokens: z.int().min(1).describe("Training tokens, prompts included; at most, with untilLoss"),
  untilLoss: positive
    .optional()
    .describe(
      "Ends early, after the same fall of the learning rate, once the mean loss of 50 batches is this low. Demonstrations never repeat, so it is a held-out loss; nats per token",
    ),
  batchTokens: count.default(4096).describe("Tokens per optimizer step"),
  learningRate: positive.default(3e-3).describe("Peak step size"),
  warmup: fraction.default(0.05).describe("Share of the training with rising learning rate"),
  weightDecay: z.number().min(0).default(0.01),
  maxGradNorm: positive.default(1),
});

/** Metrics, events and ledger may each fill most of a segment that is not closed yet, and so may rollouts. */
const SEGMENTS_WITHIN_BOUND = 4;

const store = z
  .strictObject({
    checkpointEvery: z.int().min(1).default(10).describe("Steps between checkpoints"),
    keepCheckpoints: count.default(2).describe("Checkpoints kept; the last one always is"),
    rolloutsEvery: z.int().min(0).default(1).describe("Steps between stored rollouts; 0 stores none"),
    segmentMb: positive
      .default(64)
      .describe("Lines and rollouts are closed into a segment when they have grown to this size, MB"),
    compress: z.boolean().default(false).describe("Compresses closed segments with gzip"),
    maxMb: z
      .number()
      .min(0)
      .default(0)
      .describe(
        "Most that lines and rollouts may take, MB: the oldest go, but never what is newer than the newest checkpoint, nor the metrics; 0 is no bound",
      ),
  })
  .refine(({ maxMb, segmentMb }) => maxMb === 0 || maxMb >= SEGMENTS_WITHIN_BOUND * segmentMb, {
    path: ["maxMb"],
    message: `at least ${SEGMENTS_WITHIN_BOUND} × store.segmentMb is wanted, or 0`,
  });

const live = z.strictObject({
  watch: z.boolean().default(false).describe("Swaps a plugin in when one of its files is saved"),
  probationSteps: z
    .int()
    .min(0)
    .default(3)
    .describe("Steps during which a failure of a plugin that was changed live puts the version before back"),
  hookDeadlineMs: count.default(10_000).describe("A call of hooks that takes longer is ended, and named"),
  onHookFailure: z
    .enum(["stop", "remove"])
    .default("stop")
    .describe("What happens when a hook fails: the run stops, or goes on without the plugin and does the step again"),
});

/**
 * Everything a run can be told. Every field has a default but `name`, `policy.from` and `environment.use`. It is one file
 * because it is one table, read from top to bottom.
 */
export const runConfigSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens")
    .describe("Names the run folder"),
  description: z.string().default(""),
  seed: z.int().min(0).default(1).describe("All chance in the run comes from it"),
  policy,
  environment: z.strictObject({
    use: z.string().describe("Name of an installed environment, or a path"),
    with: options.default({}).describe("The environment's own settings"),
  }),
  plugins: z.array(pluginEntry).default([]).describe("Methods, in order"),
  train: train.prefault({}),
  loss: loss.prefault({}),
  rollout: rollout.prefault({}),
  verify: verify.prefault({}),
  eval: evaluation.prefault({}),
  distill: distill.optional().describe("Supervised training by the environment's teacher before the run"),
  store: store.prefault({}),
  live: live.prefault({}),
});

/** A checked run configuration. */
export type RunConfig = z.output<typeof runConfigSchema>;

/** A base run with named variations of it, evaluated beside each other: what `troupe demo` runs. */
export const experimentSchema = z.strictObject({
  base: runConfigSchema,
  arms: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), options).describe("Arm → settings laid over base"),
});

/** Name and settings of one configured plugin. */
export interface PluginEntry {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly steps?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
}

/** Configured plugins with the short form written out. */
export function pluginEntries(plugins: RunConfig["plugins"]): readonly PluginEntry[] {
  return plugins.map((entry) => (typeof entry === "string" ? { use: entry, with: {} } : entry));
}
