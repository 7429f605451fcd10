import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { verifyMath } from "../../../environments/math/verify-math.js";

const DATA = fileURLToPath(new URL("../../../../shared/data/", import.meta.url));
const SETS = ["gsm8k_test.jsonl", "math500.jsonl", "aime_2022_2024.jsonl", "aime2024.jsonl"];

interface Row {
  readonly id: string;
  readonly answer: string;
  readonly solution?: string;
}

function rowsOf(file: string): Row[] {
  return (
    readFileSync(DATA + file, "utf8")
      .trimEnd()
      .split("\n")
      // The folder's README states these fields for every set.
      .map((line) => JSON.parse(line) as Row)
  );
}

function kindOf(gold: string, answer: string): string {
  return verifyMath(gold, { assistantPrefix: "<think>\n", response: `Hm.</think>It is $\\boxed{${answer}}$.` }).kind;
}

describe.skipIf(!existsSync(DATA))("verifyMath() on public problem sets", () => {
  it.each(SETS)("accepts every reference of %s as its own answer, and reads every one as mathematics", (file) => {
    const rows = rowsOf(file);
    expect(rows.filter(({ answer }) => kindOf(answer, answer) !== "pass")).toEqual([]);
    // Another layout, so that the comparison has to work on what was read.
    expect(rows.filter(({ answer }) => kindOf(answer, `\\left( ${answer} \\right)`) === "error")).toEqual([]);
  });

  it.each(SETS)("rejects the neighbour of every reference of %s", (file) => {
    const accepted = rowsOf(file).filter(({ answer }) => kindOf(answer, `${answer}+1`) !== "fail");
    expect(accepted).toEqual([]);
    const integers = rowsOf(file).filter(({ answer }) => /^-?\d+$/.test(answer));
    expect(integers.filter(({ answer }) => kindOf(answer, String(BigInt(answer) + 1n)) !== "fail")).toEqual([]);
    expect(integers.filter(({ answer }) => answer !== "0" && kindOf(answer, `-(${answer})`) !== "fail")).toEqual([]);
  });

  it("accepts the published solution of every problem of MATH-500", () => {
    const rejected = rowsOf("math500.jsonl").flatMap(({ id, answer, solution = "" }) => {
      const { kind, reason } = verifyMath(answer, { assistantPrefix: "", response: solution });
      return kind === "pass" ? [] : [`${id} ${reason}`];
    });
    expect(rejected).toEqual([]);
  });

  it("accepts the published final answer of every problem of GSM8K's test split behind ####", () => {
    const extraction = { mode: "boxed-or-phrase", thinking: "by-tags" } as const;
    const rejected = rowsOf("gsm8k_test.jsonl").filter(({ answer, solution = "" }) => {
      const response = `${solution}\n#### ${Number(answer).toLocaleString("en-US")}`;
      return verifyMath(answer, { assistantPrefix: "", response }, { extraction }).kind !== "pass";
    });
    expect(rejected).toEqual([]);
  });
});
