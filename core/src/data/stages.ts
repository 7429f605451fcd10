import { deriveKey } from "../numerics/random.js";
import { readRecords } from "./read-records.js";
import { openJudge } from "../verify/open-judge.js";
import { byLength, withinLimits, type LengthLimits, type PassLimits } from "./difficulty.js";
import { judgeOne, scoreRow, voteRow, type ScoreOrigin } from "./judge-rollouts.js";
import { whyUnfit, type QuestionLimits } from "./question-filters.js";
import { drop, KEEP, textAt, valueAt, type Decision, type RowStage } from "./row.js";
import { GramIndex, wordsOf } from "./word-grams.js";

/** Names of the columns that stages read. */
export interface Columns {
  readonly problem: string;
  readonly answer: string;
}

/** Where a judge comes from: an environment by name or path, and where paths start. */
export interface JudgeSource {
  readonly environment: string;
  readonly baseDirectory: string;
}

/** Every stage with its options: plain data, so that it can be made again on another thread, or after a stop. */
export type StageOrder =
  | {
      readonly stage: "filter";
      readonly columns: Columns;
      readonly limits: QuestionLimits;
      readonly judge: JudgeSource | null;
      /** Rows released later are dropped; an ISO date, with the column that has the row's. */
      readonly notAfter: { readonly date: string; readonly column: string } | null;
    }
  | { readonly stage: "dedup"; readonly columns: readonly string[] }
  | {
      readonly stage: "decontaminate";
      readonly column: string;
      readonly n: number;
      readonly against: readonly { readonly path: string; readonly sha256: string; readonly column: string }[];
    }
  | {
      readonly stage: "references";
      readonly judge: JudgeSource;
      readonly fields: Readonly<Record<string, string>>;
      /** "fail" for programs that are wrong: tests that pass one are too weak. */
      readonly expect: "pass" | "fail";
    }
  | {
      readonly stage: "score" | "vote";
      readonly columns: Columns;
      readonly judge: JudgeSource;
      readonly origin: ScoreOrigin;
    }
  | { readonly stage: "keep"; readonly limits: PassLimits }
  /** One side of a split by a hash of the id: the same for every order of the rows. */
  | { readonly stage: "split"; readonly part: "train" | "eval"; readonly heldOut: number }
  | { readonly stage: "lengths"; readonly limits: LengthLimits; readonly column: string };

/** Stages whose decision depends on the rows before: they run on one thread, in order. */
export const REMEMBERING: readonly StageOrder["stage"][] = ["dedup"];

/** Makes a stage ready to decide. */
export async function openStage(order: StageOrder): Promise<RowStage> {
  switch (order.stage) {
    case "filter":
      return filterStage(order);
    case "dedup":
      return dedupStage(order.columns);
    case "decontaminate":
      return decontaminateStage(order);
    case "references":
      return referencesStage(order);
    case "score":
    case "vote": {
      const open = await openJudge(order.judge.environment, order.judge.baseDirectory);
      const decide = order.stage === "score" ? scoreRow : voteRow;
      return {
        atOnce: open.judge.atOnce,
        decide(row) {
          const gold = textAt(row.value, order.columns.answer);
          return gold === undefined ? missing(order.columns.answer) : decide(row, gold, open, order.origin);
        },
        close: () => open.judge.close(),
      };
    }
    case "keep":
      return { decide: (row) => withinLimits(row, order.limits) };
    case "split":
      return {
        decide(row) {
          const part = deriveKey(0, "data/split", row.id)[0] / 2 ** 32 < order.heldOut ? "eval" : "train";
          return part === order.part ? KEEP : drop(`in-${part}`);
        },
      };
    case "lengths":
      return {
        decide(row) {
          const tokens = valueAt(row.value, order.column);
          if (typeof tokens !== "number") return missing(order.column);
          return byLength(tokens, deriveKey(0, "data/lengths", row.id)[0] / 2 ** 32, order.limits);
        },
      };
  }
}

function missing(column: string): Decision {
  return drop("field-missing", column);
}

async function filterStage({ columns, limits, judge, notAfter }: StageOrder & { stage: "filter" }): Promise<RowStage> {
  const open = judge === null ? undefined : await openJudge(judge.environment, judge.baseDirectory);
  return {
    async decide({ value }) {
      const [problem, answer] = [textAt(value, columns.problem), textAt(value, columns.answer)];
      if (problem === undefined) return missing(columns.problem);
      if (answer === undefined) return missing(columns.answer);
      if (notAfter !== null) {
        const date = textAt(value, notAfter.column);
        if (date === undefined) return missing(notAfter.column);
        if (date.slice(0, 10) > notAfter.date) return drop("released-later", date);
      }
      const unfit = whyUnfit(problem, answer, limits);
      if (unfit !== undefined) return drop(...unfit);
      if (open === undefined) return KEEP;
      const verdict = await judgeOne(open, { gold: answer, answer });
      return verdict.kind === "pass" ? KEEP : drop("answer-not-checkable", `${answer}: ${verdict.reason}`);
    },
    ...(open === undefined ? {} : { close: () => open.judge.close() }),
  };
}

/** Rows alike in any of the columns, in words and not in layout, are one. */
function dedupStage(columns: readonly string[]): RowStage {
  const seen = new Map<string, number>();
  return {
    decide({ value, number }) {
      const keys = columns.flatMap((column) => {
        const text = textAt(value, column);
        return text === undefined ? [] : [`${column} ${wordsOf(text).join(" ")}`];
      });
      const twin = keys.map((key) => seen.get(key)).find((row) => row !== undefined);
      if (twin !== undefined) return drop("duplicate", `of row ${twin}`);
      for (const key of keys) seen.set(key, number);
      return KEEP;
    },
  };
}

async function decontaminateStage(order: StageOrder & { stage: "decontaminate" }): Promise<RowStage> {
  const index = new GramIndex(order.n);
  for (const { path, column } of order.against) {
    for await (const { number, value } of readRecords(path)) {
      const item = value && textAt(value, column);
      if (value !== undefined && item !== undefined) index.add(item, `${path}:${number}`);
    }
  }
  return {
    decide({ value }) {
      const text = textAt(value, order.column);
      if (text === undefined) return missing(order.column);
      const found = index.find(text);
      return found === undefined ? KEEP : drop("contaminated", `"${found.gram}" is in ${found.source}`);
    },
  };
}

/**
 * Rows whose own worked reference does not pass are dropped: the question, its tests or the reference are wrong. So are
 * rows whose wrong program passes, where that is asked.
 */
async function referencesStage({ judge, fields, expect }: StageOrder & { stage: "references" }): Promise<RowStage> {
  const open = await openJudge(judge.environment, judge.baseDirectory);
  return {
    atOnce: open.judge.atOnce,
    async decide({ value }) {
      const one: Record<string, unknown> = {};
      for (const [name, source] of Object.entries(fields)) {
        const found = source.startsWith("=") ? source.slice(1) : valueAt(value, source);
        if (found === undefined) return missing(source);
        one[name] = found;
      }
      const parsed = open.caseSchema.safeParse(one);
      if (!parsed.success)
        return drop(
          "no-case",
          parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
        );
      const verdict = await open.judge.judge(parsed.data);
      return verdict.kind === expect ? KEEP : drop(`reference-${verdict.kind}`, verdict.reason);
    },
    close: () => open.judge.close(),
  };
}
