import type { JsonObject } from "./json.js";

/** What a verifier can find. Only pass, fail and partial may reach a gradient. */
export const VERDICT_KINDS = ["pass", "fail", "partial", "abstain", "error", "timeout", "infra"] as const;

/** One of the seven kinds of verdict. */
export type VerdictKind = (typeof VERDICT_KINDS)[number];

/** What a verifier found about one trajectory, and why. */
export interface Verdict {
  readonly kind: VerdictKind;
  /** 1 for pass, 0 for fail, between them for partial; absent for every other kind. */
  readonly score?: number;
  /** A short, stable reason in kebab-case with its particulars after a colon: "wrong-answer: got 5, want 4". */
  readonly reason: string;
  /** Named findings: the extracted answer, test results, timings. */
  readonly parts?: JsonObject;
  readonly verifier: string;
  readonly version: string;
  /** Wall time of the check, milliseconds. */
  readonly ms: number;
}

/** A finding without its verifier: how an environment says what became of an episode. */
export type EpisodeOutcome = Pick<Verdict, "kind" | "score" | "reason" | "parts">;

/** What keeps a value from being a verdict; a NaN among the scores would reach every weight of the policy. */
export function verdictProblem(value: Partial<EpisodeOutcome> | undefined): string | undefined {
  if (Array.isArray(value)) return `a list of ${value.length} instead of one verdict`;
  const { kind, score } = value ?? {};
  if (kind === undefined) return "no verdict";
  if (!VERDICT_KINDS.includes(kind)) return `kind "${kind}"`;
  const isScored = kind === "pass" || kind === "fail" || kind === "partial";
  return isScored && !(score !== undefined && score >= 0 && score <= 1)
    ? `kind ${kind} with score ${score}`
    : undefined;
}

/** Whether a verdict may reach a gradient. */
export function isGradable(verdict: Verdict): verdict is Verdict & { readonly score: number } {
  return (
    verdict.score !== undefined && (verdict.kind === "pass" || verdict.kind === "fail" || verdict.kind === "partial")
  );
}
