import type { QuestionSide } from "../../src/config/study-config.js";
import { mean } from "../../src/numerics/statistics.js";
import { hasThought } from "../../src/records/think-block.js";
import type { DatedEvaluation, RunState } from "../../src/run-state.js";
import { latestCheckpoint, readCheckpointState } from "../../src/store/checkpoint.js";
import { readMetrics, type MetricsLine } from "../../src/store/metrics.js";
import { readRollouts } from "../../src/store/rollouts.js";
import type { RunDirectory } from "../../src/store/run-directory.js";

/** What can be measured of one answer. */
export type AnswerMeasure = "accuracy" | "tokens" | "thinkRate" | "truncated";

/** One answer to a held-out task. */
interface Answer {
  readonly task: string;
  /** The task's domain, and everything that its `meta` says. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly values: Readonly<Record<AnswerMeasure, number>>;
}

/** Half the width of the window over which a training metric is averaged, as a share of the run. */
const METRIC_WINDOW = 0.05;

/** What one run of an experiment, with one seed, left on disk: its arms' answers and metrics. */
export class UnitRecord {
  readonly seed: number;
  readonly #directory: RunDirectory;
  readonly #answers = new Map<string, Promise<readonly Answer[]>>();
  readonly #evaluations = new Map<string, Promise<readonly DatedEvaluation[]>>();

  constructor(seed: number, directory: RunDirectory) {
    this.seed = seed;
    this.#directory = directory;
  }

  /** Every evaluation of an arm, in order. */
  evaluations(arm: string): Promise<readonly DatedEvaluation[]> {
    return once(this.#evaluations, arm, async () => {
      const checkpoint = await latestCheckpoint(this.#directory.armToRead(arm));
      if (checkpoint === undefined) return [];
      // What a run saves as its state.
      return ((await readCheckpointState(checkpoint))["run"] as unknown as RunState).evaluations;
    });
  }

  /** Steps of an arm's training. */
  async metrics(arm: string): Promise<readonly MetricsLine[]> {
    return (await readMetrics(this.#directory.armToRead(arm).metrics)).lines;
  }

  /**
   * One value a held-out task: the mean over its samples at the side's moment, or averaged over training tokens.
   *
   * @param mode how the policy was told to answer
   */
  async valuesByTask(
    { arm, at, where }: QuestionSide,
    mode: string,
    measure: AnswerMeasure,
  ): Promise<ReadonlyMap<string, number>> {
    const evaluations = (await this.evaluations(arm)).filter(({ evaluation }) => evaluation.mode === mode);
    const values = new Map<string, number>();
    for (const { step, weight } of momentsOf(evaluations, at)) {
      const answers = (await this.#answersOf(arm, mode, step)).filter(({ facts }) => fits(facts, where));
      const samples = new Map<string, number>();
      for (const { task } of answers) samples.set(task, (samples.get(task) ?? 0) + 1);
      for (const { task, values: own } of answers)
        values.set(task, (values.get(task) ?? 0) + (weight * own[measure]) / (samples.get(task) ?? 1));
    }
    return values;
  }

  /** A number of the evaluations themselves, of one difficulty where the side asks for one; NaN where it never stood. */
  async evaluated({ arm, at, where }: QuestionSide, mode: string, name: string): Promise<number> {
    const evaluations = (await this.evaluations(arm)).filter(({ evaluation }) => evaluation.mode === mode);
    const values = momentsOf(evaluations, at).map(({ step, weight }) => {
      const evaluation = evaluations.find((one) => one.step === step)?.evaluation;
      const slices = where && evaluation?.byDifficulty.filter(({ difficulty }) => fits({ difficulty }, where));
      const found = slices ?? (evaluation === undefined ? [] : [evaluation]);
      const total = found.reduce((sum, { n }) => sum + n, 0);
      return weight * found.reduce((sum, one) => sum + (numberIn(one, name) * one.n) / total, 0);
    });
    return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0);
  }

  /** Mean of a training metric in a window around the side's moment, or over all steps; NaN where it never stood. */
  async metric({ arm, at }: QuestionSide, name: string): Promise<number> {
    const points = (await this.metrics(arm)).flatMap(({ trainTokens, metrics }) =>
      Number.isFinite(metrics[name]) ? [{ trainTokens, value: metrics[name] ?? NaN }] : [],
    );
    if (at === "average") return mean(points.map(({ value }) => value));
    const end = points.at(-1)?.trainTokens ?? 0;
    // A window of the same size at the run's ends too, and never narrower than its nearest step.
    const center = Math.min(Math.max(at, METRIC_WINDOW), 1 - METRIC_WINDOW) * end;
    const distances = points.map(({ trainTokens }) => Math.abs(trainTokens - center));
    const reach = Math.max(METRIC_WINDOW * end, Math.min(...distances));
    return mean(points.filter((_, i) => (distances[i] ?? Infinity) <= reach).map(({ value }) => value));
  }

  #answersOf(arm: string, mode: string, step: number): Promise<readonly Answer[]> {
    return once(this.#answers, `${arm}/${mode}/${step}`, async () => {
      const own = await readRollouts(this.#directory.armToRead(arm).rollouts, step, mode);
      // An arm that began with the base's evaluations has no rollouts of its own for them.
      const records = own.length > 0 ? own : await readRollouts(this.#directory.armToRead("base").rollouts, step, mode);
      return records.map((record) => ({
        task: record.task,
        facts: { ...record.taskMeta, domain: record.domain },
        values: {
          accuracy: record.verdict.score ?? 0,
          tokens: record.responseTokens,
          thinkRate: hasThought({ assistantPrefix: record.assistantPrefix, responseText: record.response }) ? 1 : 0,
          truncated: record.truncated ? 1 : 0,
        },
      }));
    });
  }
}

/** The evaluations that speak for a moment, with weights that add up to 1: the nearest, or all of them by trapezoids. */
export function momentsOf(
  evaluations: readonly DatedEvaluation[],
  at: QuestionSide["at"],
): readonly { readonly step: number; readonly weight: number }[] {
  const end = evaluations.at(-1)?.trainTokens ?? 0;
  if (at !== "average" || end === 0) {
    const wanted = (at === "average" ? 1 : at) * end;
    const [nearest] = evaluations.toSorted(
      (a, b) => Math.abs(a.trainTokens - wanted) - Math.abs(b.trainTokens - wanted),
    );
    return nearest === undefined ? [] : [{ step: nearest.step, weight: 1 }];
  }
  return evaluations.map(({ step, trainTokens }, i) => {
    const before = evaluations[i - 1]?.trainTokens ?? trainTokens;
    const after = evaluations[i + 1]?.trainTokens ?? trainTokens;
    return { step, weight: (after - before) / 2 / (end - (evaluations[0]?.trainTokens ?? 0)) };
  });
}

/** Whether a task's facts are those that a side asks for. */
export function fits(facts: Readonly<Record<string, unknown>>, where: QuestionSide["where"]): boolean {
  return Object.entries(where ?? {}).every(([name, wanted]) => {
    const found = facts[name];
    if (typeof wanted !== "object") return found === wanted;
    return typeof found === "number" && found >= (wanted.min ?? -Infinity) && found <= (wanted.max ?? Infinity);
  });
}

function numberIn(record: object, name: string): number {
  const value: unknown = Object.entries(record).find(([key]) => key === name)?.[1];
  return typeof value === "number" ? value : NaN;
}

function once<Value>(known: Map<string, Promise<Value>>, key: string, make: () => Promise<Value>): Promise<Value> {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
