import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { strongSandbox } from "../../../support/strong-sandbox.js";
import { temporaryFolder } from "../../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../../support/tiny-run.js";
import { recordsOf, runTroupe } from "../../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
const model = writeTinyPolicy(folder, { max_position_embeddings: 512 });

function rows(name: string, make: (index: number) => object): string {
  const path = join(folder, name);
  const lines = Array.from({ length: 40 }, (_, index) => JSON.stringify(make(index)));
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

const math = rows("math.jsonl", (index) => ({
  question: `What is ${index} + 1?`,
  solution: `It is ${index + 1}. \\boxed{${index + 1}}`,
}));
const code = rows("code.jsonl", (index) => ({
  id: index,
  text: `Add ${index} to a number.`,
  entry_point: "add",
  test_list: [`assert add(1) == ${index + 1}`],
}));
const prose = rows("prose.jsonl", () => ({ title: "a", body: "b" }));

/** `troupe init` with a tiny model. */
function init(...args: readonly string[]): ReturnType<typeof runTroupe> {
  return runTroupe(["init", "--model", model, ...args], folders);
}

afterAll(() => strongSandbox?.close());

describe("troupe init", () => {
  test("writes a config with the preset for the model and the columns of the data, which the dry run then plans", async () => {
    const out = join(folder, "autothink.yaml");
    const written = await init("--method", "autothink", "--data", math, "--out", out);
    expect(written, written.stderr).toMatchObject({ exitCode: 0 });
    const text = readFileSync(out, "utf8");
    expect(text).toContain("extends: autothink/small");
    expect(text).toContain('# problem from column "question", answer from column "solution": 40 of the first 40 rows');
    expect(text).toMatch(/data:\n {6}path: \.\/math\.jsonl\n {6}fields:\n {8}answer: solution\n/);
    expect(written.stdout).toContain(`troupe run ${out} --dry-run`);

    const planned = await runTroupe(["run", out, "--dry-run"], folders);
    expect(planned, planned.stderr).toMatchObject({ exitCode: 0 });
    expect(planned.stdout).toMatch(/1 to 60 +balance +64 +32 × 8 = 256[\s\S]+161 to 200 +brevity +192/);
    expect(planned.stdout).toMatch(/memory .+ of .+[\s\S]+cost .+sampled tokens/);

    const again = await init("--method", "autothink", "--data", math, "--out", out);
    expect(again).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("INIT_FILE_EXISTS") });
  });

  test("takes texts for a method whose presets are about texts, and problems for one whose presets are not", async () => {
    const texts = rows("texts.jsonl", (index) => ({
      problem: `${index}+1?`,
      answer: `${index + 1}`,
      solution: `Now ${index} and 1.`,
    }));
    const of = async (method: string): Promise<string> =>
      (await init("--method", method, "--data", texts, "--out", join(folder, "none.yaml"), "--dry-run")).stdout;
    expect(await of("rmt")).toMatch(
      /use: corpus\n {2}# text from column "solution", context from column "problem": 40 of the/,
    );
    expect(await of("tfpi")).toMatch(/use: math\n {2}# problem from column "problem", answer from column "answer"/);
  });

  test("takes a paper's name for a method whose plugin has another, and that plugin's nearest preset", async () => {
    const out = join(folder, "acereason.yaml");
    const dry = await init("--method", "acereason", "--data", math, "--out", out, "--dry-run");
    expect(dry, dry.stderr).toMatchObject({ exitCode: 0 });
    expect(dry.stdout).toContain("extends: curriculum/small\n");
    expect(dry.stdout).toMatch(/^name: acereason-/m);
  });

  test.skipIf(strongSandbox === undefined)(
    "gives two kinds of tasks a mixed environment and the preset that trains on both; --dry-run writes nothing",
    async () => {
      const out = join(folder, "both.yaml");
      const dry = await init("--method", "curriculum", "--data", math, code, "--out", out, "--dry-run");
      expect(dry, dry.stderr).toMatchObject({ exitCode: 0 });
      expect(dry.stdout).toContain("extends: curriculum/small-math-code");
      expect(dry.stdout).toMatch(/use: mixed\n {2}with:\n {4}math:\n {6}use: math[\s\S]+ {4}code:\n {6}use: code/);
      expect(dry.stdout).toContain('statement from column "text", tests from column "test_list"');
      expect(dry.stdout).toMatch(/1 to 25 +math-short[\s\S]+76 to \d+ +code +160/);
      expect(existsSync(out)).toBe(false);
    },
  );

  test.each([
    [["--method", "autothnk", "--data", math], "METHOD_UNKNOWN", 'did you mean "autothink"?'],
    [["--method", "tfpi", "--data", prose], "DATA_UNKNOWN", "math: Cannot use"],
    [["--method", "tfpi", "--data", join(folder, "none.jsonl")], "DATA_MISSING", "there is no such file"],
    [["--method", "tfpi"], "INIT_TASKS_MISSING", "either --data or --environment"],
    [
      ["--method", "curriculum", "--preset", "small-math-code", "--data", math],
      "PRESET_UNFIT",
      "it trains on math and code, and --data has nothing of code",
    ],
    [["--method", "tfpi", "--preset", "qwen3-4b", "--data", math], "PRESET_UNFIT", "it needs 33792 positions, and"],
    [["--method", "tfpi", "--preset", "qwen3", "--data", math], "PRESET_NOT_FOUND", 'did you mean "tfpi/qwen3-4b"?'],
    [["--method", "acereson", "--data", math], "METHOD_UNKNOWN", 'did you mean "acereason"?'],
    [["--method", "tfpi", "--data", math, "--model", folder], "MODEL_FOLDER_UNKNOWN", "there is no config.json in it"],
    [["--method", "tfpi", "--data", math, "--model", join(folder, "no")], "MODEL_FOLDER_UNKNOWN", "no such folder"],
  ])("refuses %j with what is wrong", async (args, codeWanted, text) => {
    const refused = recordsOf(
      await runTroupe(["--json", "init", "--model", model, "--out", join(folder, "refused.yaml"), ...args], folders),
    );
    expect(refused).toEqual([
      { type: "error", code: codeWanted, message: expect.stringContaining(text), hint: expect.any(String) },
    ]);
  });
});
