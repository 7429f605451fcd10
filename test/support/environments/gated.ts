import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { defineEnvironment, z, type Verdict } from "@troupe/core/sdk";

const verdict = (rest: Pick<Verdict, "kind" | "score" | "reason">): Verdict => ({
  ...rest,
  verifier: "gated",
  version: "1.0.0",
  ms: 0,
});

/**
 * An environment whose verifier does what the response says, once the file `meta.gate` is there, and leaves its task's id
 * in the file `meta.log`.
 */
export default defineEnvironment({
  name: "gated",
  version: "1.0.0",
  description: "A verifier that waits for a file",
  config: z.strictObject({ bonus: z.number().default(0) }),
  taskset: async () => {
    throw new Error("there are no tasks");
  },
  verifier: ({ bonus }) => ({
    name: "gated",
    version: "1.0.0",
    async verify({ id, reference, meta }, { responseText }) {
      const { gate, log } = meta;
      if (typeof log === "string") appendFileSync(log, `${id}\n`);
      while (typeof gate === "string" && !existsSync(gate)) await pause(5);
      if (responseText === "exit") process.exit(7);
      // As good as a loop without end, and takes nothing from those who work.
      if (responseText === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      if (responseText === "throw") throw new RangeError(`no verdict on ${id}`);
      if (responseText === "abstain") return verdict({ kind: "abstain", reason: "asked-to" });
      if (responseText === "infinite") return verdict({ kind: "partial", score: Infinity, reason: "asked-to" });
      if (responseText === reference) return verdict({ kind: "pass", score: 1, reason: "equal" });
      return verdict(
        bonus > 0 ? { kind: "partial", score: bonus, reason: "bonus" } : { kind: "fail", score: 0, reason: "other" },
      );
    },
  }),
});
