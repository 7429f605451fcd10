import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadStudy } from "../../core/src/config/study-config.js";

const folder = fileURLToPath(new URL("../../examples/study/", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

describe.each(files)("%s", (name) => {
  test("loads in both forms, compares arms at equal token budgets, and asks about every arm", () => {
    const { config } = loadStudy(folder + name, false);
    expect(`${config.name}.yaml`).toBe(name);
    expect(config.seeds).toBeGreaterThanOrEqual(5);
    expect(loadStudy(folder + name, true).config.seeds).toBeLessThanOrEqual(2);
    const budgets = config.experiment.arms.map((arm) => arm.config.train.tokenBudget);
    expect(Math.min(...budgets)).toBeGreaterThan(0);
    const asked = config.questions.flatMap(({ of, against }) => [of.arm, against?.arm]);
    for (const arm of config.experiment.arms) expect(asked).toContain(arm.name);
  });
});
