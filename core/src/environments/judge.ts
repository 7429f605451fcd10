import type { z } from "zod";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { Message } from "../records/task.js";
import type { Verdict } from "../records/verdict.js";

/** How much a verdict should say. */
export interface JudgeOptions {
  /** Puts the steps that led to the verdict into `parts.trace`, a list of `{step, says}`. */
  readonly explain?: boolean;
}

/** An answer as a service is sent it: what was asked, what a policy wrote, and what that is judged by. */
export interface ServedAnswer {
  readonly sampleId: string;
  readonly prompt: readonly Message[];
  /** What the prompt wrote into the assistant's turn before the response. */
  readonly assistantPrefix: string;
  readonly response: string;
  /** Whatever the verifier takes for a reference: text for mathematics, tests for programs. */
  readonly groundTruth: JsonValue;
  readonly meta: JsonObject;
}

/**
 * Judges single cases outside of a run. A caller may rely on: the same case gets the same verdict; nothing that a case
 * holds makes `judge` throw; up to `atOnce` cases may be under way together; after `close` nothing is left running.
 */
export interface Judge<Case = unknown> {
  readonly verifier: string;
  readonly version: string;
  /** How many cases at once keep it busy. */
  readonly atOnce: number;
  /** What people should know about how it judges, in one line: the boundary that programs run behind. */
  readonly notice?: string;
  judge(one: Case, options?: JudgeOptions): Verdict | Promise<Verdict>;
  /**
   * Judges an answer that a service was sent; a ground truth that cannot be used gives a verdict of kind `error`. Absent
   * where services have to go by the environment's verifier, which wants settings.
   */
  judgeAnswer?(answer: ServedAnswer): Verdict | Promise<Verdict>;
  close(): Promise<void>;
}

/** How an environment's verifier is reached by `troupe verify`, and by services: a case in, a verdict out. */
export interface JudgeDefinition<Case = unknown> {
  /** What a case holds; a line of `troupe verify NAME --jsonl` is a case with an `id`. */
  readonly caseSchema: z.ZodType<Case>;
  open(): Promise<Judge<Case>>;
}
