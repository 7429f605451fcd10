import { describe, expect, test } from "vitest";
import {
  checkNumbers,
  mergeAnnotations,
  runHook,
  versionsOf,
  type HookCall,
} from "../../../core/src/hooks/hook-runner.js";
import { loadPlugin, type LoadedPlugin } from "../../../core/src/hooks/plugin-loader.js";
import { PLAN } from "../../plugins/hook-contexts.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();

/** A plugin whose `plan` hook is the given arrow function, which begins on line 8 of its file. */
async function planner(name: string, run: string): Promise<LoadedPlugin> {
  return loadPlugin(writePlugin(folder, name, { hooks: `{ plan: { run:\n${run} } }` }), {}, folder);
}

function call(changes: Partial<HookCall> = {}): HookCall {
  return { seed: 1, step: 12, about: "the step's plan", context: () => ({ state: undefined }), ...changes };
}

const plan = (loaded: LoadedPlugin, changes?: Partial<HookCall>): unknown =>
  runHook(loaded, "plan", call(changes), [PLAN, undefined]);

describe("runHook()", () => {
  test("gives the hook its context and arguments, and returns what it returns", async () => {
    const loaded = await planner(
      "echo",
      '(ctx, plan) => ({ stage: [ctx.plugin, ctx.step, ctx.extra, plan.groupSize].join(" ") })',
    );
    expect(plan(loaded, { context: () => ({ extra: "more" }) })).toEqual({ stage: "echo 12 more 8" });
  });

  test("returns undefined for a hook that the plugin does not have", async () => {
    expect(
      runHook(await planner("one", "() => undefined"), "observe", call(), [
        { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} },
        { step: 1, plan: PLAN, groups: [] },
      ]),
    ).toBeUndefined();
  });

  test("keys a hook's chance by run, step, plugin, hook and subject", async () => {
    const loaded = await planner("dice", "(ctx) => ({ learningRate: ctx.random.uniform() })");
    const first = plan(loaded);
    expect(plan(loaded)).toEqual(first);
    expect(plan(loaded, { step: 13 })).not.toEqual(first);
    expect(plan(loaded, { seed: 2 })).not.toEqual(first);
    expect(plan(loaded, { about: "another" })).not.toEqual(first);
    expect(plan(await planner("other-dice", "(ctx) => ({ learningRate: ctx.random.uniform() })"))).not.toEqual(first);
  });

  test("throws HOOK_FAILED with plugin, hook, subject, step and the place in the TypeScript source", async () => {
    const loaded = await planner(
      "failing",
      '(_ctx, plan) => {\n  const stage: string = plan.stage;\n  throw new TypeError("no " + stage);\n}',
    );
    const error = failure(() => plan(loaded));
    expect(error).toMatchObject({
      code: "HOOK_FAILED",
      exitCode: 3,
      hint: expect.stringContaining("steps after the last checkpoint are done again"),
      message: `Cannot go on with hook "plan" of plugin "failing" 1.0.0 for the step's plan at step 12: TypeError: no run at ${loaded.bundle.path}:10:9`,
      cause: expect.objectContaining({ message: "no run" }),
    });
  });

  test("names the place of an error that a plugin's dependency throws from inside the bundle", async () => {
    const loaded = await planner("parsing", '() => JSON.parse("{")');
    expect(failure(() => plan(loaded))).toMatchObject({
      message: expect.stringMatching(/SyntaxError: .+ at .+parsing\.ts:8:12$/),
    });
  });

  test("refuses a promise, as the step would go on without it", async () => {
    const loaded = await planner("late", 'async () => ({ stage: "later" })');
    expect(failure(() => plan(loaded))).toMatchObject({
      code: "HOOK_FAILED",
      message: expect.stringContaining("it returned a promise; hooks are synchronous"),
    });
  });
});

describe("checkNumbers()", () => {
  test.each([
    ["too few", [1], "it returned 1 numbers for 2 samples"],
    ["NaN", [1, Number.NaN], 'sample "4/0/1" got NaN, a finite number is wanted'],
    ["infinity", [-Infinity, 1], 'sample "4/0/0" got -Infinity, a finite number is wanted'],
  ])("refuses %s", async (_, values, problem) => {
    const loaded = await planner("counting", "() => undefined");
    expect(failure(() => checkNumbers(loaded, "reward", 4, values, 2, (index) => `4/0/${index}`))).toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: `Cannot use what hook "reward" of plugin "counting" 1.0.0 returned at step 4: ${problem}`,
    });
  });

  test("takes as many finite numbers as there are samples", async () => {
    const loaded = await planner("counting", "() => undefined");
    expect(() => checkNumbers(loaded, "reward", 4, [0, -1.5], 2, String)).not.toThrow();
  });
});

describe("mergeAnnotations()", () => {
  test("adds names and refuses one that is there", async () => {
    const loaded = await planner("noting", "() => undefined");
    expect(mergeAnnotations(loaded, "annotate", 1, { a: 1 }, { b: 2 })).toEqual({ a: 1, b: 2 });
    expect(mergeAnnotations(loaded, "annotate", 1, { a: 1 }, undefined)).toEqual({ a: 1 });
    expect(failure(() => mergeAnnotations(loaded, "annotate", 1, { a: 1 }, { a: 1 }))).toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: expect.stringContaining('annotation "a" is already there'),
    });
  });
});

describe("versionsOf()", () => {
  test("names version and content of every plugin", async () => {
    const loaded = await planner("known", "() => undefined");
    expect(versionsOf([loaded])).toEqual({ known: `1.0.0+${loaded.bundle.hash}` });
  });
});

function failure(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}
