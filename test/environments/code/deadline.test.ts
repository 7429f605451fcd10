import { describe, expect, it } from "vitest";
import { createVerifiers } from "../../../core/dist/src/verifiers.js";
import { processesLeft } from "../../sandbox/hostile/traces.js";
import { strongSandbox } from "../../support/strong-sandbox.js";

describe.skipIf(strongSandbox === undefined)("a deadline of verdicts on programs", () => {
  it("makes no verdict on the program: what took too long is a timeout, and the next program is judged", async () => {
    await strongSandbox?.close();
    const verifiers = await createVerifiers({
      use: "code",
      with: { data: { path: "unused.jsonl" }, limits: { testMs: 600_000, totalMs: 600_000 } },
      deadlineMs: 30_000,
    });
    const task = (program: string) =>
      [
        {
          id: "echo",
          reference: JSON.stringify({
            language: "python",
            prelude: "",
            tests: {
              mode: "stdin",
              tests: [{ input: "a\n", output: "a" }],
              limits: { testMs: 600_000, totalMs: 600_000 },
            },
          }),
        },
        [`\`\`\`python\n${program}\n\`\`\``],
      ] as const;
    try {
      const late = await verifiers.verify(...task("import time\ntime.sleep(1000)"));
      expect(late).toMatchObject([{ kind: "timeout" }]);
      expect(late[0]).not.toHaveProperty("score");
      expect(await verifiers.verify(...task("print(input())"))).toMatchObject([{ kind: "pass", parts: { tier: "A" } }]);
    } finally {
      await verifiers.close();
    }
    // What ran behind the boundary ends with the thread that watched it, a moment later.
    await expect.poll(() => processesLeft(), { timeout: 600_000 }).toEqual([]);
  });
});
