import {
  definePlugin,
  mean,
  placeOf,
  samplesOf,
  splitThinking,
  z,
  type AuxiliaryText,
  type Cohort,
  type RewardedGroup,
  type Sample,
} from "@troupe/core/sdk";
import type { EpochWalk } from "../epoch-walk.js";
import { errors } from "../errors.js";
import { compositeReward, lengthReward } from "./rewards.js";
import { thinkBudget } from "./think-budget.js";
import { drawTasks, indexTiers, overPresent, TIERS, tierIndexOf, tierShares } from "./tiers.js";
import type { Shares, TierIndex } from "./tiers.js";

const share = z.number().min(0).max(1);
const shares = z
  .tuple([share, share, share])
  .refine((of) => Math.abs(of[0] + of[1] + of[2] - 1) < 1e-9, "shares of easy, medium and hard must sum to 1");

const config = z
  .strictObject({
    thinkBudget: z
      .strictObject({
        initial: z.int().min(1).default(800).describe("Tokens of thinking asked for at the start"),
        factor: z.number().gt(0).max(1).default(0.2).describe("Share of it that is asked for at the end"),
        min: z.int().min(1).default(1).describe("Tokens asked for at least"),
        exponent: z.number().gt(0).default(1).describe("Of the share of the run that is done"),
        instruction: z
          .string()
          .includes("{budget}")
          .default("Use exactly {budget} tokens for thinking.")
          .describe("Stands on a line of its own below the prompt, the budget in place of {budget}"),
        endAt: z
          .number()
          .min(1)
          .nullable()
          .default(null)
          .describe("Ends a think block at this many times the budget, while it is sampled; null leaves it open"),
      })
      .nullable()
      .prefault({})
      .describe("Falling target for the length of thinking; null asks for none and pays for none"),
    lengthWeight: share.default(0.2).describe("Weight of the length reward beside that of a hit"),
    maxLengthReward: z.number().gt(0).default(1).describe("Length reward at the budget"),
    curriculum: z
      .strictObject({
        from: share.default(0.3).describe("Share of the run after which the mixture of tiers begins to change"),
        to: share.default(0.7).describe("Share of the run after which it has changed"),
        early: shares.default([0.6, 0.3, 0.1]).describe("Shares of easy, medium and hard tokens before"),
        late: shares.default([0.1, 0.3, 0.6]).describe("Shares after"),
      })
      .nullable()
      .prefault({})
      .describe("Which tokens are reasoned about; null takes them as they come"),
    nextToken: z.number().min(0).default(0.1).describe("Weight of the next-token loss on the raw texts; 0 is off"),
    aggregation: z
      .enum(["token-mean", "seq-mean-token-sum"])
      .default("token-mean")
      .describe("Mean over response tokens, as the next-token loss has it, or the paper's sum over each response"),
  })
  .refine(
    ({ lengthWeight: w, maxLengthReward, thinkBudget: budget }) => budget === null || 1 - w > w * maxLengthReward,
    { path: ["lengthWeight"], message: "is so large that a miss of the right length would beat a hit" },
  )
  .refine(({ curriculum }) => curriculum === null || curriculum.from <= curriculum.to, {
    path: ["curriculum", "to"],
    message: "must not lie before from",
  });

type Config = z.output<typeof config>;

interface State {
  /** Keys the orders of the tiers; drawn with the first tasks. */
  key: number | null;
  readonly walks: EpochWalk[];
  /** Tiers that were said to have no tasks. */
  missing: string;
}

/** What a selection makes of all tasks, by the state that it belongs to: too large for a checkpoint, and made again after it. */
const indices = new WeakMap<State, TierIndex>();
const parametersSchema = z.object({ thinkBudget: z.int() });

