import type { StudyConfig } from "../../src/config/study-config.js";
import { mean, studentInterval } from "../../src/numerics/statistics.js";
import type { Evaluation } from "../../src/records/evaluation.js";
import { readMeasured } from "../../src/store/measured-json.js";
import type { ArmSummary, Curve, CurveMark, CurveName, Headroom } from "../report/report-data.js";
import { UnitRecord } from "./answers.js";
import { findingsOf, type Finding } from "./findings.js";
import type { Unit } from "./units.js";

/** Everything that a report shows of one study. */
export interface StudySummary {
  readonly name: string;
  readonly paper: string;
  readonly organism: string;
  readonly seeds: readonly number[];
  /** Held-out tasks. */
  readonly n: number;
  /** Means over seeds, with Student's intervals over them. */
  readonly arms: readonly ArmSummary[];
  readonly headroom: readonly Headroom[];
  readonly curves: readonly Curve[];
  readonly marks: readonly CurveMark[];
  readonly findings: readonly Finding[];
  /** Process seconds of all its runs together. */
  readonly seconds: number;
  /** Versions of Troupe that the runs were finished with; more than one where a study went on after a change. */
  readonly commits: readonly string[];
  readonly machines: readonly string[];
}

/** What `summarise.ts` writes at the end of an experiment, as far as a study reads it. */
interface UnitSummary {
  readonly arms: readonly ArmSummary[];
  readonly headroom: readonly Headroom[];
  readonly n: number;
  readonly wallSeconds: number;
  readonly commit: string;
  readonly machine: string;
}

/** Points of a curve: training metrics are averaged over so many equal parts of the token budget. */
const CURVE_POINTS = 40;

/** Gathers the finished units of one study. */
export async function summariseStudy(study: StudyConfig, units: readonly Unit[]): Promise<StudySummary> {
  // What `summarise.ts` wrote.
  const summaries = units.map(({ directory }) => readMeasured(directory.summary) as UnitSummary);
  const records = units.map(({ seed, directory }) => new UnitRecord(seed, directory));
  const [first] = summaries;
  const drawn = await Promise.all(study.experiment.arms.map(({ name }) => curvesOf(study, name, records)));
  return {
    name: study.name,
    paper: study.paper,
    organism: study.organism,
    seeds: units.map(({ seed }) => seed),
    n: first?.n ?? 0,
    arms: (first?.arms ?? []).map((_, i) => averageArm(summaries.flatMap(({ arms }) => arms[i] ?? []))),
    headroom: (first?.headroom ?? []).map((_, i) => averageHeadroom(summaries.flatMap((one) => one.headroom[i] ?? []))),
    curves: drawn.flatMap(({ curves }) => curves),
    marks: drawn.flatMap(({ marks }) => marks),
    findings: await findingsOf(study, records),
    seconds: summaries.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0),
    commits: [...new Set(summaries.map(({ commit }) => commit))],
    machines: [...new Set(summaries.map(({ machine }) => machine))],
  };
}

/** One arm's means over seeds. Difficulties are those of every seed: the held-out tasks are the same. */
function averageArm(arms: readonly ArmSummary[]): ArmSummary {
  const over = (pick: (arm: ArmSummary) => number): number => mean(arms.map(pick));
  const interval = (pick: (arm: ArmSummary) => number): readonly [number, number] => {
    const { low, high } = studentInterval(arms.map(pick));
    return [Math.max(0, low), Math.min(1, high)];
  };
  return {
    name: arms[0]?.name ?? "",
    accuracy: over(({ accuracy }) => accuracy),
    ci95: interval(({ accuracy }) => accuracy),
    accuracyThinkFree: over(({ accuracyThinkFree }) => accuracyThinkFree),
    ci95ThinkFree: interval(({ accuracyThinkFree }) => accuracyThinkFree),
    tokensPerAnswer: over(({ tokensPerAnswer }) => tokensPerAnswer),
    tokensPerAnswerThinkFree: over(({ tokensPerAnswerThinkFree }) => tokensPerAnswerThinkFree),
    thinkRate: over(({ thinkRate }) => thinkRate),
    trainTokens: over(({ trainTokens }) => trainTokens),
    seconds: over(({ seconds }) => seconds),
    modes: (arms[0]?.modes ?? []).map((_, i) => averageEvaluation(arms.flatMap(({ modes }) => modes[i] ?? []))),
  };
}

