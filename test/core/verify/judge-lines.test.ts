import { describe, expect, it } from "vitest";
import { collect } from "../../support/collect.js";
import { z } from "zod";
import { systemClock } from "../../../core/src/actors/clock.js";
import { judgeLines } from "../../../core/src/verify/judge-lines.js";
import type { Judge } from "../../../core/src/environments/judge.js";
import type { Verdict } from "../../../core/src/records/verdict.js";

const caseSchema = z.strictObject({ gold: z.number(), answer: z.number() });

/** Passes equal numbers, and knows how many cases were under way together. */
class EqualityJudge implements Judge {
  readonly verifier = "equality";
  readonly version = "1";
  readonly atOnce: number;
  underWay = 0;
  most = 0;

  constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  async judge(one: unknown): Promise<Verdict> {
    const { gold, answer } = caseSchema.parse(one);
    this.most = Math.max(this.most, ++this.underWay);
    // Later cases end earlier.
    for (let turn = 0; turn < 20 - gold; turn++) await Promise.resolve();
    this.underWay--;
    const isSame = gold === answer;
    return {
      kind: isSame ? "pass" : "fail",
      score: isSame ? 1 : 0,
      reason: "compared",
      verifier: this.verifier,
      version: this.version,
      ms: 0,
    };
  }

  async close(): Promise<void> {}
}

async function* linesOf(...texts: readonly string[]) {
  for (const [index, text] of texts.entries()) yield { number: index + 1, text };
}

function judgeAll(judge: Judge, ...texts: readonly string[]) {
  return collect(judgeLines({ judge, caseSchema }, linesOf(...texts), { source: "cases.jsonl", clock: systemClock }));
}

describe("judgeLines()", () => {
  it("gives verdicts in the order of the lines, under their ids or else their numbers", async () => {
    const found = await judgeAll(
      new EqualityJudge(3),
      '{"id":"a","gold":1,"answer":1}',
      '{"gold":2,"answer":3}',
      '{"id":9,"gold":3,"answer":3}',
    );
    expect(found).toMatchObject([
      { id: "a", verdict: { kind: "pass" } },
      { id: 2, verdict: { kind: "fail" } },
      { id: 9, verdict: { kind: "pass" } },
    ]);
  });

  it.each([
    ["oops", "the line is no JSON"],
    ["[1]", "the line is no JSON object"],
    ['{"id":null,"gold":1,"answer":1}', 'field "id" is null'],
    ['{"gold":1}', 'field "answer"'],
    ['{"gold":1,"answer":1,"anwser":1}', "anwser"],
  ])("says what is wrong with the line %s, and judges the others", async (bad, problem) => {
    const good = '{"gold":1,"answer":1}';
    const found = await judgeAll(new EqualityJudge(1), good, bad, good);
    expect(found).toMatchObject([{ id: 1 }, { line: 2, error: { code: "CASE_NOT_VALID" } }, { id: 3 }]);
    const [, refused] = found;
    expect(refused !== undefined && "error" in refused ? refused.error.message : "").toContain(problem);
  });

  it("keeps as many cases under way as the judge asks for, and no more", async () => {
    const judge = new EqualityJudge(4);
    const found = await judgeAll(
      judge,
      ...Array.from({ length: 20 }, (_, i) => JSON.stringify({ id: i, gold: i % 7, answer: 3 })),
    );
    expect(found.map((one) => ("id" in one ? one.id : "error"))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(judge.most).toBe(4);
  });
});
