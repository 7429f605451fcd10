import type { Question } from "../../src/config/study-config.js";
import { percent, significant } from "../render/quantities.js";
import type { Finding, FindingVerdict } from "./findings.js";

/** The words for a verdict. */
export const VERDICT_WORDS: Readonly<Record<FindingVerdict, string>> = {
  reproduced: "reproduced",
  open: "not shown",
  contrary: "the contrary",
};

/** What was measured: "accuracy of short (default) against long (default): 91.2 % against 88.0 %". */
export function measureText({ question, of, against }: Finding): string {
  const { measure, as } = question;
  const name =
    typeof measure === "string" ? MEASURES[measure] : "metric" in measure ? measure.metric : measure.evaluation;
  const value = (one: number): string => valueText(question, one);
  if (question.against === undefined) return `${name} of ${sideText(question.of)}: ${value(of)}`;
  const sides = `${sideText(question.of)} against ${sideText(question.against)}`;
  return `${name}, ${as} of ${sides}: ${value(of)} against ${value(against)}`;
}

const MEASURES: Readonly<Record<Extract<Question["measure"], string>, string>> = {
  accuracy: "accuracy",
  tokens: "tokens per answer",
  thinkRate: "think rate",
  rarerMode: "share of the rarer way to answer",
  truncated: "share of answers cut",
};

/** The effect with its interval: "+3.2 points (+1.0 to +5.4)", "0.48 (0.41 to 0.55)". */
export function effectText({ question, effect, interval: { low, high } }: Finding): string {
  const text = (value: number): string => differenceText(question, value);
  return `${text(effect)}${unitOf(question)} (${text(low)} to ${text(high)})`;
}

/** What an interval has to clear: "above 0", "below 0.7". */
export function boundText(question: Question): string {
  const { above, below } = question;
  const text = (value: number): string => `${differenceText(question, value)}${unitOf(question)}`;
  return above === undefined ? `below ${text(below ?? NaN)}` : `above ${text(above)}`;
}

/** A p-value as it is read: "< 0.001", "0.04"; "–" where there is none. */
export function pText(p: number): string {
  if (!Number.isFinite(p)) return "–";
  return p < 0.001 ? "< 0.001" : significant(Number(p.toPrecision(2)));
}

function isShare({ measure }: Question): boolean {
  if (typeof measure === "string") return measure !== "tokens";
  return "evaluation" in measure && measure.evaluation === "accuracy";
}

function unitOf(question: Question): string {
  return question.as === "difference" && isShare(question) ? (question.against ? " points" : " %") : "";
}

function valueText(question: Question, value: number): string {
  return isShare(question) ? percent(value, 1) : significant(value);
}

function differenceText(question: Question, value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (question.as === "ratio") return value.toFixed(2);
  const sign = value > 0 && question.against !== undefined ? "+" : "";
  return `${sign}${isShare(question) ? (100 * value).toFixed(1) : significant(value)}`;
}

function sideText({ arm, mode, at, where }: Question["of"]): string {
  const facts = Object.entries(where ?? {}).map(([name, wanted]) =>
    typeof wanted === "object" ? `${name} ${wanted.min ?? "any"} to ${wanted.max ?? "any"}` : `${name} ${wanted}`,
  );
  const moment =
    at === 1
      ? []
      : [at === "average" ? "average over training" : at === 0 ? "at the start" : `at ${percent(at)} of the tokens`];
  const notes = [...(mode === undefined ? [] : [mode]), ...facts, ...moment];
  return notes.length === 0 ? arm : `${arm} (${notes.join(", ")})`;
}
