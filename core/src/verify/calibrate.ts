import { errors } from "../errors.js";
import { wilsonInterval, type Interval } from "../numerics/statistics.js";
import type { Verdict } from "../records/verdict.js";
import type { OpenJudge } from "./open-judge.js";

/** A share of some cases with its 95 % interval (Wilson); NaN where there were no cases. */
export interface Share {
  readonly value: number;
  readonly interval: Interval;
}

/** How a verifier did on the labelled cases of one category, or of "all". */
export interface CalibrationRow {
  readonly category: string;
  readonly cases: number;
  /** Labelled pass. */
  readonly positives: number;
  /** Of what it passed, the share that is labelled pass. */
  readonly precision: Share;
  /** Of what is labelled pass, the share that it passed. */
  readonly recall: Share;
}

/** A case on which verifier and label differ. */
export interface Disagreement {
  readonly line: number;
  readonly category: string;
  readonly label: Label;
  readonly case: unknown;
  readonly verdict: Verdict;
}

/** What labelled cases say about a verifier. */
export interface Calibration {
  readonly verifier: string;
  readonly version: string;
  /** "all" first, then the categories in the order of the file. */
  readonly rows: readonly CalibrationRow[];
  readonly disagreements: readonly Disagreement[];
}

type Label = "pass" | "fail";

interface Counts {
  cases: number;
  positives: number;
  passed: number;
  rightlyPassed: number;
}

/**
 * Measures a verifier on labelled cases, lines of `{category, label: "pass" | "fail", …case}`. Everything but a pass
 * counts as refused, a verdict of kind `error` too.
 *
 * @throws CASE_NOT_VALID at the first line that is no labelled case: a calibration set has no bad lines
 */
export async function calibrate(
  { judge, caseSchema }: Pick<OpenJudge, "judge" | "caseSchema">,
  lines: AsyncIterable<{ readonly number: number; readonly text: string }>,
  source: string,
): Promise<Calibration> {
  const table = new Map<string, Counts>([["all", { cases: 0, positives: 0, passed: 0, rightlyPassed: 0 }]]);
  const disagreements: Disagreement[] = [];
  for await (const { number: line, text } of lines) {
    const one = readLabelled(text, caseSchema);
    if (typeof one === "string") throw errors.caseNotValid({ source, line, problem: one });
    const verdict = await judge.judge(one.case);
    const isPass = verdict.kind === "pass";
    const isPositive = one.label === "pass";
    for (const category of ["all", one.category]) {
      const counts = table.get(category) ?? { cases: 0, positives: 0, passed: 0, rightlyPassed: 0 };
      counts.cases++;
      counts.positives += Number(isPositive);
      counts.passed += Number(isPass);
      counts.rightlyPassed += Number(isPass && isPositive);
      table.set(category, counts);
    }
    if (isPass !== isPositive) disagreements.push({ line, ...one, verdict });
  }
  return {
    verifier: judge.verifier,
    version: judge.version,
    rows: [...table].map(([category, counts]) => ({
      category,
      cases: counts.cases,
      positives: counts.positives,
      precision: shareOf(counts.rightlyPassed, counts.passed),
      recall: shareOf(counts.rightlyPassed, counts.positives),
    })),
    disagreements,
  };
}

function shareOf(part: number, whole: number): Share {
  return { value: whole === 0 ? NaN : part / whole, interval: wilsonInterval(part, whole) };
}

function readLabelled(
  text: string,
  caseSchema: OpenJudge["caseSchema"],
): { readonly category: string; readonly label: Label; readonly case: unknown } | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "the line is no JSON";
  }
  if (typeof value !== "object" || value === null) return "the line is no JSON object";
  // A JSON object is a record of unknown values.
  const { category, label, ...fields } = value as Readonly<Record<string, unknown>>;
  if (typeof category !== "string" || category === "") return 'field "category" must be text';
  if (label !== "pass" && label !== "fail") return 'field "label" must be "pass" or "fail"';
  const parsed = caseSchema.safeParse(fields);
  return parsed.success ? { category, label, case: parsed.data } : parsed.error.issues.map((i) => i.message).join("; ");
}
