import { verdictProblem, type Verdict } from "../records/verdict.js";

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
    const problem = verdictProblem(verdict);
    return problem === undefined ? verdict : error(`verifier-returned: ${problem}`);
  } catch (cause) {
    return error(`verifier-threw: ${String(cause)}`);
  }
}
