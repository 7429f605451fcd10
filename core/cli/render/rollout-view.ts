import { splitThinking } from "../../src/records/think-block.js";
import type { RolloutRecord } from "../../src/store/rollouts.js";
import type { RolloutTokens } from "../../src/store/token-file.js";
import { heatLegend, heatText, type Heat } from "./heat.js";
import type { Paint } from "./paint.js";
import { oneLine, printable, wrap } from "./printable.js";
import { significant } from "./quantities.js";

/** Lines of thinking that a folded view shows. */
const FOLDED_LINES = 3;

/** How a rollout is shown. */
export interface RolloutViewOptions {
  readonly width: number;
  readonly paint: Paint;
  readonly hasColour: boolean;
  /** Shows the thinking whole; folded, its first lines and its length. */
  readonly showThinking: boolean;
  /** Shows the response token by token; pieces has the text of each response token. */
  readonly heat?: { readonly by: Heat; readonly tokens: RolloutTokens; readonly pieces: readonly string[] };
}

/** One rollout for people: prompt, thinking, answer, verdict and why, reward, and all that touched it. */
export function rolloutView(rollout: RolloutRecord, options: RolloutViewOptions): string {
  const { paint } = options;
  const isRight = rollout.verdict.kind === "pass";
  const verdict = `${isRight ? "✓" : "✗"} ${rollout.verdict.kind}`;
  return [
    paint("bold", `rollout ${oneLine(rollout.id)}`) +
      paint("dim", `  task ${oneLine(rollout.task)}  mode ${oneLine(rollout.mode)}`),
    "",
    ...section("prompt", rollout.prompt, options),
    ...(options.heat === undefined ? responseSections(rollout, options) : heatSection(rollout, options.heat, options)),
    row("verdict", `${paint(isRight ? "green" : "yellow", verdict)}  ${oneLine(rollout.verdict.reason)}`),
    row("wanted", oneLine(rollout.reference)),
    row("reward", rewardText(rollout)),
    // A held-out rollout feeds no update, so nothing was decided about it.
    ...(isHeldOut(rollout) ? [] : [row("decision", decisionText(rollout))]),
    row("length", lengthText(rollout)),
    row("sampled", sampledText(rollout)),
    row("verifier", `${rollout.verdict.verifier} ${rollout.verdict.version}, ${significant(rollout.verdict.ms)} ms`),
    row("plugins", pairs(rollout.plugins, " ") || "none"),
    ...(Object.keys(rollout.annotations).length === 0 ? [] : [row("noted", oneLine(pairs(rollout.annotations, "=")))]),
  ].join("\n");

  function row(label: string, text: string): string {
    return `${paint("dim", label.padEnd(10))}${text}`;
  }
}

function responseSections(rollout: RolloutRecord, options: RolloutViewOptions): readonly string[] {
  const said = rollout.turns.filter(({ text }) => text !== undefined);
  if (said.length > 0) return said.flatMap(({ role, text = "" }) => section(role, text.trim(), options));
  const { thinking, answer } = splitThinking({
    assistantPrefix: rollout.assistantPrefix,
    responseText: rollout.response,
  });
  return [
    ...(thinking.trim() === "" ? [] : thinkingSection(thinking.trim(), options)),
    ...section("answer", answer?.trim() ?? "(the thinking never ended: no answer)", options),
  ];
}

function thinkingSection(thinking: string, { width, paint, showThinking }: RolloutViewOptions): readonly string[] {
  const lines = wrap(printable(thinking), width - 2);
  const shown = showThinking ? lines : lines.slice(0, FOLDED_LINES);
  const hidden = lines.length - shown.length;
  return [
    paint("dim", "thinking"),
    ...shown.map((line) => paint("dim", `  ${line}`)),
    ...(hidden > 0 ? [paint("dim", `  … ${hidden} more lines: --think shows them`)] : []),
    "",
  ];
}

function heatSection(
  rollout: RolloutRecord,
  { by, tokens, pieces }: NonNullable<RolloutViewOptions["heat"]>,
  { paint, hasColour }: RolloutViewOptions,
): readonly string[] {
  const all = { logprob: tokens.logprobs, entropy: tokens.entropies, advantage: tokens.advantages }[by];
  const values = all.subarray(rollout.promptTokens);
  const lines = heatText(pieces, values, by, hasColour).split("\n");
  return [
    paint("dim", "response"),
    ...lines.map((line) => `  ${line}`),
    paint("dim", `  ${heatLegend(by, values)}`),
    "",
  ];
}

function section(label: string, text: string, { width, paint }: RolloutViewOptions): readonly string[] {
  return [paint("dim", label), ...wrap(printable(text).trimEnd(), width - 2).map((line) => `  ${line}`), ""];
}

function isHeldOut({ decision, advantage }: RolloutRecord): boolean {
  return decision === "keep" && advantage === null;
}

function rewardText({ reward, rewardParts }: RolloutRecord): string {
  const parts = Object.entries(rewardParts).map(([name, value]) => `${oneLine(name)} ${significant(value)}`);
  return `${significant(reward)}${parts.length > 1 ? ` = ${parts.join(" + ")}` : ""}`;
}

function decisionText({ decision, decisionReason, advantage }: RolloutRecord): string {
  const reason = decisionReason === "" ? "" : `: ${oneLine(decisionReason)}`;
  return `${decision}${reason}, ${advantage === null ? "no advantage" : `advantage ${significant(advantage)}`}`;
}

function lengthText({
  promptTokens,
  responseTokens,
  maxTokens,
  truncated,
  stopReason,
  failure,
  turns,
}: RolloutRecord): string {
  const end = truncated ? "cut at the budget" : stopReason === "turns" ? "out of turns" : `ended by ${stopReason}`;
  const why = failure === undefined ? "" : `: ${oneLine(failure)}`;
  const own = turns.filter(({ role }) => role === "policy");
  const spoken = own.reduce((sum, turn) => sum + turn.end - turn.start, 0);
  const heard = own.length > 1 ? ` in ${own.length} turns, ${responseTokens - spoken} heard between them` : "";
  const count = own.length > 1 ? spoken : responseTokens;
  return `${promptTokens} prompt + ${count} of at most ${maxTokens} response tokens${heard}, ${end}${why}`;
}

function sampledText({ versions, temperature, seed, step, kernelSet }: RolloutRecord): string {
  const by = [...new Set(versions.map(({ version }) => version))].join(", ");
  return `for step ${step} by policy version ${by || "none"}, temperature ${significant(temperature)}, seed ${seed}${kernelSet === undefined ? "" : `, ${oneLine(kernelSet)} kernels`}`;
}

function pairs(record: Readonly<Record<string, unknown>>, between: string): string {
  return Object.entries(record)
    .map(([key, value]) => `${key}${between}${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
