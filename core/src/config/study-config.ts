import { z } from "zod";
import { errors } from "../errors.js";
import { describeProblems } from "./describe-problems.js";
import { finishArms, type ExperimentConfig } from "./experiment-config.js";
import { overlay } from "./overlay.js";
import { loadConfig, type LoadedConfig } from "./load-config.js";
import { experimentSchema } from "./run-config.js";

const bound = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.strictObject({ min: z.number().optional(), max: z.number().optional() }),
]);

const side = z.strictObject({
  arm: z.string().describe('"base" or an arm'),
  mode: z
    .string()
    .optional()
    .describe("How the policy was told to answer; the arm's first evaluation mode unless given"),
  at: z
    .union([z.number().min(0).max(1), z.literal("average")])
    .default(1)
    .describe("When: a share of the arm's token budget, 0 before training, or the average over all of it"),
  where: z
    .record(z.string(), bound)
    .optional()
    .describe("Which held-out tasks: by domain, or by facts about them such as difficulty"),
});

const question = z
  .strictObject({
    claim: z.string().describe("What the paper says, with its figures"),
    expects: z.string().describe("What of it should show here, in words"),
    measure: z
      .union([
        z.enum(["accuracy", "tokens", "thinkRate", "rarerMode", "truncated"]),
        z.strictObject({ metric: z.string().describe("Name of a training metric") }),
        z.strictObject({
          evaluation: z
            .string()
            .describe("Number of an evaluation, as accuracy or perplexity, where no answers are written"),
        }),
      ])
      .describe("Of answers to held-out tasks, or a number of training steps or evaluations"),
    of: side,
    against: side.optional().describe("What it is compared with; absent compares with the bound alone"),
    as: z.enum(["difference", "ratio"]).default("difference"),
    above: z.number().optional().describe("Reproduced when the whole interval lies above"),
    below: z.number().optional().describe("Reproduced when the whole interval lies below"),
    otherwise: z.string().default("").describe("Why it may not show at this size; printed when it does not"),
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), {
    message: 'one of "above" and "below" is wanted',
  })
  .refine(({ as, against }) => as === "difference" || against !== undefined, {
    path: ["against"],
    message: "a ratio has something that it is taken against",
  });

/** A study of one paper: an experiment that is repeated with several seeds, and what it is asked. */
export const studySchema = experimentSchema.extend({
  paper: z.string().describe("Title and where it is to be found"),
  organism: z.string().describe("What is trained on what, and why the paper's effect can show there"),
  seeds: z.int().min(2).default(5).describe("Seeds 1, 2, …: differences are intervals over them"),
  quick: z
    .strictObject({
      seeds: z.int().min(1).default(2),
      over: z.record(z.string(), z.unknown()).default({}).describe("Settings laid over the base and every arm"),
    })
    .prefault({})
    .describe("A short form that shows that everything works, and decides nothing"),
  questions: z.array(question).min(1),
});

/** One question of a study. */
export type Question = z.output<typeof question>;

/** One of the two things that a question compares. */
export type QuestionSide = z.output<typeof side>;

/** A checked study with its arms' finished configs. */
export interface StudyConfig {
  readonly name: string;
  readonly paper: string;
  readonly organism: string;
  readonly seeds: number;
  readonly experiment: ExperimentConfig;
  readonly questions: readonly Question[];
}

/**
 * Reads a study file. `isQuick` takes its short form.
 *
 * @throws what `loadExperiment` throws; CONFIG_NOT_VALID where a question names an arm or a mode that is not there
 */
export function loadStudy(file: string, isQuick: boolean): LoadedConfig<StudyConfig> {
  const loaded = loadConfig(file, [], studySchema);
  const { base, arms, paper, organism, seeds, quick, questions } = loaded.config;
  const source = { base, arms };
  const over = isQuick ? quick.over : {};
  // Laid over after each arm's own settings, and checked with them.
  const { distill: _, ...others } = over;
  const value = {
    base: overlay(source.base, base.distill ? over : others),
    arms: Object.fromEntries(Object.entries(source.arms).map(([name, own]) => [name, overlay(own, others)])),
  };
  const short = experimentSchema.safeParse(value);
  if (!short.success) {
    const problems = describeProblems(short.error, {
      schema: experimentSchema,
      value,
      place: () => loaded.place(["quick", "over"]),
      under: ["quick", "over"],
    });
    throw errors.configNotValid({ problems });
  }
  const experiment = finishArms(short.data, loaded.place);
  const parts = [{ name: "base", config: experiment.base }, ...experiment.arms];
  const problems = questions.flatMap((question, index) =>
    (["of", "against"] as const).flatMap((key) => {
      const one = question[key];
      if (one === undefined) return [];
      const path = ["questions", String(index), key];
      const say = (field: "arm" | "mode", problem: string): string[] => [
        `${loaded.place(["questions", index, key, field])} ${[...path, field].join(".")}: ${problem}`,
      ];
      const part = parts.find(({ name }) => name === one.arm);
      if (part === undefined)
        return say("arm", `"${one.arm}" is no arm; known are ${parts.map(({ name }) => name).join(", ")}`);
      const { modes } = part.config.eval;
      if (one.mode !== undefined && !modes.includes(one.mode))
        return say("mode", `"${one.mode}" is not measured by "${one.arm}"; its modes are ${modes.join(", ")}`);
      return [];
    }),
  );
  if (problems.length > 0) throw errors.configNotValid({ problems });
  const config = { name: base.name, paper, organism, seeds: isQuick ? quick.seeds : seeds, experiment, questions };
  return { ...loaded, config };
}
