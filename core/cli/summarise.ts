import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import { HEADROOM_SAMPLES, type ExperimentResult, type PartResult } from "../src/experiment.js";
import { mean } from "../src/numerics/statistics.js";
import { writeFileAtomically } from "../src/store/durable-files.js";
import { readMeasured } from "../src/store/measured-json.js";
import { readMetrics } from "../src/store/metrics.js";
import { listRollouts, readRollouts, type RolloutRecord } from "../src/store/rollouts.js";
import type { RunDirectory } from "../src/store/run-directory.js";
import { commitOf, machineLine } from "./machine.js";
import { accuracyPlot } from "./render/plot.js";
import { armsTable } from "./render/table.js";
import { htmlReport } from "./report/html-report.js";
import type {
  ArmSamples,
  ArmSummary,
  Curve,
  CurveMark,
  Efficiency,
  Headroom,
  ReportData,
} from "./report/report-data.js";
import { summarySvg } from "./report/svg.js";

export type { ArmSummary } from "./report/report-data.js";

/** The mode whose prompt tells the policy not to think. */
const THINK_FREE = "thinkfree";
const PAIRS_SHOWN = 4;

/**
 * Writes `summary.json`, `summary.svg` and `report.html` of a finished experiment and prints table and plot on stderr
 * (with `json`, the summary as one record on stdout instead).
 *
 * @returns one summary an arm, "base" first
 */
export async function summariseExperiment(
  result: ExperimentResult,
  directory: RunDirectory,
  about: { readonly command: string; readonly title: string },
  json: boolean,
): Promise<readonly ArmSummary[]> {
  const arms = result.parts.map(summariseArm);
  const first = result.parts[0];
  const n = arms[0]?.modes[0]?.n ?? 0;
  const seed = first?.config.seed ?? 0;
  const headroom = result.headroom.map(describeHeadroom);
  // Every attempt's, whenever it was.
  const wallSeconds = result.parts.reduce((sum, { seconds }) => sum + seconds, 0);
  const summary = {
    arms,
    seed,
    n,
    wallSeconds,
    commit: commitOf(),
    machine: machineLine(),
    command: about.command,
    headroom,
  };
  const curves: Curve[] = [];
  const marks: CurveMark[] = [];
  const efficiency: Efficiency[] = [];
  const samples: ArmSamples[] = [];
  for (const part of result.parts) {
    const drawn = await curvesOf(part);
    curves.push(...drawn.curves);
    marks.push(...drawn.marks);
    efficiency.push(...(await efficiencyOf(part)));
    samples.push({ arm: part.name, pairs: await pairsOf(part, result.parts[0]?.directory ?? part.directory) });
  }
  const data: ReportData = {
    title: about.title,
    command: about.command,
    machine: summary.machine,
    commit: summary.commit,
    seed,
    wallSeconds,
    n,
    arms,
    headroom,
    curves,
    marks,
    efficiency,
    samples: samples.filter(({ pairs }) => pairs.length > 0),
    configs: result.parts.map(({ name, config }) => ({ arm: name, yaml: stringify(config) })),
    notices: [
      `Accuracies are measured on ${n} held-out tasks and shown with 95 % intervals; one seed says little about another.`,
    ],
  };
  await writeFileAtomically(directory.summarySvg, summarySvg(data));
  await writeFileAtomically(directory.report, htmlReport(data));
  // The last file: who finds it finds them all.
  await writeFileAtomically(directory.summary, `${JSON.stringify(summary, null, 2)}\n`);
  return printSummary(directory, json);
}

/** Prints the summary of an experiment that is finished, as `summariseExperiment` does, and changes nothing. */
export function printSummary(directory: RunDirectory, json: boolean): readonly ArmSummary[] {
  // What `summariseExperiment` wrote.
  const { arms, n } = readMeasured(directory.summary) as { arms: readonly ArmSummary[]; n: number };
  if (json) {
    const summary: object = JSON.parse(readFileSync(directory.summary, "utf8"));
    process.stdout.write(`${JSON.stringify({ type: "summary", ...summary })}\n`);
  } else {
    const plot = accuracyPlot(arms, n, Math.min(process.stderr.columns ?? 80, 100));
    process.stderr.write(`\n${plot}\n\n${armsTable(arms)}\n\nreport      ${directory.report}\n`);
  }
  return arms;
}

