import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { analyseSource } from "../../../core/dist/cli/plugins/analyse-source.js";
import { newPlugin } from "../../../core/cli/plugins/new-plugin.js";
import { tryContract, type ContractResult } from "../../../core/src/plugin-kit/contract-kit.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };

/** A plugin of one reward hook. */
function write(name: string, run: string, before = ""): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.ts`);
  writeFileSync(
    path,
    `import { definePlugin, samplesOf, z } from "@troupe/core/sdk";
${before}
export default definePlugin({ name: "${name}", version: "1.0.0", description: "Of a test",
  config: z.strictObject({ by: z.number().max(3).default(2).describe("Factor") }),
  hooks: { reward: { reads: ["length"], writes: ["reward"], run: ${run} } } });
`,
  );
  return path;
}

async function broken(path: string, settings?: unknown): Promise<readonly ContractResult[]> {
  const results = await tryContract(path, folder, { with: settings, deadlineMs: 3000 });
  return results.filter(({ isKept }) => !isKept);
}

describe("newPlugin()", () => {
  const kinds = [
    "reward",
    "format",
    "advantage",
    "curriculum",
    "metric",
    "select",
    "sampling",
    "annotate",
    "keep",
    "loss",
  ];

  test.each(kinds)("writes a %s plugin that keeps the contract", async (kind) => {
    const made = join(folder, "new", kind);
    expect(await newPlugin(`my-${kind}`, kind, made)).toContain("index.test.ts");
    expect(await broken(made)).toEqual([]);
  });

  test("writes sources without a finding", () => {
    const entry = join(folder, "new", "all.ts");
    writeFileSync(entry, kinds.map((kind) => `import "./${kind}/index.js";`).join("\n"));
    expect(analyseSource(entry)).toEqual([]);
  });

  test("never overwrites, and names the kinds there are", async () => {
    await expect(newPlugin("x", "reward", folder)).rejects.toMatchObject({ code: "FOLDER_TAKEN" });
    await expect(newPlugin("x", "y", join(folder, "y"))).rejects.toMatchObject({
      message: `Cannot read "--kind y": one of ${kinds.join(", ")} is wanted`,
    });
    await expect(newPlugin("X y", "reward", join(folder, "y"))).rejects.toMatchObject({ code: "OPTION_NOT_VALID" });
  });
});

describe("analyseSource()", () => {
  test("finds wrong types and imports, chance, time and asynchronous hooks, each at its place", () => {
    const path = write(
      "faults",
      "async (ctx, c, r) => r.map((x) => { const text: string = 3; return x + Math.random() + new Date().getTime() + text.length; })",
      'import "@troupe/core";\nimport "left-pad";\nsetTimeout(() => {}, 1);',
    );
    const found = analyseSource(path).map(({ severity, place, rule }) => [severity, place, rule]);
    expect(found).toEqual(
      expect.arrayContaining([
        ["error", "faults.ts:2:1", "import"],
        ["warning", "faults.ts:3:1", "import"],
        ["error", "faults.ts:4:1", "forbidden-global"],
        ["error", expect.stringMatching(/^faults\.ts:7:\d+$/), "forbidden-global"],
        ["error", expect.stringMatching(/^faults\.ts:7:\d+$/), "async-hook"],
        ["error", expect.stringMatching(/^faults\.ts:7:\d+$/), "types"],
      ]),
    );
    expect(found.filter(([, , rule]) => rule === "forbidden-global")).toHaveLength(3);
  });
});

describe("tryContract()", () => {
  test.each<[string, string, string, string, RegExp]>([
    ["chance", "(_ctx, _c, r) => r.map((x) => x + Math.random())", "", "seeded", /a hook calls Math\.random/],
    ["writes-input", "(_ctx, c, r) => { c.groups.push(1); return r; }", "", "pure", /not extensible|add property/],
    ["hangs", "() => { for (;;); }", "", "runs", /HOOK_DEADLINE/],
    ["short", "(_ctx, _c, r) => r.slice(1)", "", "runs", /11 numbers for 12 samples/],
    ["not-finite", "(_ctx, _c, r) => r.map(() => NaN)", "", "runs", /sample "1\/0\/0" got NaN/],
    ["asynchronous", "async (_ctx, _c, r) => r", "", "runs", /hooks are synchronous/],
    [
      "keeps-module-state",
      "(_ctx, _c, r) => r.map((x) => x + (calls += 1))",
      "let calls = 0;",
      "deterministic",
      /^hook "reward" at step 1 answered \S+ in rewards_N\[0\], then \S+$/,
    ],
  ])("names the broken promise: %s", async (name, run, before, promise, problem) => {
    const found = await broken(write(name, run, before));
    expect(found.find((one) => one.promise === promise)?.problem).toMatch(problem);
  });

  test("leaves Math.random and the clock as they were", async () => {
    const before = [Math.random, Date.now, performance.now];
    await broken(write("calm", "(_ctx, _c, r) => r"));
    expect([Math.random, Date.now, performance.now]).toEqual(before);
  });
});

describe("troupe plugin check", () => {
  test("prints hooks, findings and settings as JSON Schema; exit code 0 for a plugin that is fit for a run", async () => {
    const path = write("good", "(ctx, _c, r) => r.map((x) => x * ctx.config.by)");
    const end = await runTroupe(["--json", "plugin", "check", path, "--with", '{"by":1}'], folders);
    expect(end, end.stderr).toMatchObject({ exitCode: 0 });
    expect(recordsOf(end)).toEqual([
      expect.objectContaining({
        name: "good",
        ok: true,
        findings: [],
        hooks: [{ hook: "reward", reads: ["length"], writes: ["reward"] }],
        configSchema: expect.objectContaining({
          properties: { by: { type: "number", maximum: 3, default: 2, description: "Factor" } },
        }),
      }),
    ]);
  });

  test("fails with exit code 3 for one that is not, and 2 for settings that do not fit", async () => {
    const path = write("unfit", "(_ctx, _c, r) => r.slice(1)");
    const unfit = await runTroupe(["plugin", "check", path], folders);
    expect(unfit).toMatchObject({ exitCode: 3, stdout: expect.stringContaining("not fit for a run") });
    const end = await runTroupe(["plugin", "check", path, "--with", '{"by":9}'], folders);
    expect(end).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("PLUGIN_CONFIG_NOT_VALID") });
    const text = await runTroupe(["plugin", "check", path, "--with", "9"], folders);
    expect(text).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("a JSON object is wanted") });
  });
});
