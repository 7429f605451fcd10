import { VERDICT_KINDS, type Verdict } from "../records/verdict.js";

/**
 * What a verifier says. One that throws, or returns no verdict, has found nothing: a verdict of kind "error", never a
 * wrong answer.
 */
export async function checkedVerdict(
  identity: Pick<Verdict, "verifier" | "version">,
  verify: () => Verdict | Promise<Verdict>,
): Promise<Verdict> {
  const error = (reason: string): Verdict => ({ kind: "error", reason, ...identity, ms: 0 });
  try {
    const verdict = await verify();
    const problem = problemOf(verdict);
    return problem === undefined ? verdict : error(`verifier-returned: ${problem}`);
  } catch (cause) {
    return error(`verifier-threw: ${String(cause)}`);
  }
}

/** What keeps a value from being a verdict: a NaN among the scores would reach every weight of the policy. */
function problemOf(value: Partial<Verdict> | undefined): string | undefined {
  if (Array.isArray(value)) return `a list of ${value.length} instead of one verdict`;
  const { kind, score } = value ?? {};
  if (kind === undefined) return "no verdict";
  if (!VERDICT_KINDS.includes(kind)) return `kind "${kind}"`;
  const isScored = kind === "pass" || kind === "fail" || kind === "partial";
  return isScored && !(score !== undefined && score >= 0 && score <= 1)
    ? `kind ${kind} with score ${score}`
    : undefined;
}
