import { z, type Verdict, type Verifier } from "@troupe/core/sdk";
import { testsSchema } from "./code-case.js";
import { extractProgram } from "./extract-program.js";
import { openSandbox } from "./open-sandbox.js";
import { LANGUAGES, type Sandbox } from "./sandbox.js";
import type { Settings } from "./settings.js";
import { Lanes } from "./lanes.js";
import { CODE_VERIFIER, verifyCode } from "./verify-code.js";

const referenceSchema = z.strictObject({ language: z.enum(LANGUAGES), prelude: z.string(), tests: testsSchema });

/**
 * Judges the program in a response by the tests of its task. It opens its sandbox with the first program and keeps it as
 * long as its thread lives, whose end the sandbox does not outlive.
 */
export function codeVerifier(settings: Settings): Verifier {
  let sandbox: Promise<Sandbox> | undefined;
  let lanes: Lanes | undefined;
  return {
    name: CODE_VERIFIER.verifier,
    version: CODE_VERIFIER.version,
    async verify(task, trajectory): Promise<Verdict> {
      const found = (kind: "fail" | "error" | "infra", reason: string): Verdict => ({
        kind,
        ...(kind === "fail" ? { score: 0 } : {}),
        reason,
        ...CODE_VERIFIER,
        ms: 0,
      });
      const reference = referenceOf(task.reference);
      if (reference === undefined) return found("error", `unusable-reference: of task "${task.id}"`);
      const { language, prelude, tests } = reference;
      const { program, ...rest } = extractProgram(trajectory, language);
      if (program === undefined) return found("fail", "reason" in rest ? rest.reason : "no-code-block");
      const { testMs, memoryMb, outputKb } = settings.limits;
      const limits = { testMs, memoryMb, outputBytes: outputKb * 1024 };
      sandbox ??= openSandbox({ language, limits, boundary: settings.sandbox });
      let open: Sandbox;
      try {
        open = await sandbox;
      } catch (error) {
        // Another try may find what was missing for a moment: memory, processes.
        sandbox = undefined;
        return found("infra", `sandbox: ${String(error)}`);
      }
      lanes ??= new Lanes(open.atOnce);
      const one = { language, program: prelude === "" ? program : `${prelude}\n${program}`, ...tests };
      return lanes.run(() => verifyCode(one, open));
    },
  };
}

function referenceOf(text: string): z.output<typeof referenceSchema> | undefined {
  try {
    return referenceSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
