import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Verdict } from "../../../core/src/records/verdict.js";
import { judgeStrongly, strongSandbox } from "../../support/strong-sandbox.js";
import type { HostileProgram } from "./hostile-program.js";
import { JAVASCRIPT_PROGRAMS } from "./javascript-programs.js";
import { PYTHON_PROGRAMS } from "./python-programs.js";
import { Neighbourhood } from "./neighbourhood.js";
import { groupsLeft, processesLeft } from "./traces.js";

const neighbourhood = new Neighbourhood();
beforeAll(() => neighbourhood.open());
afterAll(async () => {
  neighbourhood.close();
  await strongSandbox?.close();
});

const all = [
  ...PYTHON_PROGRAMS.map((one) => ({ one, language: "python" as const })),
  ...JAVASCRIPT_PROGRAMS.map((one) => ({ one, language: "javascript" as const })),
];

describe.skipIf(strongSandbox === undefined)("hostile programs in tier A, by the pool that training uses", () => {
  const verdicts = new Map<HostileProgram, Promise<Verdict>>();
  beforeAll(() => {
    // All at once, two lanes: what one of them does must not matter to its neighbour.
    const waiting = [...all];
    const started = new Map(all.map(({ one }) => [one, deferred<Verdict>()]));
    for (const [one, { promise }] of started) verdicts.set(one, promise);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { one, language } = next;
        await judgeStrongly(neighbourhood.caseOf(one, language)).then(
          started.get(one)?.resolve,
          started.get(one)?.reject,
        );
      }
    };
    void Promise.all([lane(), lane()]);
  });

  it("are more than 100, honest ones among them", () => {
    expect(all.filter(({ one }) => one.isHonest !== true).length).toBeGreaterThanOrEqual(100);
    expect(all.filter(({ one }) => one.isHonest === true).length).toBeGreaterThanOrEqual(10);
  });

  it.each(all.map(({ one, language }) => ({ title: `${language}: ${one.name}`, one })))("$title", async ({ one }) => {
    const verdict = await verdicts.get(one);
    const said = JSON.stringify(verdict);
    if (one.isHonest === true) expect(verdict, said).toMatchObject({ kind: "pass" });
    else {
      expect(verdict, said).toMatchObject({ kind: "fail", score: 0 });
      // Whichever limit it meets first on a busy machine, a limit it is.
      if (one.want !== undefined && !verdict?.reason.startsWith("time-limit"))
        expect(verdict?.reason).toMatch(new RegExp(`^${one.want}`));
      // What is expected stands in the reason; nothing else may hold it.
      expect(verdict !== undefined && neighbourhood.tells(verdict), "the answer was found").toBe(false);
    }
  });

  it("leave no process, no cgroup, no file and no connection behind", async () => {
    await Promise.all(verdicts.values());
    await strongSandbox?.close();
    // Those of other test files end when they do: what is left stays.
    await expect.poll(() => processesLeft(), { timeout: 600_000 }).toEqual([]);
    await expect.poll(() => groupsLeft(), { timeout: 600_000 }).toEqual([]);
    expect(neighbourhood.visitors).toEqual([]);
    expect(neighbourhood.filesLeft()).toEqual([]);
  });
});

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(reason: unknown): void } {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
