import type { StepReport } from "../../src/records/step-report.js";
import { count, percent, significant, unitShare } from "./quantities.js";

/** One number of the status lines. */
export interface StatusEntry {
  readonly label: string;
  readonly value: string;
}

/** What the status lines show, in order, when the step's report has it: label, metric, how it is written. */
const STATUS: readonly (readonly [string, string, (value: number) => string])[] = [
  ["reward", "reward/mean", unitShare],
  ["pass", "verdict/pass", unitShare],
  ["len", "len/mean", significant],
  ["think", "think/rate", short],
  ["cut", "len/truncated", short],
  ["zero-var", "group/zero_var", short],
  ["tok/s", "speed/tokens", count],
  ["tok/s", "speed/train", count],
  ["entropy", "entropy/mean", bare],
  ["clip", "pg_clipfrac", short],
  ["loss", "loss/next_token", bare],
  ["grad", "grad/norm", bare],
  ["useful", "sample/yield", short],
  ["idle s", "time/bubble", bare],
];

/** The numbers of a step for people; the reward carries its direction against `earlier`. */
export function statusOf(report: StepReport, earlier: StepReport | undefined): readonly StatusEntry[] {
  return STATUS.flatMap(([label, metric, format]) => {
    const value = report.metrics[metric];
    if (value === undefined) return [];
    const arrow = metric === "reward/mean" ? direction(value, earlier?.metrics[metric]) : "";
    return [{ label, value: format(value) + arrow }];
  });
}

/** Without the zero before the point, as shares are written here: the columns are narrow. */
function bare(value: number): string {
  return significant(value).replace(/^(-?)0\./, "$1.");
}

function short(share: number): string {
  return percent(share).replace(" ", "");
}

function direction(now: number, before: number | undefined): string {
  if (before === undefined || Math.abs(now - before) < 0.005) return " ";
  return now > before ? "▲" : "▼";
}
