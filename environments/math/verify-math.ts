import { TroupeError, type JsonObject, type Verdict } from "@troupe/core/sdk";
import { isSameAnswer, type Comparison } from "./compare.js";
import { isClockTime, isSameTime } from "./clock-time.js";
import { isSameChoice, isSameText } from "./compare-text.js";
import type { Expression } from "./expression.js";
import {
  extractAnswer,
  STRICT_EXTRACTION,
  type AssistantText,
  type Extraction,
  type ExtractionOptions,
} from "./extract-answer.js";
import { namedValue } from "./normal-form.js";
import { parseExpression } from "./parse-expression.js";
import { printExpression } from "./print-expression.js";
import type { TraceStep } from "./trace.js";
import { SIZE_LIMITS, WorkBudget } from "./work-budget.js";

/** Stamped into every verdict; raised whenever a verdict could change. */
export const MATH_VERIFIER = { verifier: "math", version: "1.2.0" } as const;

export interface MathOptions {
  /** Names the task in the verdict when its reference cannot be used. */
  readonly taskId?: string;
  readonly extraction?: ExtractionOptions;
  /** "unit": the percent sign may be left out like any unit, 50 % = 50 = 0.5. "value": 50 % = 0.5 alone. */
  readonly percent?: "unit" | "value";
  /** Puts the steps that led to the verdict into `parts.trace`. */
  readonly explain?: boolean;
  /** Told of whole answers that no method here could compare with their reference. */
  readonly onUndecided?: (gold: Expression, answer: Expression) => void;
  /** Milliseconds of some clock; without it `Verdict.ms` is 0, for the caller to fill in. */
  readonly now?: () => number;
}

type Finding = Pick<Verdict, "kind" | "reason"> & { readonly parts?: JsonObject };

/**
 * Checks the final answer of a response against one reference, or against several of which one must match.
 *
 * pass or fail; `error` only where the reference cannot be read or the checker itself failed, never because of what the
 * response says. The reason of a fail is one of no-think-close, no-box, no-answer-phrase, empty-box, unbalanced-braces,
 * unparsable, budget-exceeded, undecided, wrong-answer. `parts` has the answer as extracted, and where it stood.
 *
 * Deterministic; work is bounded by counted steps, so a hostile answer costs milliseconds.
 *
 * @param text the response, or with what the prompt wrote into the assistant's turn before it
 * @example
 * verifyMath("\\frac{1}{2}", "It is \\boxed{0.5}.").kind; // "pass"
 */
export function verifyMath(
  gold: string | readonly string[],
  text: string | AssistantText,
  options: MathOptions = {},
): Verdict {
  const turn = typeof text === "string" ? { assistantPrefix: "", response: text } : text;
  return verdictOn(gold, () => extractAnswer(turn, options.extraction ?? STRICT_EXTRACTION), options);
}

/**
 * Checks an answer that stands alone: nothing is extracted from it.
 *
 * @example
 * verifyAnswer("2\\sqrt{2}", "\\sqrt{8}").kind; // "pass"
 */
export function verifyAnswer(gold: string | readonly string[], answer: string, options: MathOptions = {}): Verdict {
  return verdictOn(gold, () => ({ answer, from: "caller" }), options);
}

function verdictOn(gold: string | readonly string[], extract: () => Extraction, options: MathOptions): Verdict {
  const start = options.now?.() ?? 0;
  const trace: TraceStep[] | undefined = options.explain === true ? [] : undefined;
  const finding = findVerdict(typeof gold === "string" ? [gold] : gold, extract, options, trace);
  const score = finding.kind === "pass" ? 1 : finding.kind === "fail" ? 0 : undefined;
  return {
    ...finding,
    ...(trace !== undefined ? { parts: { ...finding.parts, trace: trace.map((step) => ({ ...step })) } } : {}),
    ...(score === undefined ? {} : { score }),
    ...MATH_VERIFIER,
    ms: (options.now?.() ?? 0) - start,
  };
}

