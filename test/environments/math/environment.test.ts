import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadEnvironment } from "../../../core/src/environments/environment-loader.js";
import math from "../../../environments/math/index.js";
import { readCalculation } from "../../../environments/math/calculation.js";
import { problemTaskset } from "../../../environments/math/taskset.js";

const folder = mkdtempSync(join(tmpdir(), "troupe-math-"));
afterAll(() => rmSync(folder, { recursive: true }));

const rows = Array.from({ length: 400 }, (_, i) => ({
  id: `t${i}`,
  problem: `What is ${i} + 1?`,
  answer: String(i + 1),
  calculations: [`${i}+1=${i + 1}`, "2*3=6", "7/2=3"],
}));
writeFileSync(join(folder, "set.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));

type Split = "train" | "eval";

function tasks(settings: unknown, split: Split) {
  return problemTaskset(math.config.parse(settings), split, folder);
}

async function allOf(settings: unknown, split: Split) {
  const taskset = await tasks(settings, split);
  return Array.from({ length: taskset.size }, (_, index) => taskset.at(index));
}

describe("problemTaskset()", () => {
  const data = { path: "set.jsonl" };

  it("makes tasks that ask for steps and a box", async () => {
    const [first] = await allOf({ data }, "train");
    expect(first).toEqual({
      id: "t0",
      domain: "math",
      prompt: [
        {
          role: "user",
          content: "What is 0 + 1? Let's think step by step and output the final answer within \\boxed{}.",
        },
      ],
      reference: "1",
      meta: {},
    });
  });

  it("splits by a hash of the id: nothing in both, everything in one, the share about as wanted", async () => {
    const settings = { data: { ...data, heldOut: 0.25 } };
    const [train, held] = [await allOf(settings, "train"), await allOf(settings, "eval")];
    expect([...train, ...held].map(({ id }) => id).toSorted()).toEqual(rows.map(({ id }) => id).toSorted());
    expect(held.length).toBeGreaterThan(60);
    expect(held.length).toBeLessThan(140);
  });

  it("gives the same task for the same index, in any order", async () => {
    const taskset = await tasks({ data }, "train");
    expect(taskset.at(200)).toEqual(taskset.at(200));
    expect(taskset.at(3).id).toBe((await allOf({ data }, "train"))[3]?.id);
  });

  it("makes every distinct calculation a task of its own, held out by its text", async () => {
    const settings = { data, view: "calculations", calculations: { maxOperand: 20, maxResult: 30 } };
    const [train, held] = [await allOf(settings, "train"), await allOf(settings, "eval")];
    const texts = [...train, ...held].map(({ prompt }) => prompt[0]?.content);
    expect(texts.toSorted()).toEqual([...Array.from({ length: 21 }, (_, i) => `${i}+1`), "2*3"].toSorted());
    expect(new Set(texts).size).toBe(texts.length);
    expect(train.find(({ prompt }) => prompt[0]?.content === "2*3")?.reference ?? "6").toBe("6");
  });

  it("stops at a limit, takes an own instruction and counts skipped rows", async () => {
    writeFileSync(
      join(folder, "bad.jsonl"),
      [...rows.slice(0, 10), { id: "x" }, ...rows.slice(10)].map((row) => JSON.stringify(row)).join("\n"),
    );
    const settings = { data: { path: "bad.jsonl", onBadRow: "skip", limit: 50 }, instruction: "" };
    const taskset = await tasks(settings, "train");
    expect(taskset).toMatchObject({ rows: 50, skipped: 1 });
    expect(taskset.at(0).prompt[0]?.content).toBe("What is 0 + 1?");
    await expect(tasks({ data: { path: "bad.jsonl" } }, "train")).rejects.toThrow(
      /bad\.jsonl:11 as a problem: field "problem" is missing/,
    );
  });

  it("refuses a split without tasks", async () => {
    const settings = { data, view: "calculations", calculations: { operators: ["-"] } };
    await expect(tasks(settings, "train")).rejects.toMatchObject({ code: "PROBLEM_SET_EMPTY", exitCode: 4 });
  });
});

describe("readCalculation()", () => {
  const filters = math.config.parse({ data: { path: "x" } }).calculations;

  it.each([
    ["48/2=24", "48/2", "24"],
    ["3 - 5 = -2", "3-5", "-2"],
  ])("reads %s", (text, left, result) => {
    expect(readCalculation(text, filters)).toEqual({ left, result, operators: 1 });
  });

  it.each([
    "12=12",
    "1/3=.33",
    "1+1=3",
    "100+1=101",
    "99*99=9801",
    "1+2+3=6",
    "9//3=3",
    "1.5+1=2.5",
    "two+2=4",
    "",
    "+5=5",
    "1+1=",
    "2**3=8",
  ])("leaves out %j", (text) => {
    expect(readCalculation(text, filters)).toBeUndefined();
  });

  it("takes longer and decimal ones when the filters allow them", () => {
    const wide = { ...filters, maxOperators: 3, integersOnly: false };
    expect(readCalculation("(1.5+2)*2-1=6", wide)).toEqual({ left: "(1.5+2)*2-1", result: "6", operators: 3 });
    expect(readCalculation("-2+.5=-1.5", wide)).toEqual({ left: "-2+.5", result: "-1.5", operators: 1 });
  });
});

describe("the math environment", () => {
  it("loads by name as one bundle, and judges with its settings", async () => {
    const { definition, config } = await loadEnvironment(
      "math",
      { data: { path: "set.jsonl" }, thinking: "required" },
      folder,
    );
    const context = { baseDirectory: folder, seed: 1 };
    const task = (await definition.taskset(config, "train", context)).at(0);
    const verifier = definition.verifier(config);
    expect(verifier).toMatchObject({ name: "math", version: "1.2.0" });
    const judge = async (assistantPrefix: string, responseText: string) =>
      // A verifier of mathematics reads these two fields of a trajectory alone.
      (await verifier.verify(task, { assistantPrefix, responseText } as Parameters<typeof verifier.verify>[1])).kind;
    expect(await judge("<think>\n", "Hm.</think>\\boxed{1}")).toBe("pass");
    expect(await judge("<think>\n", "Hm.</think>\\boxed{2}")).toBe("fail");
    expect(await judge("", "\\boxed{1}")).toBe("fail");
  });

  it.each([
    [{}, "data"],
    [{ data: { path: "x", heldOut: 1 } }, "data.heldOut"],
    [{ data: { path: "x", feilds: {} } }, "data"],
    [{ data: { path: "x" }, calculations: { operators: ["%"] } }, "calculations.operators.0"],
  ])("refuses the settings %j at %s", (settings, path) => {
    const parsed = math.config.safeParse(settings);
    expect(parsed.error?.issues.map((issue) => issue.path.join("."))).toContain(path);
  });

  const gsm8k = fileURLToPath(new URL("../../../../shared/data/gsm8k_train.jsonl", import.meta.url));
  it.skipIf(!existsSync(gsm8k))("makes tasks of GSM8K, whole and by calculation", async () => {
    const whole = await problemTaskset(math.config.parse({ data: { path: gsm8k } }), "train", folder);
    expect(whole).toMatchObject({ rows: 7473, skipped: 0 });
    const small = { data: { path: gsm8k }, view: "calculations", calculations: { maxOperand: 9, maxResult: 9 } };
    const [train, held] = [await allOf(small, "train"), await allOf(small, "eval")];
    expect(train.length + held.length).toBeGreaterThan(100);
    const trained = new Set(train.map(({ id }) => id));
    expect(held.filter(({ id }) => trained.has(id))).toEqual([]);
  });
});
