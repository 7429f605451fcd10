import type { Question, QuestionSide, StudyConfig } from "../../src/config/study-config.js";
import { deriveKey, Random } from "../../src/numerics/random.js";
import { signFlipTest } from "../../src/numerics/sign-flips.js";
import { mean, studentInterval, type Interval } from "../../src/numerics/statistics.js";
import type { UnitRecord } from "./answers.js";

/** "reproduced" and "contrary": the whole interval lies on that side of the bound; "open": it holds the bound. */
export type FindingVerdict = "reproduced" | "open" | "contrary";

/** What a study found about one question. */
export interface Finding {
  readonly question: Question;
  /** Mean over seeds. */
  readonly of: number;
  /** NaN where a side is compared with the bound alone. */
  readonly against: number;
  /** Mean difference, or geometric mean of the ratios. */
  readonly effect: number;
  /** Student's, 95 %, over the seeds' differences or log ratios. */
  readonly interval: Interval;
  /** Sign-flip permutation test over problems within seeds; NaN where the sides cannot be paired by problem. */
  readonly p: number;
  readonly bySeed: readonly { readonly seed: number; readonly effect: number }[];
  readonly verdict: FindingVerdict;
}

/** Answers every question of a study from the records of its seeds. */
export async function findingsOf(study: StudyConfig, units: readonly UnitRecord[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const question of study.questions) findings.push(await findingOf(study, question, units));
  return findings;
}

async function findingOf(study: StudyConfig, question: Question, units: readonly UnitRecord[]): Promise<Finding> {
  const sides = [];
  for (const unit of units) {
    const of = await measure(study, question, question.of, unit);
    const against = question.against && (await measure(study, question, question.against, unit));
    sides.push({ seed: unit.seed, of, against });
  }
  const isRatio = question.as === "ratio";
  const effects = sides.map(({ of, against }) =>
    isRatio ? Math.log(of.value / (against?.value ?? NaN)) : of.value - (against?.value ?? 0),
  );
  const back = isRatio ? Math.exp : (value: number): number => value;
  const { low, high } = studentInterval(effects);
  const interval = { low: back(low), high: back(high) };
  return {
    question,
    of: mean(sides.map(({ of }) => of.value)),
    against: mean(sides.map(({ against }) => against?.value ?? NaN)),
    effect: back(mean(effects)),
    interval,
    p: signFlipTest(
      sides.map(({ of, against }) => pairedDifferences(of.byTask, against?.byTask)),
      new Random(deriveKey(0, "study", study.name, question.claim)),
    ),
    bySeed: sides.map(({ seed }, i) => ({ seed, effect: back(effects[i] ?? NaN) })),
    verdict: verdictOf(question, interval),
  };
}

/** Where the interval lies; an interval without bounds decides nothing. */
export function verdictOf({ above, below }: Question, { low, high }: Interval): FindingVerdict {
  if (above !== undefined) return low > above ? "reproduced" : high < above ? "contrary" : "open";
  const bound = below ?? NaN;
  return high < bound ? "reproduced" : low > bound ? "contrary" : "open";
}

interface Measured {
  readonly value: number;
  /** Absent where the value is not a mean over tasks. */
  readonly byTask?: ReadonlyMap<string, number>;
}

async function measure(
  { experiment }: StudyConfig,
  { measure: what }: Question,
  side: QuestionSide,
  unit: UnitRecord,
): Promise<Measured> {
  if (typeof what === "object" && "metric" in what) return { value: await unit.metric(side, what.metric) };
  const config = side.arm === "base" ? experiment.base : experiment.arms.find(({ name }) => name === side.arm)?.config;
  const mode = side.mode ?? config?.eval.modes[0] ?? "default";
  if (typeof what === "object") return { value: await unit.evaluated(side, mode, what.evaluation) };
  const byTask = await unit.valuesByTask(side, mode, what === "rarerMode" ? "thinkRate" : what);
  const value = mean([...byTask.values()]);
  return what === "rarerMode" ? { value: Math.min(value, 1 - value) } : { value, byTask };
}

/** Differences of the tasks that both sides answered; none where either has tasks of its own. */
function pairedDifferences(of: Measured["byTask"], against: Measured["byTask"]): readonly number[] {
  if (of === undefined || against === undefined || of.size !== against.size) return [];
  const differences = [...of].map(([task, value]) => value - (against.get(task) ?? NaN));
  return differences.every(Number.isFinite) ? differences : [];
}