function summariseArm({ name, config, evaluations, trainTokens, seconds }: PartResult): ArmSummary {
  const modes = config.eval.modes.flatMap((mode) =>
    evaluations
      .filter(({ evaluation }) => evaluation.mode === mode)
      .slice(-1)
      .map(({ evaluation }) => evaluation),
  );
  const own = modes[0];
  const free = modes.find(({ mode }) => mode === THINK_FREE);
  const none: readonly [number, number] = [NaN, NaN];
  return {
    name,
    accuracy: own?.accuracy ?? NaN,
    ci95: own?.ci95 ?? none,
    accuracyThinkFree: free?.accuracy ?? NaN,
    ci95ThinkFree: free?.ci95 ?? none,
    tokensPerAnswer: own?.tokensPerAnswer ?? NaN,
    tokensPerAnswerThinkFree: free?.tokensPerAnswer ?? NaN,
    thinkRate: own?.thinkRate ?? NaN,
    trainTokens,
    seconds,
    modes,
  };
}

function describeHeadroom({ mode, greedy, sampled }: ExperimentResult["headroom"][number]): Headroom {
  const easiest = sampled.byDifficulty[0];
  return {
    mode,
    n: sampled.n,
    singleStep: easiest?.accuracy ?? NaN,
    greedy: greedy.accuracy,
    sampled: sampled.accuracy,
    k: HEADROOM_SAMPLES,
    passAtK: sampled.passAtK,
    mixedGroups: sampled.mixedGroups,
  };
}

async function curvesOf({
  name,
  config,
  directory,
  evaluations,
}: PartResult): Promise<{ curves: readonly Curve[]; marks: readonly CurveMark[] }> {
  const { lines } = await readMetrics(directory.metrics);
  const own = evaluations.filter(({ evaluation }) => evaluation.mode === config.eval.modes[0]);
  const curve = (curveName: Curve["name"], metric: string): Curve => ({
    arm: name,
    name: curveName,
    points: lines.flatMap(({ trainTokens, metrics }) =>
      metrics[metric] === undefined ? [] : [{ trainTokens, value: metrics[metric] }],
    ),
  });
  const marks = lines.flatMap((line, i) =>
    i > 0 && line.stage !== lines[i - 1]?.stage
      ? [{ arm: name, trainTokens: line.trainTokens, label: line.stage }]
      : [],
  );
  if (lines.length === 0) return { curves: [], marks };
  return {
    curves: [
      curve("reward", "reward/raw/mean"),
      {
        arm: name,
        name: "accuracy",
        points: own.map(({ trainTokens, evaluation }) => ({ trainTokens, value: evaluation.accuracy })),
      },
      curve("tokens", "len/mean"),
      curve("thinkRate", "think/rate"),
    ],
    marks,
  };
}

/** Empty where no step reports it, as when an arm was only taught. */
async function efficiencyOf({ name, directory }: PartResult): Promise<readonly Efficiency[]> {
  const { lines } = await readMetrics(directory.metrics);
  const meanOf = (metric: string): number =>
    mean(lines.flatMap(({ metrics }) => (metrics[metric] === undefined ? [] : [metrics[metric]])));
  if (!lines.some(({ metrics }) => metrics["sample/yield"] !== undefined)) return [];
  return [
    {
      arm: name,
      usefulSamples: meanOf("sample/yield"),
      idleSeconds: meanOf("time/bubble"),
      stepSeconds: meanOf("time/step"),
    },
  ];
}

/** The same held-out tasks answered before and after training, in the arm's own mode. */
async function pairsOf(
  { config, directory, evaluations }: PartResult,
  base: RunDirectory,
): Promise<ArmSamples["pairs"]> {
  const mode = config.eval.modes[0] ?? "default";
  const steps = evaluations.filter(({ evaluation }) => evaluation.mode === mode).map(({ step }) => step);
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  // An arm that began with the base's evaluations has no rollouts of its own for them.
  const own = (await listRollouts(directory.rollouts)).some((name) => name.startsWith(`eval-${mode}-000000`));
  const [before, after] = [
    await readRollouts(own ? directory.rollouts : base.rollouts, first, mode),
    await readRollouts(directory.rollouts, last, mode),
  ];
  const answers = new Map(after.map((record) => [record.id, record]));
  return before
    .flatMap((record) => {
      const later = answers.get(record.id);
      return later ? [{ before: view(record), after: view(later) }] : [];
    })
    .slice(0, PAIRS_SHOWN);
}

function view({
  id,
  prompt,
  assistantPrefix,
  response,
  verdict,
  reward,
  responseTokens,
}: RolloutRecord): ArmSamples["pairs"][number]["before"] {
  return {
    id,
    prompt: prompt.slice(0, prompt.length - assistantPrefix.length),
    response: assistantPrefix + response,
    verdict: verdict.kind,
    reason: verdict.reason,
    reward,
    tokens: responseTokens,
  };
}
