import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { loadPlugin, type LoadedPlugin } from "../../../core/src/hooks/plugin-loader.js";
import type { Task } from "../../../core/src/records/task.js";
import type { Trajectory } from "../../../core/src/records/trajectory.js";
import { rollOut, type RolloutOrder } from "../../../core/src/rollout/rollout.js";
import { samplingOf } from "../../../core/src/run-plan.js";
import { PLAN } from "../../plugins/hook-contexts.js";
import { ScriptedPolicy } from "../../support/scripted-policy.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";
import { writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();
const tokenizer = Tokenizer.fromDirectory(writeTinyPolicy(folder));
const SAMPLING = samplingOf({ ...PLAN, maxTokens: 20, temperature: 0.5 });

function task(id: string): Task {
  return { id, domain: "d", prompt: [{ role: "user", content: `What is ${id}?` }], reference: "", meta: {} };
}

function order(changes: Partial<RolloutOrder> = {}): RolloutOrder {
  const groups = [
    { id: "3/0", task: task("one"), size: 2 },
    { id: "3/1", task: task("two"), size: 2 },
  ];
  return {
    seed: 1,
    step: 3,
    phase: "train",
    mode: "default",
    plan: PLAN,
    sampling: SAMPLING,
    plugins: "0",
    version: 4,
    groups,
    ...changes,
  };
}

/** Says "yes" and stops, except to every third request, which it never finishes. */
function talker(): ScriptedPolicy {
  const yes = tokenizer.encode("yes");
  return new ScriptedPolicy((request, index) => {
    const forced = request.forcedTokens ?? new Int32Array();
    if (index % 3 === 2) return { tokens: Int32Array.of(...forced, ...yes), stopReason: "length" };
    return { tokens: Int32Array.of(...forced, ...yes, tokenizer.eosToken), stopReason: "stop" };
  });
}

function roll(
  sampler: ScriptedPolicy,
  changes: Partial<RolloutOrder> = {},
  plugins: readonly LoadedPlugin[] = [],
  maxPositions = 256,
): Promise<readonly Trajectory[]> {
  const tools = { tokenizer, sampler, plugins, evalPlugins: [], maxPositions, hookDeadlineMs: 10_000 };
  return rollOut(tools, order(changes), new AbortController().signal);
}

async function hooked(name: string, hooks: string, more = ""): Promise<LoadedPlugin> {
  return loadPlugin(writePlugin(folder, name, { hooks, more }), {}, folder);
}

describe("rollOut()", () => {
  test("records prompt and response: ids once, text as a view, zeros where the policy did not act", async () => {
    const trajectories = await roll(talker());
    expect(trajectories.map(({ id, taskId, slot }) => [id, taskId, slot])).toEqual([
      ["3/0/0", "one", 0],
      ["3/0/1", "one", 1],
      ["3/1/0", "two", 0],
      ["3/1/1", "two", 1],
    ]);
    const [first, , third] = trajectories;
    const promptText = "<|im_start|>user\nWhat is one?<|im_end|>\n<|im_start|>assistant\n<think>\n";
    const prompt = tokenizer.encode(promptText);
    const yes = tokenizer.encode("yes");
    expect(first).toMatchObject({
      promptText,
      assistantPrefix: "<|im_start|>assistant\n<think>\n",
      responseText: "yes",
      stopReason: "stop",
      versions: [{ version: 4, start: prompt.length, end: prompt.length + yes.length + 1 }],
      turns: [
        { role: "prompt", start: 0, end: prompt.length },
        { role: "policy", start: prompt.length, end: prompt.length + yes.length + 1 },
      ],
      temperature: 0.5,
      kernelSet: "by hand",
      maxTokens: 20,
      annotations: {},
    });
    expect([...(first?.tokens ?? [])]).toEqual([...prompt, ...yes, tokenizer.eosToken]);
    expect([...(first?.origins ?? [])]).toEqual([...prompt.map(() => 0), ...yes.map(() => 1), 1]);
    expect([...(first?.logprobs ?? [])].slice(prompt.length - 1, prompt.length + 2)).toEqual([0, -0.25, -0.5]);
    expect([...(first?.entropies ?? [])].slice(prompt.length - 1, prompt.length + 2)).toEqual([0, 0.5, 1]);
    // Nothing was cut off this one: it has no stop token.
    expect(third).toMatchObject({ responseText: "yes", stopReason: "length" });
  });

  test("keys chance by run, step, phase, mode, group, task and slot, never by what is sampled beside it", async () => {
    const alone = await roll(talker(), { groups: order().groups.slice(1) });
    const together = await roll(talker());
    expect(alone.map(({ seed }) => seed)).toEqual(together.slice(2).map(({ seed }) => seed));
    const others = [{}, { step: 4 }, { seed: 2 }, { phase: "eval" }, { mode: "short" }] as const;
    const seeds = await Promise.all(
      others.map(async (changes) => (await roll(talker(), changes)).map(({ seed }) => seed)),
    );
    expect(new Set(seeds.flat()).size).toBe(5 * 4);
  });

  test("puts a forced prefix into the response, with the logprob that the plugin names", async () => {
    const forcing = await hooked(
      "forcing",
      '{ format: { writes: ["prompt.forcedPrefix"], run: () => ({ forcedPrefix: { text: "no", logprob: -0.125 } }) } }',
    );
    const sampler = talker();
    const [first] = await roll(sampler, {}, [forcing]);
    const no = tokenizer.encode("no");
    const start = first?.turns[0]?.end ?? 0;
    expect(sampler.requests[0]?.forcedTokens).toEqual(no);
    expect(first?.responseText).toBe("noyes");
    expect([...(first?.origins ?? [])].slice(start, start + no.length + 1)).toEqual([...no.map(() => 2), 1]);
    expect([...(first?.logprobs ?? [])].slice(start, start + no.length)).toEqual([...no].map(() => -0.125));
  });

  test("hands stop strings and budget rules to the engine as it wants them", async () => {
    const ruling = await hooked(
      "ruling",
      '{ sampling: { run: () => ({ stopStrings: ["\\n\\n"], budgetRules: [{ limit: 5, until: "</think>", inject: "so </think>" }, { limit: 9, from: "<think>", until: "</think>", inject: "no" }] }) } }',
    );
    const sampler = talker();
    await roll(sampler, {}, [ruling]);
    const ids = (text: string): number[] => [...tokenizer.encode(text)];
    expect(sampler.requests[0]).toMatchObject({
      stopStrings: ["\n\n"],
      budgetRules: [
        { limit: 5, from: [], until: ids("</think>"), inject: ids("so </think>") },
        { limit: 9, from: ids("<think>"), until: ids("</think>"), inject: ids("no") },
      ],
    });
  });

  test("passes prompt and sampling plan through the hooks in order, and records annotations and versions", async () => {
    const first = await hooked(
      "first",
      "{ format: { writes: ['prompt.assistantPrefix'], run: (ctx, prompt, task) => ({ assistantPrefix: prompt.assistantPrefix + task.id + ctx.slot, annotations: { a: ctx.mode } }) }, sampling: { run: () => ({ topP: 0.25, logitBias: { 7: -2 } }) } }",
    );
    const second = await hooked(
      "second",
      '{ format: { writes: ["prompt.assistantPrefix"], run: (_ctx, prompt) => ({ assistantPrefix: prompt.assistantPrefix + "!", annotations: { b: 1 } }) }, sampling: { run: (_ctx, plan) => ({ maxTokens: plan.topP === 0.25 ? 9 : 1 }) } }',
    );
    const sampler = talker();
    const [, trajectory] = await roll(sampler, {}, [first, second]);
    expect(trajectory).toMatchObject({
      assistantPrefix: "<|im_start|>assistant\n<think>\none1!",
      annotations: { a: "default", b: 1 },
      temperature: 0.5,
      maxTokens: 9,
      plugins: { first: expect.stringMatching(/^1\.0\.0\+/), second: expect.stringMatching(/^1\.0\.0\+/) },
    });
    expect(sampler.requests[1]).toMatchObject({
      temperature: 0.5,
      topP: 0.25,
      maxTokens: 9,
      logitBias: [[7, -2]],
      stopTokens: [tokenizer.eosToken],
    });
    expect(tokenizer.decode(sampler.requests[1]?.promptTokens ?? new Int32Array())).toBe(trajectory?.promptText);
  });

  test("renders messages that a hook changed", async () => {
    const asking = await hooked(
      "asking",
      '{ format: { writes: ["prompt.messages"], run: (_ctx, prompt) => ({ messages: [{ role: "system", content: "Hm" }, ...prompt.messages] }) } }',
    );
    const [first] = await roll(talker(), {}, [asking]);
    expect(first?.promptText).toMatch(/^<\|im_start\|>system\nHm<\|im_end\|>\n<\|im_start\|>user\nWhat is one\?/);
  });

  test.each([
    ["format", "{ assistantPrefix: undefined }", 'field "assistantPrefix" is undefined, a text is wanted'],
    [
      "format",
      '{ forcedPrefix: { text: "a", logprob: 1 } }',
      'field "forcedPrefix" is {"text":"a","logprob":1}, a text',
    ],
    ["format", '{ prefix: "a" }', 'there is no field "prefix", only annotations, assistantPrefix'],
    ["sampling", '{ stopStrings: [""] }', 'field "stopStrings" is [""], a list of texts is wanted'],
    [
      "sampling",
      '{ budgetRules: [{ limit: 5, until: "</think>", inject: "" }] }',
      'field "budgetRules" is [{"limit":5,"until":"</think>","inject":""}], a list of rules',
    ],
    [
      "sampling",
      '{ budgetRules: [{ limit: 5, until: "</th>", inject: "a" }] }',
      'field "budgetRules" names "</th>", which is 5 tokens, a text of one token is wanted',
    ],
    ["sampling", "{ maxTokens: NaN }", 'field "maxTokens" is NaN, a whole number of at least 1 is wanted'],
    ["sampling", "{ logitBias: { 7: NaN } }", 'field "logitBias" is {"7":null}, token ids with finite numbers'],
  ])("refuses from %s %s", async (hook, patch, problem) => {
    const wrong = await hooked(
      "wrong",
      `{ ${hook}: { writes: ["prompt.assistantPrefix", "prompt.forcedPrefix"], run: () => (${patch}) } }`,
    );
    await expect(roll(talker(), {}, [wrong])).rejects.toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: expect.stringContaining(`hook "${hook}" of plugin "wrong" 1.0.0 returned at step 3: ${problem}`),
    });
  });

  test.each([
    ["assistantPrefix", '"a"'],
    ["forcedPrefix", '{ text: "a" }'],
    ["messages", "[]"],
  ])("refuses a change of %s that the format hook does not declare", async (field, value) => {
    const silent = await hooked(
      "silent",
      `{ format: { writes: ["prompt.other"], run: () => ({ ${field}: ${value} }) } }`,
    );
    await expect(roll(talker(), {}, [silent])).rejects.toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: expect.stringContaining(`it changes "${field}", "prompt.${field}" among the hook's writes is wanted`),
    });
  });

  test("refuses in training a temperature other than the plan's, and takes it in evaluation", async () => {
    const warm = await hooked("warm", "{ sampling: { run: () => ({ temperature: 0.75 }) } }", 'modes: ["warm"],');
    await expect(roll(talker(), {}, [warm])).rejects.toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: expect.stringContaining(
        'field "temperature" is 0.75, in training the plan\'s 0.5 is wanted; a "plan" hook sets another',
      ),
    });
    const [evaluated] = await roll(talker(), { phase: "eval", mode: "warm" }, [warm]);
    expect(evaluated?.temperature).toBe(0.75);
  });

  test("refuses two plugins that annotate under one name", async () => {
    const noting = (name: string): Promise<LoadedPlugin> =>
      hooked(name, "{ format: { run: () => ({ annotations: { same: 1 } }) } }");
    await expect(roll(talker(), {}, [await noting("one"), await noting("other")])).rejects.toMatchObject({
      code: "HOOK_RESULT_NOT_VALID",
      message: expect.stringContaining('plugin "other" 1.0.0 returned at step 3: annotation "same" is already there'),
    });
  });

  test("runs only the plugin that names an evaluation's mode, and none in the default one", async () => {
    const shouting = await hooked(
      "shouting",
      "{ format: { run: () => ({ annotations: { loud: true } }) } }",
      'modes: ["loud"],',
    );
    const other = await hooked("other-one", "{ format: { run: () => ({ annotations: { other: true } }) } }");
    const annotations = async (mode: string): Promise<unknown> =>
      (await roll(talker(), { phase: "eval", mode }, [shouting, other]))[0]?.annotations;
    expect(await annotations("loud")).toEqual({ loud: true });
    expect(await annotations("default")).toEqual({});
  });

  test("refuses with PROMPT_TOO_LONG a prompt that leaves no token, and shortens the budget of one that leaves few", async () => {
    const promptTokens = (await roll(talker()))[0]?.turns[0]?.end ?? 0;
    await expect(roll(talker(), {}, [], promptTokens)).rejects.toMatchObject({
      code: "PROMPT_TOO_LONG",
      message: `Cannot roll out task "one": its prompt has ${promptTokens} tokens and the policy takes ${promptTokens} in all`,
    });
    const sampler = talker();
    await roll(sampler, {}, [], promptTokens + 3);
    expect(sampler.requests[0]?.maxTokens).toBe(3);
  });
});
