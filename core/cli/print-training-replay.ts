import { distillPolicy } from "../src/distill.js";
import {
  replayTraining,
  type CheckpointComparison,
  type OtherKernels,
  type RetrainedPart,
  type TrainingReplayOptions,
} from "../src/replay-training.js";
import type { Job } from "./job-file.js";
import { ReplayTally } from "./render/replay-tally.js";

/** The options with the policy that the run began with, where a teacher made it: found in the cache, or made again. */
export async function withFirstWeights(options: TrainingReplayOptions, job: Job): Promise<TrainingReplayOptions> {
  const base = job.kind === "run" ? job.config : job.experiment.base;
  if (!base.distill) return options;
  const { directory } = await distillPolicy(base, job.baseDirectory, () => {}, new AbortController().signal);
  const { config } = options;
  return { ...options, config: { ...config, policy: { ...config.policy, from: directory } }, weights: directory };
}

/** Trains a run again and says what was compared with it; sets exit code 5 when one float differs. */
export async function printTrainingReplay(options: TrainingReplayOptions, json: boolean): Promise<void> {
  const tally = new ReplayTally();
  const findings = new Findings();
  for await (const part of replayTraining(options)) {
    const decided = part.kind === "step" ? tally.add(part.decided) : [];
    const records = [...decided, ...findings.add(part)];
    if (json) for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
    else if (process.stderr.isTTY && part.kind === "step") process.stderr.write(`\rstep ${part.decided.step} …`);
  }
  if (process.stderr.isTTY && !json) process.stderr.write("\r\x1b[K");
  const total = { ...tally.total(), ...findings.total() };
  if (total.equal < total.samples || !findings.isSame) process.exitCode = 5;
  const { id } = options.directory;
  process.stdout.write(json ? `${JSON.stringify({ type: "replay", ...total })}\n` : tally.words(id) + findings.words());
}

/** What the updates and weights of a replay came to. */
class Findings {
  readonly #checkpoints: CheckpointComparison[] = [];
  #updates = 0;
  #numbers = 0;
  /** The first step whose update reported another number. */
  #first: { readonly step: number; readonly what: string; readonly kernels?: OtherKernels | undefined } | undefined;

  add(part: RetrainedPart): readonly object[] {
    if (part.kind === "checkpoint") {
      this.#checkpoints.push(part.comparison);
      return [{ type: "compared", ...part.comparison }];
    }
    const { decided, compared, differing, kernels } = part;
    this.#updates += compared > 0 ? 1 : 0;
    this.#numbers += compared;
    const [one] = differing;
    if (one) this.#first ??= { step: decided.step, what: `${one.name} ${one.recorded} → ${one.replayed}`, kernels };
    return differing.map((difference) => ({ type: "update-difference", step: decided.step, ...difference }));
  }

  get isSame(): boolean {
    return !this.#first && this.#checkpoints.every(({ differing }) => differing.length === 0);
  }

  total(): object {
    return {
      updates: this.#updates,
      checkpoints: this.#checkpoints.map(({ step }) => step),
      values: this.#checkpoints.at(-1)?.values ?? 0,
      isSame: this.isSame,
      digests: this.#checkpoints.at(-1)?.digests ?? {},
    };
  }

  words(): string {
    const steps = this.#checkpoints.map(({ step }) => step);
    const values = (this.#checkpoints[0]?.values ?? 0).toLocaleString("en");
    const lines = [
      `${this.#updates} updates taken again, ${this.#numbers} of their numbers compared${this.#first ? "" : ": 0 differ"}`,
      ...(this.#first ? [`first difference at step ${this.#first.step}: ${this.#first.what}`] : []),
      ...(this.#first?.kernels ? [kernelWords("its samples were drawn", this.#first.kernels)] : []),
      steps.length === 0
        ? "no checkpoint to compare weights with"
        : `weights and moments, ${values} floats, compared with ${steps.length} checkpoints (steps ${shortList(steps)})${this.isSame ? ": 0 differ" : ""}`,
      ...this.#checkpoints
        .filter(({ differing }) => differing.length > 0)
        .slice(0, 1)
        .flatMap(wordsOf),
    ];
    return lines.map((line) => `${line}\n`).join("");
  }
}

function wordsOf({ step, differing, first, kernels }: CheckpointComparison): readonly string[] {
  const where = first
    ? `: ${first.differing.toLocaleString("en")} floats of ${first.file}, first "${first.tensor}"[${first.index}] ${first.recorded} → ${first.replayed}`
    : "";
  return [
    `step ${step} is the first checkpoint with other ${differing.join(" and ")}${where}`,
    ...(kernels ? [kernelWords("it was computed", kernels)] : []),
  ];
}

function kernelWords(what: string, { recorded, replayed }: OtherKernels): string {
  return `${what} with ${recorded} kernels, now they are ${replayed}`;
}

function shortList(steps: readonly number[]): string {
  return steps.length <= 8 ? steps.join(", ") : `${steps.slice(0, 4).join(", ")}, … ${steps.slice(-2).join(", ")}`;
}