function findVerdict(
  golds: readonly string[],
  extract: () => Extraction,
  options: MathOptions,
  trace: TraceStep[] | undefined,
): Finding {
  const task = options.taskId === undefined ? "the task" : `task "${options.taskId}"`;
  try {
    if (golds.length === 0) return { kind: "error", reason: `no-reference: ${task} has no reference answer` };
    const references: Reference[] = [];
    for (const gold of golds) {
      const reference = readReference(gold);
      if (typeof reference === "string")
        return { kind: "error", reason: `unusable-reference: ${task} has "${excerpt(gold)}", ${reference}` };
      references.push(reference);
      trace?.push({ step: "reference", says: `${excerpt(gold)} is read as ${readingsText(reference.readings)}` });
    }
    const extraction = extract();
    if (extraction.answer === undefined) {
      trace?.push({ step: "extract", says: `no answer: ${extraction.reason}` });
      return { kind: "fail", reason: extraction.reason };
    }
    trace?.push({ step: "extract", says: `${excerpt(extraction.answer)}, from the ${extraction.from}` });
    const parts = { answer: excerpt(extraction.answer), from: extraction.from };
    const found = judge(references, extraction.answer, options, trace);
    const { joined } = extraction;
    if (found.kind === "pass" || joined === undefined) return { ...found, parts };
    // Several boxes may also be several ways to write one answer; then each must be right.
    const isEachRight = joined.every((box) => judge(references, box, options, trace).kind === "pass");
    return isEachRight ? { kind: "pass", reason: "equal", parts } : { ...found, parts };
  } catch (error) {
    return { kind: "error", reason: `grader-failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function readingsText(readings: readonly Expression[]): string {
  return readings.map((reading) => excerpt(printExpression(reading))).join(", or as ");
}

interface Reference {
  readonly written: string;
  readonly readings: readonly Expression[];
}

/** The reference, or what is wrong with it. */
function readReference(gold: string): Reference | string {
  const written = trimmed(gold);
  if (written === "") return "which is empty";
  if (isClockTime(written)) return { written, readings: [] };
  try {
    return { written, readings: parseExpression(written, new WorkBudget()) };
  } catch (error) {
    if (error instanceof TroupeError) return error.message;
    throw error;
  }
}

function judge(
  references: readonly Reference[],
  answer: string,
  options: MathOptions,
  trace: TraceStep[] | undefined,
): Finding {
  const written = trimmed(answer);
  // Before anything that takes longer on longer text.
  if (written.length > SIZE_LIMITS.characters) {
    return { kind: "fail", reason: `budget-exceeded: the answer has ${written.length} characters` };
  }
  const undecided: (readonly [gold: Expression, answer: Expression])[] = [];
  const comparison: Comparison = {
    budget: new WorkBudget(),
    percent: options.percent ?? "unit",
    isUndecided: false,
    onUndecided: (gold, answer) => undecided.push([gold, answer]),
    ...(trace === undefined ? {} : { trace }),
  };
  try {
    let readings: readonly Expression[] | undefined;
    for (const reference of references) {
      if (isSameText(reference.written, written)) return { kind: "pass", reason: "same-text" };
      const choice = isSameChoice(reference.written, written);
      if (choice === true) return { kind: "pass", reason: "same-choice" };
      if (choice === false) continue;
      const time = isSameTime(reference.written, written);
      if (time === true) return { kind: "pass", reason: "same-time" };
      if (time === false) continue;
      if (readings === undefined) {
        readings = parseExpression(written, comparison.budget);
        trace?.push({ step: "answer", says: `${excerpt(written)} is read as ${readingsText(readings)}` });
      }
      const isSame = readings.some((reading) =>
        reference.readings.some((gold, index) => isSameReading(gold, index > 0, reading, comparison)),
      );
      if (isSame) return { kind: "pass", reason: "equal" };
    }
    for (const [gold, open] of undecided) {
      // Of a list or a tuple a part alone decides nothing.
      const isWhole =
        references.some((reference) => reference.readings.some((reading) => valueOf(reading, true) === gold)) &&
        readings?.some((reading) => valueOf(reading, false) === open);
      if (isWhole === true) options.onUndecided?.(gold, open);
    }
    const particulars = `got ${excerpt(written)}, want ${references.map((reference) => excerpt(reference.written)).join(" or ")}`;
    return { kind: "fail", reason: `${comparison.isUndecided ? "undecided" : "wrong-answer"}: ${particulars}` };
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    if (error.code === "MATH_WORK_EXCEEDED")
      return { kind: "fail", reason: `budget-exceeded: ${String(error.details["what"])}` };
    return { kind: "fail", reason: `unparsable: found ${String(error.details["found"])} in ${excerpt(written)}` };
  }
}

/** "12,345" read as a list is met by that list; the pair (12, 345) is another thing. */
function isSameReading(gold: Expression, isSecond: boolean, answer: Expression, comparison: Comparison): boolean {
  return !(isSecond && answer.kind === "tuple") && isSameAnswer(gold, answer, comparison);
}

/** What "x = …" says of x, or all of it. */
function valueOf(reading: Expression, isReference: boolean): Expression {
  return namedValue(reading, isReference) ?? reading;
}

/** Without the delimiters and the full stop that belong to the sentence around it. */
function trimmed(answer: string): string {
  return answer
    .trim()
    .replace(/^(?:\\[([])\s*|\s*(?:\\[)\]])$/g, "")
    .replace(/(?<!\.)\.\s*$/, "")
    .trim();
}

function excerpt(text: string): string {
  const line = text.slice(0, 200).replace(/\s+/g, " ");
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
