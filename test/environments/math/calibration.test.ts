import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verifyMath } from "../../../environments/math/verify-math.js";

interface Case {
  readonly category: string;
  readonly gold: string;
  readonly answer: string;
  /** Whether a careful person would accept the answer for the reference. */
  readonly same: boolean;
}

interface Counts {
  cases: number;
  accepted: number;
  rightlyAccepted: number;
  same: number;
}

const cases = readFileSync(new URL("calibration.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  // The file is our own; its form is checked below.
  .map((line) => JSON.parse(line) as Case);

function accepts({ gold, answer }: Case): boolean {
  return verifyMath(gold, { assistantPrefix: "", response: `So it is \\boxed{${answer}}.` }).kind === "pass";
}

function share(part: number, whole: number): string {
  return whole === 0 ? "  –  " : `${((100 * part) / whole).toFixed(1).padStart(5)} %`;
}

describe("verifyMath() on the calibration set", () => {
  const table = new Map<string, Counts>();
  const wrong: string[] = [];
  for (const one of cases) {
    const isAccepted = accepts(one);
    for (const row of [one.category, "all"]) {
      const counts = table.get(row) ?? { cases: 0, accepted: 0, rightlyAccepted: 0, same: 0 };
      counts.cases++;
      counts.accepted += Number(isAccepted);
      counts.rightlyAccepted += Number(isAccepted && one.same);
      counts.same += Number(one.same);
      table.set(row, counts);
    }
    if (isAccepted !== one.same) wrong.push(`${one.gold} | ${one.answer}`);
  }
  const lines = [...table].map(
    ([row, { cases: count, accepted, rightlyAccepted, same }]) =>
      `${row.padEnd(28)}${String(count).padStart(6)}  ${share(rightlyAccepted, accepted)}   ${share(rightlyAccepted, same)}`,
  );
  console.info([`${"category".padEnd(28)} cases  precision  recall`, ...lines].join("\n"));

  it("decides every case as labelled", () => {
    expect(wrong).toEqual([]);
  });

  it("has at least 200 cases, each once, about as many false as true", () => {
    expect(cases.length).toBeGreaterThanOrEqual(200);
    expect(new Set(cases.map(({ gold, answer }) => `${gold} | ${answer}`)).size).toBe(cases.length);
    const same = cases.filter((one) => one.same).length;
    expect(Math.abs(2 * same - cases.length)).toBeLessThan(cases.length / 10);
  });

  it("finds no reference unusable", () => {
    const golds = [...new Set(cases.map(({ gold }) => gold))];
    const kinds = golds.map((gold) => verifyMath(gold, { assistantPrefix: "", response: `\\boxed{${gold}}` }).kind);
    expect(golds.filter((_, index) => kinds[index] !== "pass")).toEqual([]);
  });
});
