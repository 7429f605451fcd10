import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import codeEnvironment from "@troupe/environments/code";
import { quantile } from "@troupe/core/sdk";
import type { BenchSession, Findings } from "./area.js";
import { middleOf, row } from "./row.js";

/** How much work each measurement does. */
export interface SandboxWork {
  /** Programs with ten tests each in a round; the bare interpreter and the sandbox take turns. */
  readonly programs: number;
  readonly rounds: number;
}

/** Not the one that the path names first: a version manager's script in front of it would cost more than it. */
const PYTHON = "/usr/bin/python3";
const TESTS = 10;
const LIMIT_MS = 500;
const SUM = "n = int(input())\nprint(sum(map(int, input().split())))\n";
const tests = Array.from({ length: TESTS }, (_, i) => ({ input: `3\n${i} 1 2\n`, output: `${i + 3}\n` }));

/** Programs with ten tests each, beside an interpreter started for each test; the first verdict; the overrun of a limit. */
export async function measureSandbox({ programs, rounds }: SandboxWork, session: BenchSession): Promise<Findings> {
  const cold: number[] = [];
  for (let round = 0; round < Math.max(3, rounds); round++) {
    const start = performance.now();
    const first = await openCode();
    cold.push(await judged(first, start));
    await first.judge.close();
  }
  const open = await openCode();
  const bare: number[] = [];
  const boxed: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    session.progress(`round ${round} of ${rounds}`);
    const pair = [
      await rate(programs, async () => {
        for (const { input } of tests) await runBare(input);
      }),
      await rate(programs, () => judged(open, performance.now())),
    ] as const;
    // The first round pays for files that nobody has read yet.
    if (round === 0) continue;
    bare.push(pair[0]);
    boxed.push(pair[1]);
  }
  const late: number[] = [];
  for (let i = 0; i < 2 * rounds; i++) {
    const start = performance.now();
    await judgeOne(open, { program: "while True: pass", limits: { testMs: LIMIT_MS } });
    late.push(performance.now() - start - LIMIT_MS);
  }
  await open.judge.close();
  return {
    rows: [
      row("sandbox/python/rate", "programs/s", middleOf(boxed), quantile(bare, 0.5)),
      row("sandbox/cold", "ms", middleOf(cold)),
      row("sandbox/late/p50", "ms", { value: quantile(late, 0.5), spread: null }),
      row("sandbox/late/max", "ms", { value: Math.max(...late), spread: null }),
    ],
    notes: [
      `${open.judge.notice ?? ""}; a program has ${TESTS} tests; ${availableParallelism()} at once; cold: from nothing to the first verdict; late: verdict after a limit of ${LIMIT_MS} ms`,
    ],
  };
}

type Open = Awaited<ReturnType<typeof openCode>>;

async function openCode() {
  const { judge } = codeEnvironment;
  if (judge === undefined) throw new Error("the code environment judges no single cases");
  return { caseSchema: judge.caseSchema, judge: await judge.open() };
}

/** Milliseconds until a right program has its verdict. */
async function judged(open: Open, start: number): Promise<number> {
  const verdict = await judgeOne(open, { program: SUM });
  if (verdict.kind !== "pass") throw new Error(`the sandbox failed a right program: ${verdict.reason}`);
  return performance.now() - start;
}

async function judgeOne(open: Open, more: object) {
  return open.judge.judge(open.caseSchema.parse({ mode: "stdin", tests, ...more }));
}

/** Pieces of work per second, as many at once as there are cores. */
async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let left = count;
  const lane = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return (1000 * count) / (performance.now() - start);
}

function runBare(input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(PYTHON, ["-c", SUM], { stdio: ["pipe", "ignore", "inherit"] });
    child.on("error", reject);
    child.on("close", () => resolve());
    child.stdin.end(input);
  });
}
