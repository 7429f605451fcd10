import { defineJudge } from "@troupe/core/sdk";
import { codeCaseSchema, limitsSchema } from "./code-case.js";
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
      close: () => sandbox.close(),
    };
  },
});
