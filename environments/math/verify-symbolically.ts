import type { Verdict } from "@troupe/core/sdk";
import type { Expression } from "./expression.js";
import type { AssistantText } from "./extract-answer.js";
import type { SymbolicStep } from "./symbolic-step.js";
import { verifyAnswer, verifyMath, type MathOptions } from "./verify-math.js";

/** A response to extract from, or an answer that stands alone. */
export type Candidate = { readonly text: string | AssistantText } | { readonly answer: string };

/**
 * Like `verifyMath`; what it leaves undecided (integrals, limits, infinite sums) is asked of SymPy. Then the verdict may
 * also be `timeout` when SymPy misses its deadline and `infra` when it is not there: neither says anything of the answer.
 */
export async function verifySymbolically(
  gold: string | readonly string[],
  candidate: Candidate,
  step: SymbolicStep,
  options: MathOptions = {},
): Promise<Verdict> {
  const open: (readonly [gold: Expression, answer: Expression])[] = [];
  const withOpen = { ...options, onUndecided: (g: Expression, a: Expression) => void open.push([g, a]) };
  const verdict =
    "answer" in candidate ? verifyAnswer(gold, candidate.answer, withOpen) : verifyMath(gold, candidate.text, withOpen);
  if (!verdict.reason.startsWith("undecided")) return verdict;
  const { score: _, ...unscored } = verdict;
  for (const [g, a] of open) {
    const found = await step.compare(g, a);
    if (found === "equal") return { ...verdict, kind: "pass", score: 1, reason: "equal-symbolically" };
    if (found === "absent")
      return { ...unscored, kind: "infra", reason: "sympy-missing: no such Python, or no SymPy in it" };
    if (found === "deadline") return { ...unscored, kind: "timeout", reason: `sympy-deadline: ${verdict.reason}` };
    if (found === "different") return { ...verdict, reason: verdict.reason.replace("undecided", "wrong-answer") };
  }
  return verdict;
}
