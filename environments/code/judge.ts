import { defineJudge, type ServedAnswer, type Verdict } from "@troupe/core/sdk";
import { codeCaseSchema, limitsSchema, type CodeCase } from "./code-case.js";
import { extractProgram } from "./extract-program.js";
import { openSandbox } from "./open-sandbox.js";
import { CODE_VERIFIER, verifyCode } from "./verify-code.js";

/** How `troupe verify code` reaches `verifyCode`: one line, one program with its tests. */
export const codeJudge = defineJudge({
  caseSchema: codeCaseSchema,
  async open() {
    const { testMs, memoryMb, outputKb } = limitsSchema.parse({});
    const sandbox = await openSandbox({
      language: "python",
      limits: { testMs, memoryMb, outputBytes: outputKb * 1024 },
    });
    return {
      ...CODE_VERIFIER,
      atOnce: sandbox.atOnce,
      notice: `tier ${sandbox.tier.name}: ${sandbox.tier.boundary}`,
      judge: (one, options) => verifyCode(one, sandbox, options),
      judgeAnswer(answer) {
        const one = caseOf(answer);
        return "kind" in one ? one : verifyCode(one, sandbox);
      },
      close: () => sandbox.close(),
    };
  },
});

/**
 * The case of an answer: its ground truth is a case without the program, an object or its JSON text, and the program is
 * the last fenced block of the response. Or the verdict, where there is no case.
 */
function caseOf({ groundTruth, response: responseText, assistantPrefix }: ServedAnswer): CodeCase | Verdict {
  const found = (kind: "fail" | "error", reason: string): Verdict => ({
    kind,
    ...(kind === "fail" ? { score: 0 } : {}),
    reason,
    ...CODE_VERIFIER,
    ms: 0,
  });
  const tests = typeof groundTruth === "string" ? parsed(groundTruth) : groundTruth;
  if (typeof tests !== "object" || tests === null || Array.isArray(tests))
    return found(
      "error",
      "case-not-valid: ground_truth: a case without its program is wanted, an object or its JSON text",
    );
  // Of the two, tests that cannot be used are the task's fault, and come first.
  const one = codeCaseSchema.safeParse({ ...tests, program: "" });
  if (!one.success)
    return found(
      "error",
      `case-not-valid: ${one.error.issues.map(({ path, message }) => `${["ground_truth", ...path].join(".")}: ${message}`).join("; ")}`,
    );
  const extracted = extractProgram({ assistantPrefix, responseText }, one.data.language);
  return extracted.program === undefined
    ? found("fail", extracted.reason)
    : { ...one.data, program: extracted.program };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
