import {
  defineEnvironment,
  deriveKey,
  z,
  type Task,
  type Trajectory,
  type Verdict,
  type VerdictKind,
} from "@troupe/core/sdk";

const config = z.strictObject({
  fault: z
    .enum(["none", "throw", "hang", "exit", "nothing", "not-a-number", "unscored", "unheard-of", "mixed"])
    .default("none")
    .describe("What the verifier does to chosen samples"),
  share: z.number().min(0).max(1).default(0.05).describe('Of the samples, for each fault of "mixed"'),
  every: z.int().min(1).default(2).describe("Every how many tasks have such a sample, in slot 1"),
  promptWords: z.int().min(1).default(1).describe("Words of every prompt"),
});

function isChosen(task: Task, trajectory: Trajectory, every: number): boolean {
  return trajectory.slot === 1 && Number(task.id.split("/")[1]) % every === 0;
}

const MIXED = ["exit", "hang", "list", "network"] as const;

/** As good as a loop without end, and takes nothing from those who work. */
function hang(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** What befalls a sample with the fault "mixed": chance decides by its id, so that a second try meets the same. */
function faultOf(id: string, share: number): (typeof MIXED)[number] | undefined {
  return MIXED[Math.floor(deriveKey(0, "unruly", id)[0] / 2 ** 32 / share)];
}

function verdict(kind: VerdictKind, score: number | undefined): Verdict {
  return {
    kind,
    ...(score === undefined ? {} : { score }),
    reason: "parity",
    verifier: "unruly",
    version: "1.0.0",
    ms: 0,
  };
}

/** An environment whose verifier misbehaves as it is told to; right are answers of an even number of tokens. */
export default defineEnvironment({
  name: "unruly",
  version: "1.0.0",
  description: "Verifiers that throw, hang or end their thread",
  config,
  taskset: async ({ promptWords }, split) => ({
    size: split === "eval" ? 4 : Infinity,
    at: (index) => ({
      id: `${split}/${index}`,
      domain: "unruly",
      prompt: [{ role: "user", content: "word ".repeat(promptWords) }],
      reference: "even",
      meta: {},
    }),
  }),
  verifier: ({ fault, every, share }) => ({
    name: "unruly",
    version: "1.0.0",
    async verify(task, trajectory) {
      const mixed = fault === "mixed" ? faultOf(trajectory.id, share) : undefined;
      if (mixed === "exit") process.exit(7);
      if (mixed === "hang") hang();
      // The types forbid a list; JavaScript may return one.
      if (mixed === "list") return [verdict("pass", 1), verdict("pass", 1)] as unknown as Verdict;
      // Port 9 of loopback: nobody is there.
      if (mixed === "network") await fetch("http://127.0.0.1:9/verify");
      if (isChosen(task, trajectory, every)) {
        if (fault === "throw") throw new RangeError(`no verdict on ${trajectory.id}`);
        if (fault === "exit") process.exit(7);
        if (fault === "hang") hang();
        // The types forbid this and "maybe"; JavaScript may return them.
        if (fault === "nothing") return undefined as unknown as Verdict;
        if (fault === "not-a-number") return verdict("partial", Number.NaN);
        if (fault === "unscored") return verdict("pass", undefined);
        // As above.
        if (fault === "unheard-of") return verdict("maybe" as VerdictKind, 1);
      }
      const isRight = trajectory.tokens.length % 2 === 0;
      return isRight ? verdict("pass", 1) : verdict("fail", 0);
    },
  }),
});
