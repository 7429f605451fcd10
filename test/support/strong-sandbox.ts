import { codeCaseSchema, type CodeCaseInput } from "../../environments/code/code-case.js";
import { openNamespaceSandbox } from "../../environments/code/namespaces/namespace-sandbox.js";
import type { Sandbox } from "../../environments/code/sandbox.js";
import { verifyCode } from "../../environments/code/verify-code.js";
import type { Verdict } from "../../core/src/records/verdict.js";

const probe = await openNamespaceSandbox({
  language: "python",
  limits: { testMs: 6000, memoryMb: 512, outputBytes: 2 ** 20 },
});
if ("missing" in probe) process.stderr.write(`skipped: tests of sandbox tier A, as ${probe.missing}\n`);

/** Tier A, for tests that need it; undefined on machines without it, where they are skipped. Whoever uses it closes it. */
export const strongSandbox: Sandbox | undefined = "sandbox" in probe ? probe.sandbox : undefined;

/** Judges a case in tier A; every test's finding is in `parts.trace`. */
export function judgeStrongly(one: CodeCaseInput): Promise<Verdict> {
  if (strongSandbox === undefined) throw new Error("tier A is missing: this test should have been skipped");
  return verifyCode(codeCaseSchema.parse(one), strongSandbox, { explain: true });
}
