import type { z } from "zod";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { Random } from "../numerics/random.js";
import type { Message, Task } from "../records/task.js";
import type { Trajectory } from "../records/trajectory.js";
import type { Verdict } from "../records/verdict.js";
import type { Episodes } from "./episode.js";
import type { Judge, JudgeDefinition } from "./judge.js";

/** Which part of the tasks: what is trained on, or what is held out. */
export type Split = "train" | "eval";

/** A source of tasks with random access: the same index always gives the same task. */
export interface Taskset {
  /** Infinity for a procedural taskset. */
  readonly size: number;
  at(index: number): Task;
  /** `at(index).meta[name]`, where it is had for less than the whole task. */
  fact?(index: number, name: string): JsonValue | undefined;
  /** Every domain that its tasks have, where there are several. */
  readonly domains?: readonly string[];
}

/** Checks one trajectory. Deterministic, no side effects, any thread; the caller sets the deadline from outside. */
export interface Verifier {
  readonly name: string;
  readonly version: string;
  verify(task: Task, trajectory: Trajectory): Verdict | Promise<Verdict>;
}

/** One worked answer of a teacher, for supervised training. */
export interface Demonstration {
  /** The conversation, where it is not the task's prompt as it stands: for example with an instruction of a method. */
  readonly prompt?: readonly Message[];
  /** What the assistant's turn holds before the response, after the template's header: "<think>\n". No loss. */
  readonly prefix: string;
  /** The text to learn, without the end-of-turn token. */
  readonly response: string;
  /** In an episode, the turns after the first, each beginning with the same prefix. */
  readonly turns?: readonly DemonstratedTurn[];
}

/** What the environment says, and what is said to it then. */
export interface DemonstratedTurn {
  /** As the environment's episode gives them. No loss. */
  readonly messages: readonly Message[];
  readonly response: string;
}

/** Writes demonstrations, mistakes included, of known quality. */
export interface Teacher {
  demonstrate(task: Task, random: Random): Demonstration;
  /** A raw text to learn in place of a worked answer, outside of any conversation; undefined demonstrates. */
  read?(task: Task, random: Random): string | undefined;
}

/** How the entropy of a prediction is taken over the most probable tokens alone. */
export interface EntropyOptions {
  readonly topK: number;
  /** Whether their probabilities are scaled to sum to 1 first. */
  readonly renormalise: boolean;
  /** Folder of the policy that predicts; the run's own, before any training, when absent. */
  readonly policy?: string;
}

/** Texts as the run's policy sees them. */
export interface TextReader {
  /** Where each token of a text ends, in bytes of its UTF-8; shape [T]. @throws TEXT_NOT_TOKENISED */
  tokenEnds(text: string): Int32Array;
  /**
   * Entropy of the prediction of every token of the texts, nats, 0 for each text's first; arrays of shape [T]. Kept on
   * disk while it works, by all that goes in, so that it can be interrupted and is never done twice. Absent where the
   * policy has yet to learn its texts.
   *
   * @throws TEXT_TOO_LONG, TOKENS_DIFFER
   */
  readonly entropies?: (texts: readonly string[], options: EntropyOptions) => Promise<readonly Float32Array[]>;
}

/** Where paths in an environment's config start, and the seed for procedural tasks. */
export interface EnvironmentContext {
  readonly baseDirectory: string;
  readonly seed: number;
  /** For tasks that depend on the run's policy; absent outside of a run. */
  readonly reader?: TextReader;
}

/** What an environment makes of a file of tasks before anything is configured. */
export interface RecognisedData {
  /** Settings of the environment that read the file; `data.path` is the file as it was given. */
  readonly settings: JsonObject;
  /** What is read, for people → the column that it is read from. */
  readonly columns: Readonly<Record<string, string>>;
  /** Rows looked at, from the top, and those of them that can be used. */
  readonly looked: number;
  readonly usable: number;
  /** Why the first row that cannot be used cannot. */
  readonly problem?: string;
  /** Nearly every file can be read so: the environment is taken where it is asked for, never because it could. */
  readonly isGeneral?: boolean;
}

/** Tasks with their verifier: the default export of an environment's module, made by `defineEnvironment`. */
export interface EnvironmentDefinition<Config = unknown> {
  readonly name: string;
  readonly version: string;
  /** One sentence for lists. */
  readonly description: string;
  readonly config: z.ZodType<Config>;
  taskset(config: Config, split: Split, context: EnvironmentContext): Promise<Taskset>;
  verifier(config: Config): Verifier;
  /** Present when the policy and the environment talk in turns; without, a trajectory is one answer to the prompt. */
  readonly episodes?: (config: Config) => Episodes;
  /** Present when the environment can teach. */
  readonly teacher?: (config: Config) => Teacher;
  /** Present when single cases can be judged outside of a run. */
  readonly judge?: JudgeDefinition;
  /** Present when the tasks come from files: finds the columns of one by their names, and tries them on the first rows. */
  readonly recognise?: (file: string) => Promise<RecognisedData>;
}

/** Another environment, named as in a config. */
export interface EnvironmentPart {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
}

/**
 * Several environments as one: tasks of each, judged by the verifier of the environment that they come from. The default
 * export of an environment's module, made by `defineMixture`.
 */
export interface MixtureDefinition<Config = unknown> {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly config: z.ZodType<Config>;
  /** Domain → the environment that its tasks and verdicts come from; at least one. */
  parts(config: Config): Readonly<Record<string, EnvironmentPart>>;
}

/**
 * Declares an environment that is made of others.
 *
 * @example
 * defineMixture({ name: "both", version: "1.0.0", description: "Sums and logic", config: z.strictObject({}),
 *   parts: () => ({ sums: { use: "arithmetic", with: {} }, logic: { use: "boolean-evaluation", with: {} } }) });
 */
export function defineMixture<Schema extends z.ZodType>(
  definition: Omit<MixtureDefinition<z.output<Schema>>, "config"> & { readonly config: Schema },
): MixtureDefinition<z.output<Schema>> {
  // A schema's output type is what its parse gives; zod's variance does not let the compiler see it.
  return definition as unknown as MixtureDefinition<z.output<Schema>>;
}

/**
 * Declares how single cases are judged. The type of the case flows from its schema into the judge.
 *
 * @example
 * const caseSchema = z.strictObject({ gold: z.string(), answer: z.string() });
 * const verdict = { kind: "pass", score: 1, reason: "equal", verifier: "same", version: "1", ms: 0 } as const;
 * defineJudge({ caseSchema, open: async () => ({ verifier: "same", version: "1", atOnce: 1, judge: () => verdict, close: async () => {} }) });
 */
export function defineJudge<Schema extends z.ZodType>(definition: {
  readonly caseSchema: Schema;
  open(): Promise<Judge<z.output<Schema>>>;
}): JudgeDefinition {
  // Only what the schema let through reaches the judge, so it may be passed on as unknown.
  return definition as unknown as JudgeDefinition;
}

/**
 * Declares an environment. The type of its config flows into every function.
 *
 * @example
 * export default defineEnvironment({ name: "parity", version: "1.0.0", description: "Even or odd",
 *   config: z.strictObject({}), taskset: async () => parityTasks, verifier: () => parityVerifier });
 */
export function defineEnvironment<Schema extends z.ZodType>(
  definition: Omit<EnvironmentDefinition<z.output<Schema>>, "config"> & { readonly config: Schema },
): EnvironmentDefinition<z.output<Schema>> {
  // A schema's output type is what its parse gives; zod's variance does not let the compiler see it.
  return definition as unknown as EnvironmentDefinition<z.output<Schema>>;
}