function averageEvaluation(evaluations: readonly Evaluation[]): Evaluation {
  // One evaluation a seed, of the same mode, and there is at least one seed.
  const first = evaluations[0] as Evaluation;
  const over = (pick: (evaluation: Evaluation) => number): number => mean(evaluations.map(pick));
  const { low, high } = studentInterval(evaluations.map(({ accuracy }) => accuracy));
  return {
    ...first,
    accuracy: over(({ accuracy }) => accuracy),
    ci95: [Math.max(0, low), Math.min(1, high)],
    tokensPerAnswer: over(({ tokensPerAnswer }) => tokensPerAnswer),
    thinkRate: over(({ thinkRate }) => thinkRate),
    truncated: over(({ truncated }) => truncated),
    passAtK: over(({ passAtK }) => passAtK),
    mixedGroups: over(({ mixedGroups }) => mixedGroups),
    byDifficulty: first.byDifficulty.map((slice, i) => ({
      ...slice,
      accuracy: over(({ byDifficulty }) => byDifficulty[i]?.accuracy ?? NaN),
      tokensPerAnswer: over(({ byDifficulty }) => byDifficulty[i]?.tokensPerAnswer ?? NaN),
      thinkRate: over(({ byDifficulty }) => byDifficulty[i]?.thinkRate ?? NaN),
    })),
  };
}

function averageHeadroom(rows: readonly Headroom[]): Headroom {
  const over = (pick: (row: Headroom) => number): number => mean(rows.map(pick));
  return {
    // One row a seed, of the same mode, and there is at least one seed.
    ...(rows[0] as Headroom),
    singleStep: over(({ singleStep }) => singleStep),
    greedy: over(({ greedy }) => greedy),
    sampled: over(({ sampled }) => sampled),
    passAtK: over(({ passAtK }) => passAtK),
    mixedGroups: over(({ mixedGroups }) => mixedGroups),
  };
}

async function curvesOf(
  { experiment }: StudyConfig,
  arm: string,
  records: readonly UnitRecord[],
): Promise<{ curves: readonly Curve[]; marks: readonly CurveMark[] }> {
  const lines = await Promise.all(records.map((record) => record.metrics(arm)));
  const evaluations = await Promise.all(records.map((record) => record.evaluations(arm)));
  const mode = experiment.arms.find(({ name }) => name === arm)?.config.eval.modes[0];
  const over = (name: CurveName, metric: string): Curve => ({
    arm,
    name,
    points: averageCurve(
      lines.map((own) =>
        own.flatMap(({ trainTokens, metrics }) =>
          metrics[metric] === undefined ? [] : [{ trainTokens, value: metrics[metric] }],
        ),
      ),
      CURVE_POINTS,
    ),
  });
  const accuracies = evaluations.map((own) =>
    own
      .filter(({ evaluation }) => evaluation.mode === mode)
      .map(({ trainTokens, evaluation }) => ({ trainTokens, value: evaluation.accuracy })),
  );
  const [first = []] = lines;
  return {
    curves: [
      over("reward", "reward/raw/mean"),
      { arm, name: "accuracy", points: averageByRank(accuracies) },
      over("tokens", "len/mean"),
      over("thinkRate", "think/rate"),
    ],
    // Stages switch at about the same tokens with every seed.
    marks: first.flatMap(({ stage, trainTokens }, i) =>
      i > 0 && stage !== first[i - 1]?.stage ? [{ arm, trainTokens, label: stage }] : [],
    ),
  };
}

type Points = Curve["points"];

/** Mean over seeds in equal parts of the tokens that the longest curve covers; parts without points are left out. */
export function averageCurve(curves: readonly Points[], parts: number): Points {
  const end = Math.max(0, ...curves.flatMap((points) => points.at(-1)?.trainTokens ?? 0));
  return Array.from({ length: parts }, (_, part) => {
    const own = curves.map((points) =>
      points.filter(
        ({ trainTokens }) => trainTokens > (part / parts) * end && trainTokens <= ((part + 1) / parts) * end,
      ),
    );
    const present = own.filter((points) => points.length > 0);
    const value = mean(present.map((points) => mean(points.map((point) => point.value))));
    return { trainTokens: ((part + 0.5) / parts) * end, value };
  }).filter(({ value }) => Number.isFinite(value));
}

/** Mean over seeds of their first, second, … points, where every seed has one. */
function averageByRank(curves: readonly Points[]): Points {
  const shortest = Math.min(...curves.map(({ length }) => length));
  return Array.from({ length: Number.isFinite(shortest) ? shortest : 0 }, (_, i) => ({
    trainTokens: mean(curves.map((points) => points[i]?.trainTokens ?? NaN)),
    value: mean(curves.map((points) => points[i]?.value ?? NaN)),
  }));
}
