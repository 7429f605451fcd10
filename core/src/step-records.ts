import type { Collected } from "./collect.js";
import { mean } from "./numerics/statistics.js";
import { samplesOf, type Sample } from "./records/group.js";
import type { SampleView } from "./records/run-event.js";
import { policyLength } from "./records/trajectory.js";
import { hashTokens, type LedgerSample } from "./store/ledger.js";
import { describeRollout, type Rollout } from "./store/rollouts.js";

/** What a finished step leaves for the ledger, the rollout files and the screen. */
export class StepRecords {
  readonly #step: number;
  readonly #collected: Collected;
  readonly #rewards: ReadonlyMap<string, number>;
  readonly #advantages: ReadonlyMap<string, number | Float32Array>;
  readonly #kept: readonly Sample[];

  /** @param advantages in the order of the kept groups' samples */
  constructor(step: number, collected: Collected, advantages: readonly (number | Float32Array)[]) {
    this.#step = step;
    this.#collected = collected;
    this.#rewards = new Map(
      samplesOf(collected.cohort).map((sample, i) => [sample.trajectory.id, collected.shaped.rewards_N[i]!]),
    );
    this.#kept = collected.kept.flatMap(({ group }) => group.samples);
    this.#advantages = new Map(this.#kept.map((sample, i) => [sample.trajectory.id, advantages[i]!]));
  }

  /** Every sample that the update consumed. */
  ledger(): readonly LedgerSample[] {
    return this.#kept.map(({ trajectory }) => {
      const advantage = this.#advantages.get(trajectory.id);
      return {
        id: trajectory.id,
        task: trajectory.taskId,
        tokens: hashTokens(trajectory.tokens),
        reward: this.#rewards.get(trajectory.id) ?? 0,
        advantage: typeof advantage === "number" ? advantage : mean(advantage ?? []),
      };
    });
  }

  /** Everything that was sampled, with what became of it and why. */
  rollouts(): readonly Rollout[] {
    const { cohort, shaped, rewarded, decisions, sampled, roundEnds } = this.#collected;
    const parts = new Map(
      samplesOf(cohort).map(({ trajectory }, i) => [
        trajectory.id,
        Object.fromEntries(Object.entries(shaped.components).map(([name, values]) => [name, values[i]!])),
      ]),
    );
    const decisionOf = new Map(rewarded.map(({ group }, i) => [group.id, decisions[i]!]));
    return sampled.flatMap((group, index) =>
      group.samples.map((sample) => {
        const { id } = sample.trajectory;
        const advantage = this.#advantages.get(id);
        const isKept = advantage !== undefined;
        return describeRollout(group.task, sample, {
          step: this.#step,
          round: roundEnds.findIndex((end) => index < end),
          reward: this.#rewards.get(id) ?? 0,
          rewardParts: parts.get(id) ?? {},
          advantage,
          decision: isKept ? "keep" : decisionOf.get(group.id) === "resample" ? "resample" : "drop",
          decisionReason: isKept
            ? ""
            : this.#rewards.has(id)
              ? "by a keep hook, or beyond the wanted groups"
              : `verdict ${sample.verdict.kind}`,
        });
      }),
    );
  }

  /** One sample for people to read. */
  shown(): SampleView | undefined {
    const sample = this.#kept[0] ?? this.#collected.sampled[0]?.samples[0];
    if (!sample) return undefined;
    const { trajectory, verdict } = sample;
    return {
      id: trajectory.id,
      prompt: trajectory.promptText.slice(0, trajectory.promptText.length - trajectory.assistantPrefix.length),
      response: trajectory.assistantPrefix + trajectory.responseText,
      verdict: verdict.kind,
      reason: verdict.reason,
      reward: this.#rewards.get(trajectory.id) ?? 0,
      tokens: policyLength(trajectory),
    };
  }
}
