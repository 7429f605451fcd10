import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { sampleRollouts, type SampleOrder } from "../../../core/src/data/sample-rollouts.js";
import { readModelShape } from "../../../core/src/engines/model-shape.js";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { createEngine } from "../../../gpu/src/index.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const policy = writeTinyPolicy(folder);
const input = join(folder, "rows.jsonl");
const order = (output: string, changes: Partial<SampleOrder> = {}): SampleOrder => ({
  input,
  output: join(folder, output),
  idColumn: "id",
  problemColumn: "question",
  instruction: "Answer.",
  policy,
  engine: "@troupe/gpu",
  attempts: 3,
  maxTokens: 8,
  temperature: 1,
  topP: 1,
  seed: 4,
  ...changes,
});
const linesOf = (one: SampleOrder): { id: string; response: string; tokens: number }[] =>
  readFileSync(one.output, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(async () => {
  const rows = [
    ...Array.from({ length: 30 }, (_, index) => ({ id: `r${index}`, question: `What is ${index}+1?` })),
    { id: "none" },
    { id: "long", question: "1 ".repeat(600) },
    { question: "What has no id?" },
  ];
  writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const shape = readModelShape(policy, Tokenizer.fromDirectory(policy).vocabSize);
  const engine = await createEngine({ shape, seed: 1, threads: 1 });
  await engine.save(policy);
  engine.dispose();
});

describe("sampleRollouts()", () => {
  it("answers every row as often as it is told, and passes over what cannot be asked", async () => {
    const one = order("all.jsonl");
    const outcome = await sampleRollouts(one, { restart: false });
    expect(outcome).toMatchObject({ answered: 31, skipped: 2, before: 0, assistantPrefix: expect.any(String) });
    const lines = linesOf(one);
    expect(lines.map(({ id }) => id)).toEqual(
      [...Array.from({ length: 30 }, (_, index) => `r${index}`), "33"].flatMap((id) => [id, id, id]),
    );
    for (const { response, tokens } of lines) {
      expect(tokens).toBeGreaterThan(0);
      expect(tokens).toBeLessThanOrEqual(8);
      expect(response).not.toBe("");
    }
    expect(new Set(lines.map(({ response }) => response)).size).toBeGreaterThan(60);
  });

  it("goes on after a stop with the answers that it would have given", async () => {
    const whole = order("whole.jsonl");
    await sampleRollouts(whole, { restart: false });
    const cut = order("cut.jsonl");
    await sampleRollouts(cut, { restart: false });
    const text = readFileSync(cut.output, "utf8");
    // Ends within the second answer of the twelfth row.
    const lines = text.split("\n");
    writeFileSync(cut.output, `${lines.slice(0, 34).join("\n")}\n${lines[34]?.slice(0, 9)}`);
    expect(await sampleRollouts(cut, { restart: false })).toMatchObject({ answered: 31, before: 11 });
    expect(readFileSync(cut.output, "utf8")).toBe(readFileSync(whole.output, "utf8"));
    expect(await sampleRollouts(cut, { restart: false })).toMatchObject({ answered: 31, before: 31 });
  });

  it("refuses an output of another order, unless it is to be written anew, and a policy without weights", async () => {
    const one = order("other.jsonl", { attempts: 1 });
    await sampleRollouts(one, { restart: false });
    const hotter = { ...one, temperature: 0.5 };
    await expect(sampleRollouts(hotter, { restart: false })).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    appendFileSync(one.output, "rest");
    expect(await sampleRollouts(hotter, { restart: true })).toMatchObject({ answered: 31, before: 0 });
    expect(linesOf(one)).toHaveLength(31);
    const bare = writeTinyPolicy(join(folder, "bare"));
    await expect(sampleRollouts(order("bare.jsonl", { policy: bare }), { restart: false })).rejects.toMatchObject({
      code: "OPTION_NOT_VALID",
      message: expect.stringContaining("--policy"),
    });
  });
});
