import { mean } from "../../src/numerics/statistics.js";
import type { ReplayedSample, ReplayedStep } from "../../src/replay.js";
import { textTable } from "./table.js";

/** One step in numbers. */
interface Line {
  readonly step: number;
  readonly samples: number;
  readonly equal: number;
  /** Mean rewards. */
  readonly recorded: number;
  readonly replayed: number;
  readonly rewardsChanged: number;
  readonly decisionsChanged: number;
  readonly largestChange: number;
}

/** Counts what a replay found, step by step, and puts it into words. */
export class ReplayTally {
  readonly #lines: Line[] = [];
  readonly #changed: { readonly step: number; readonly sample: ReplayedSample }[] = [];

  /** Takes a step in; gives its records for `--json`. */
  add({ step, samples }: ReplayedStep): readonly object[] {
    const line = lineOf(step, samples);
    this.#lines.push(line);
    const differing = samples.filter(({ isEqual }) => !isEqual);
    this.#changed.push(...differing.map((sample) => ({ step, sample })));
    return [{ type: "replayed", ...line }, ...differing.map((sample) => ({ type: "difference", step, ...sample }))];
  }

  /** The whole replay in one record. */
  total(): { readonly steps: number; readonly samples: number; readonly equal: number } {
    const sum = (of: (line: Line) => number): number => this.#lines.reduce((total, line) => total + of(line), 0);
    return { steps: this.#lines.length, samples: sum((line) => line.samples), equal: sum((line) => line.equal) };
  }

  /** What was compared, and the first samples that came out otherwise. */
  words(run: string): string {
    const { steps, samples, equal } = this.total();
    const changed = this.#changed
      .slice(0, 5)
      .map(
        ({ step, sample: { id, reward, decision, advantage } }) =>
          `  ${id} (step ${step}): reward ${reward.recorded} → ${reward.replayed}, ${decision.recorded} → ${decision.replayed}, advantage ${short(advantage.recorded)} → ${short(advantage.replayed)}\n`,
      );
    const more = this.#changed.length > 5 ? [`  … and ${this.#changed.length - 5} more (--json lists all)\n`] : [];
    return [
      `${run}: ${steps} steps, ${samples} samples, ${equal} with the same reward, decision and advantages, float for float\n`,
      ...changed,
      ...more,
    ].join("");
  }

  /** How each of the last steps' rewards moved. */
  changes(): string {
    return changeTable(this.#lines);
  }
}

function lineOf(step: number, samples: readonly ReplayedSample[]): Line {
  const differences = samples.map(({ reward }) => Math.abs(reward.replayed - reward.recorded));
  return {
    step,
    samples: samples.length,
    equal: samples.filter(({ isEqual }) => isEqual).length,
    recorded: mean(samples.map(({ reward }) => reward.recorded)),
    replayed: mean(samples.map(({ reward }) => reward.replayed)),
    rewardsChanged: differences.filter((difference) => difference > 0).length,
    decisionsChanged: samples.filter(({ decision }) => decision.recorded !== decision.replayed).length,
    largestChange: Math.max(0, ...differences),
  };
}

function changeTable(lines: readonly Line[]): string {
  return textTable(lines.slice(-20), [
    { title: "step", align: "right", cell: ({ step }) => String(step) },
    { title: "mean reward", align: "right", cell: ({ recorded }) => recorded.toFixed(3) },
    { title: "→", align: "right", cell: ({ replayed }) => replayed.toFixed(3) },
    {
      title: "rewards changed",
      align: "right",
      cell: ({ rewardsChanged, samples }) => `${rewardsChanged} of ${samples}`,
    },
    { title: "largest", align: "right", cell: ({ largestChange }) => largestChange.toFixed(3) },
    { title: "kept or dropped otherwise", align: "right", cell: ({ decisionsChanged }) => String(decisionsChanged) },
  ]);
}

function short(value: number | null): string {
  return value === null ? "none" : value.toFixed(3);
}
