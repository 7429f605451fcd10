import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadStudy, type StudyConfig } from "../../../core/src/config/study-config.js";
import { TroupeError } from "../../../core/src/error-catalogue.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const file = join(folder, "study.yaml");

const HEAD = `paper: A paper
organism: An organism
base:
  name: pair
  policy: { from: ./policy }
  environment: { use: arithmetic, with: { minSteps: 1, maxSteps: 3 } }
  distill: { tokens: 100 }
  train: { steps: 0 }
  eval: { modes: [default, thinkfree] }
arms:
  one: { train: { steps: 5, tokenBudget: 9000 } }
  two: { startFrom: one, train: { steps: 6 }, environment: { use: countdown, with: { minDifficulty: 2 } } }
quick:
  seeds: 1
  over: { distill: { tokens: 10 }, train: { tokenBudget: 70 } }
`;
const QUESTION =
  "  - { claim: c, expects: e, measure: accuracy, above: 0, of: { arm: one }, against: { arm: base } }\n";

function load(questions = QUESTION, isQuick = false, head = HEAD): StudyConfig {
  writeFileSync(file, `${head}questions:\n${questions}`);
  return loadStudy(file, isQuick).config;
}

function refusal(questions: string, head = HEAD): string {
  try {
    load(questions, false, head);
  } catch (error) {
    if (error instanceof TroupeError) return error.message;
    throw error;
  }
  return "";
}

describe("loadStudy()", () => {
  test("gives experiment, questions and seeds; an arm in another environment has that one's settings alone", () => {
    const { name, seeds, experiment, questions } = load();
    expect({ name, seeds }).toEqual({ name: "pair", seeds: 5 });
    expect(experiment.arms.map((arm) => arm.startFrom)).toEqual([undefined, "one"]);
    expect(experiment.arms[1]?.config.environment).toEqual({ use: "countdown", with: { minDifficulty: 2 } });
    expect(questions[0]).toMatchObject({ as: "difference", of: { arm: "one", at: 1 }, otherwise: "" });
  });

  test("lays the short form over base and arms, the base alone being taught", () => {
    const { seeds, experiment } = load(QUESTION, true);
    expect(seeds).toBe(1);
    expect(experiment.base).toMatchObject({ distill: { tokens: 10 }, train: { steps: 0, tokenBudget: 70 } });
    expect(experiment.arms.map(({ config }) => [config.distill, config.train.steps, config.train.tokenBudget])).toEqual(
      [
        [undefined, 5, 70],
        [undefined, 6, 70],
      ],
    );
  });

  test("refuses arms and modes that are not there, with place and remedy", () => {
    const start = "  - claim: c\n    expects: e\n    measure: tokens\n    above: 0\n";
    expect(refusal(`${start}    of: { arm: three }\n`)).toContain(
      'study.yaml:21:11 questions.0.of.arm: "three" is no arm; known are base, one, two',
    );
    expect(refusal(`${start}    of: { arm: one, mode: adaptive }\n`)).toContain(
      'questions.0.of.mode: "adaptive" is not measured by "one"; its modes are default, thinkfree',
    );
  });

  test("refuses a question without a bound, with two, and a ratio against nothing", () => {
    const question = (rest: string): string => refusal(`  - { claim: c, expects: e, of: { arm: one }, ${rest} }\n`);
    expect(question("measure: tokens")).toContain('one of "above" and "below" is wanted');
    expect(question("measure: tokens, above: 1, below: 0")).toContain('one of "above" and "below" is wanted');
    expect(question("measure: tokens, above: 1, as: ratio")).toContain(
      "a ratio has something that it is taken against",
    );
    expect(question("measure: speed, above: 1")).toContain("questions.0.measure");
  });

  test("refuses an arm that starts from itself or a later one", () => {
    const head = HEAD.replace("one: { train", "one: { startFrom: two, train");
    expect(refusal(QUESTION, head)).toContain('arms.one.startFrom: "two" is no arm before this one; this is the first');
    expect(refusal(QUESTION, HEAD.replace("startFrom: one", "startFrom: two"))).toContain("those are one");
  });
});