export default definePlugin<typeof config, State>({
  name: "rmt",
  version: "1.0.0",
  description:
    "Mid-training on raw text: reasons about uncertain tokens within a falling think budget, reads the others",
  config,
  modes: ["budget"],
  // A state is what a checkpoint of this plugin held.
  init: (_config, previous) =>
    (previous as State | undefined) ?? { key: null, walks: TIERS.map(() => ({ taken: 0, epoch: 0 })), missing: "" },
  hooks: {
    plan: {
      writes: ["plan.parameters"],
      run: (ctx, plan) =>
        ctx.config.thinkBudget === null
          ? undefined
          : {
              parameters: {
                ...plan.parameters,
                [ctx.plugin]: { thinkBudget: thinkBudget(ctx.progress, ctx.config.thinkBudget) },
              },
            },
    },
    select: {
      reads: ["task"],
      writes: ["select"],
      run: (ctx, selection) => {
        const { state } = ctx;
        if (ctx.config.curriculum === null || selection.size === Infinity) return undefined;
        const index = indices.get(state) ?? indexTiers(selection);
        indices.set(state, index);
        const isPresent = index.byTier.map((tasks) => tasks.length > 0);
        const missing = TIERS.filter((_, tier) => !isPresent[tier]).join(" or ");
        if (missing !== state.missing)
          ctx.event(
            `warning: no task is ${missing}; ${isPresent.some(Boolean) ? "the other tiers share its part" : "tasks are taken as they come"}`,
          );
        state.missing = missing;
        if (!isPresent.some(Boolean)) return undefined;
        state.key ??= ctx.random.integer(0, 2 ** 31);
        const wanted = overPresent(tierShares(ctx.progress, ctx.config.curriculum), isPresent);
        return drawTasks(selection.count, wanted, index, state.walks, state.key, ctx.random);
      },
    },
    format: {
      reads: ["plan.parameters"],
      writes: ["prompt.messages", "prompt.lengthTarget", "annotation.thinkBudget"],
      run: (ctx, prompt) => {
        const schedule = ctx.config.thinkBudget;
        if (schedule === null || (ctx.phase === "eval" && ctx.mode !== "budget")) return undefined;
        const budget = ctx.phase === "eval" ? thinkBudget(1, schedule) : budgetOfPlan(ctx);
        const request = schedule.instruction.replaceAll("{budget}", String(budget));
        const messages = prompt.messages.map((message, index) =>
          index === prompt.messages.length - 1 ? { ...message, content: `${message.content}\n${request}` } : message,
        );
        return { messages, annotations: { thinkBudget: budget } };
      },
    },
    sampling: {
      reads: ["plan.parameters"],
      writes: ["sampling.budgetRules"],
      run: (ctx, sampling) => {
        const endAt = ctx.config.thinkBudget?.endAt ?? null;
        if (endAt === null || ctx.phase === "eval") return undefined;
        const limit = Math.ceil(endAt * budgetOfPlan(ctx));
        return { budgetRules: [...sampling.budgetRules, { limit, until: "</think>", inject: "\n</think>\n\n" }] };
      },
    },
    annotate: {
      reads: ["trajectory"],
      writes: ["annotation.thinkLength"],
      run: (ctx, trajectory) => ({ thinkLength: ctx.countTokens(splitThinking(trajectory).thinking) }),
    },
    reward: {
      reads: ["verdict", "annotation.thinkBudget", "annotation.thinkLength"],
      writes: ["reward", "reward.base"],
      run: ({ config: settings }, cohort) =>
        settings.thinkBudget === null
          ? undefined
          : samplesOf(cohort).map((sample) =>
              compositeReward(matchOf(sample), lengthOf(sample, settings), settings.lengthWeight),
            ),
    },
    loss: {
      reads: ["task"],
      writes: ["loss.spec", "loss.auxiliaryTexts"],
      run: ({ config: { nextToken, aggregation } }, { spec, auxiliaryTexts }, groups) => ({
        spec: { ...spec, ratio: "one", aggregation, ...(nextToken > 0 ? { nextTokenCoefficient: nextToken } : {}) },
        ...(nextToken > 0 ? { auxiliaryTexts: [...auxiliaryTexts, ...textsOf(groups)] } : {}),
      }),
    },
    observe: {
      reads: ["verdict", "task", "annotation.thinkBudget", "annotation.thinkLength"],
      run: (ctx, report, cohort) => {
        const { nextToken, curriculum, thinkBudget: schedule } = ctx.config;
        const samples = samplesOf(cohort);
        const loss = report.metrics["loss/next_token"];
        const present = indices.get(ctx.state)?.byTier.map((tasks) => tasks.length > 0) ?? [];
        return {
          "rmt/think_len/mean": mean(samples.map((sample) => numberIn(sample, "thinkLength"))),
          "rmt/r_match/mean": mean(samples.map(matchOf)),
          ...(schedule === null
            ? {}
            : {
                "rmt/budget": thinkBudget(ctx.progress, schedule),
                "rmt/r_len/mean": mean(samples.map((sample) => lengthOf(sample, ctx.config))),
              }),
          "rmt/all_wrong/frac": mean(
            cohort.groups.map((group) => (group.samples.some((sample) => matchOf(sample) > 0) ? 0 : 1)),
          ),
          ...(nextToken > 0 && loss !== undefined ? { "rmt/ntp_nll": loss / nextToken } : {}),
          ...(curriculum === null || !present.some(Boolean)
            ? {}
            : tierMetrics(cohort, overPresent(tierShares(ctx.progress, curriculum), present))),
        };
      },
    },
  },
});

function budgetOfPlan({ plan, plugin, step }: { plan: Cohort["plan"]; plugin: string; step: number }): number {
  const parameters = parametersSchema.safeParse(plan.parameters[plugin]);
  if (!parameters.success) throw errors.stageParametersMissing({ plugin, step });
  return parameters.data.thinkBudget;
}

const matchOf = ({ verdict }: Sample): number => verdict.score ?? 0;

/** By the budget that the sample's own prompt named. */
function lengthOf(sample: Sample, { maxLengthReward }: Config): number {
  return lengthReward(numberIn(sample, "thinkLength"), numberIn(sample, "thinkBudget"), maxLengthReward);
}

function numberIn({ trajectory: { id, annotations } }: Sample, annotation: string): number {
  const value = annotations[annotation];
  if (typeof value !== "number") throw errors.annotationMissing({ sample: id, annotation, plugin: "rmt" });
  return value;
}

/** Every text of the update once, without the tokens that are reasoned about: those are in the policy loss. */
function textsOf(groups: readonly RewardedGroup[]): readonly AuxiliaryText[] {
  const masks = new Map<string, [number, number][]>();
  for (const { group } of groups) {
    const place = placeOf(group.task);
    if (place) masks.set(place.text, [...(masks.get(place.text) ?? []), [place.start, place.end]]);
  }
  return [...masks].map(([text, masked]) => ({ text, masked }));
}

/** Drawn share of every tier beside the wanted one, and accuracy after reasoning. */
function tierMetrics({ groups }: Cohort, wanted: Shares): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const [index, tier] of TIERS.entries()) {
    const of = groups.filter(({ task }) => tierIndexOf(task.meta["tier"]) === index);
    metrics[`rmt/tier_p/${tier}`] = wanted[index]!;
    metrics[`rmt/tier_frac/${tier}`] = of.length / Math.max(1, groups.length);
    if (of.length > 0) metrics[`rmt/ntr_acc/${tier}`] = mean(of.flatMap(({ samples }) => samples.map(matchOf)));
  }
  return metrics;
}
