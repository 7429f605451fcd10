import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import type { Episodes, Reply } from "../../../core/src/environments/episode.js";
import type { Sampler } from "../../../core/src/engines/policy-engine.js";
import type { JsonValue } from "../../../core/src/records/json.js";
import type { Message, Task } from "../../../core/src/records/task.js";
import {
  ORIGIN,
  policyLength,
  policyTurns,
  segmentStarts,
  type Trajectory,
} from "../../../core/src/records/trajectory.js";
import type { EpisodeTools } from "../../../core/src/rollout/episode-player.js";
import { rollOut, type RolloutOrder } from "../../../core/src/rollout/rollout.js";
import { samplingOf } from "../../../core/src/run-plan.js";
import { PLAN } from "../../plugins/hook-contexts.js";
import { ScriptedPolicy } from "../../support/scripted-policy.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const tokenizer = Tokenizer.fromDirectory(writeTinyPolicy(folder));
const SAMPLING = samplingOf({ ...PLAN, maxTokens: 60, temperature: 0.5 });
const USER = (content: string): Message => ({ role: "user", content });
const TASK: Task = { id: "one", domain: "d", prompt: [USER("Go.")], reference: "", meta: {} };
const ORDER: RolloutOrder = {
  seed: 1,
  step: 3,
  phase: "train",
  mode: "default",
  plan: PLAN,
  sampling: SAMPLING,
  plugins: "0",
  version: 4,
  groups: [{ id: "3/0", task: TASK, size: 2 }],
};

/** Asks for more twice, then passes; its state counts the turns. */
const TWICE: Episodes<number> = {
  reset: () => ({ state: 0, messages: [], isDone: false }),
  step: (_scene, turns, { responseText }) => ({
    state: turns + 1,
    messages: [{ role: "tool", content: `more than ${responseText}` }],
    isDone: turns === 2,
    ...(turns === 2 ? { outcome: { kind: "pass", score: 1, reason: "enough" } as const } : {}),
  }),
};

/** A policy that says these texts, one a turn, each with its stop token. */
function speaker(...texts: readonly string[]): ScriptedPolicy {
  return new ScriptedPolicy((request) => {
    const turn = tokenizer.decode(request.promptTokens).split("<|im_start|>assistant").length - 2;
    return {
      tokens: Int32Array.of(...tokenizer.encode(texts[turn] ?? "no"), tokenizer.eosToken),
      stopReason: "stop",
    };
  });
}

function roll(
  sampler: ScriptedPolicy,
  episodes: Partial<EpisodeTools>,
  order: Partial<RolloutOrder> = {},
  more: { maxPositions?: number; tokenizer?: Tokenizer; signal?: AbortSignal } = {},
): Promise<readonly Trajectory[]> {
  const { maxPositions = 1000, signal = new AbortController().signal } = more;
  const limits = {
    episodes: TWICE,
    deadlineMs: 20_000,
    maxTurns: 10,
    maxTurnTokens: Infinity,
    atOnce: Infinity,
    ...episodes,
  };
  const tools = { tokenizer: more.tokenizer ?? tokenizer, sampler, plugins: [], evalPlugins: [], maxPositions };
  return rollOut({ ...tools, hookDeadlineMs: 10_000, episodes: limits }, { ...ORDER, ...order }, signal);
}

async function first(...args: Parameters<typeof roll>): Promise<Trajectory> {
  return (await roll(...args))[0]!;
}

function replying(step: Episodes["step"]): Episodes {
  return { reset: () => ({ state: null, messages: [], isDone: false }), step };
}

const MORE: Reply = { state: null, messages: [USER("more")], isDone: false };

describe("rollOut() with an environment that talks", () => {
  test("goes on with the same ids: what was sampled is given back as it was, observed tokens between", async () => {
    const sampler = speaker("a", "bb", "ccc");
    const trajectory = await first(sampler, {});
    const text = tokenizer.decode(trajectory.tokens);
    // The whole record is the conversation as the template writes it.
    expect(`${text}\n`).toBe(
      tokenizer.render([
        ...TASK.prompt,
        { role: "assistant", content: "<think>\na" },
        { role: "tool", content: "more than a" },
        { role: "assistant", content: "<think>\nbb" },
        { role: "tool", content: "more than bb" },
        { role: "assistant", content: "<think>\nccc" },
      ]).context,
    );
    const requests = sampler.requests.filter((_, index) => index % 2 === 0);
    for (const { promptTokens } of requests)
      expect(trajectory.tokens.slice(0, promptTokens.length)).toEqual(promptTokens);
    expect(trajectory.turns.map(({ role, text: said }) => [role, said])).toEqual([
      ["prompt", undefined],
      ["policy", "a"],
      ["environment", "\n<|im_start|>tool\nmore than a<|im_end|>\n<|im_start|>assistant\n<think>\n"],
      ["policy", "bb"],
      ["environment", "\n<|im_start|>tool\nmore than bb<|im_end|>\n<|im_start|>assistant\n<think>\n"],
      ["policy", "ccc"],
    ]);
    expect(trajectory).toMatchObject({ stopReason: "stop", outcome: { kind: "pass", score: 1, reason: "enough" } });
    expect(trajectory).not.toHaveProperty("failure");
    expect(policyTurns(trajectory).map(({ responseText }) => responseText)).toEqual(["a", "bb", "ccc"]);
    expect(policyLength(trajectory)).toBe(1 + 2 + 3 + 3);
    expect(trajectory.responseText).toContain("more than bb<|im_end|>");
    expect(trajectory.responseText.endsWith("ccc")).toBe(true);
    expect(segmentStarts(trajectory)).toEqual([0]);
  });

  test("gives every token its origin, and logprobs to the policy's alone", async () => {
    const { turns, origins, logprobs, entropies, versions } = await first(speaker("a", "bb", "ccc"), {});
    const wanted = { prompt: ORIGIN.prompt, policy: ORIGIN.sampled, environment: ORIGIN.observed };
    let end = 0;
    for (const turn of turns) {
      expect(turn.start).toBe(end);
      end = turn.end;
      for (let t = turn.start; t < turn.end; t++) {
        expect(origins[t]).toBe(wanted[turn.role]);
        expect(logprobs[t]! < 0).toBe(turn.role === "policy");
        expect(entropies[t]! > 0).toBe(turn.role === "policy");
      }
    }
    expect(end).toBe(origins.length);
    const policy = turns
      .filter(({ role }) => role === "policy")
      .map(({ start, end: to }) => ({ version: 4, start, end: to }));
    expect(versions).toEqual(policy);
  });

  test("keeps sampled ids that no tokenizer would have made of their text", async () => {
    // Two bytes that are one word to the tokenizer, and one that is no text at all.
    const odd = [...tokenizer.encode("t"), ...tokenizer.encode("h"), 200, tokenizer.eosToken];
    const sampler = new ScriptedPolicy(() => ({ tokens: Int32Array.from(odd), stopReason: "stop" }));
    const trajectory = await first(sampler, {});
    const policy = trajectory.turns.filter(({ role }) => role === "policy");
    expect(policy.map(({ start, end }) => [...trajectory.tokens.slice(start, end)])).toEqual([odd, odd, odd]);
    expect(segmentStarts(trajectory)).toEqual([0]);
  });

  test("puts what the environment says first behind the task's prompt", async () => {
    const opening = { ...TWICE, reset: () => ({ state: 2, messages: [USER("The door is shut.")], isDone: false }) };
    const trajectory = await first(speaker("a"), { episodes: opening });
    expect(trajectory.promptText).toContain("Go.<|im_end|>\n<|im_start|>user\nThe door is shut.<|im_end|>\n");
    expect(trajectory.turns).toHaveLength(2);
  });

  test("starts a new segment where the template writes the past anew, and says what was said there", async () => {
    const forgetful = join(folder, "forgetful");
    cpSync(join(folder, "policy"), forgetful, { recursive: true });
    const template =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";
    writeFileSync(join(forgetful, "chat_template.jinja"), template);
    const sampler = speaker("why</think> a", "how</think> bb", "when</think> ccc");
    const trajectory = await first(sampler, {}, {}, { tokenizer: Tokenizer.fromDirectory(forgetful) });
    const prompts = trajectory.turns.filter(({ role }) => role === "prompt");
    expect(trajectory.turns.map(({ role }) => role)).toEqual([
      "prompt",
      "policy",
      "prompt",
      "policy",
      "prompt",
      "policy",
    ]);
    expect(segmentStarts(trajectory)).toEqual(prompts.map(({ start }) => start));
    const last = tokenizer.decode(trajectory.tokens.slice(prompts[2]!.start, prompts[2]!.end));
    const say = (role: string, text: string): string => `<|im_start|>${role}\n${text}<|im_end|>\n`;
    const past = [
      say("user", "Go."),
      say("assistant", "a"),
      say("tool", "a"),
      say("assistant", "bb"),
      say("tool", "bb"),
    ];
    expect(last).toBe(`${past.join("")}<|im_start|>assistant\n<think>\n`);
    for (const [index, { start, end }] of prompts.entries()) {
      expect(sampler.requests[2 * index]!.promptTokens).toEqual(trajectory.tokens.slice(start, end));
      expect([...trajectory.origins.slice(start, end)].every((origin) => origin === ORIGIN.prompt)).toBe(true);
    }
  });
});

describe("rollOut() keeps within its limits when an environment talks", () => {
  test("spends one budget on all turns, and at most maxTurnTokens on each", async () => {
    const sampler = speaker("a", "bb", "ccc");
    await first(sampler, { maxTurnTokens: 7 }, { sampling: { ...SAMPLING, maxTokens: 11 } });
    expect(sampler.requests.filter((_, index) => index % 2 === 0).map(({ maxTokens }) => maxTokens)).toEqual([7, 7, 6]);
  });

  test("ends with the budget, without an observation that nobody could answer", async () => {
    const trajectory = await first(speaker("a", "bb", "ccc"), {}, { sampling: { ...SAMPLING, maxTokens: 5 } });
    expect(trajectory).toMatchObject({ stopReason: "length" });
    expect(trajectory.turns.at(-1)).toMatchObject({ role: "policy", text: "bb" });
    expect(trajectory).not.toHaveProperty("outcome");
  });

  test("ends where the policy's positions end", async () => {
    const trajectory = await first(speaker("a"), {}, {}, { maxPositions: 60 });
    expect(trajectory.stopReason).toBe("length");
    expect(trajectory.tokens.length).toBeLessThan(60);
  });

  test("ends after maxTurns turns, and with a turn that was cut", async () => {
    const talkative = replying(() => MORE);
    const turned = await first(speaker("a"), { episodes: talkative, maxTurns: 3 });
    expect(turned).toMatchObject({ stopReason: "turns" });
    expect(policyTurns(turned)).toHaveLength(3);
    const cut = new ScriptedPolicy(() => ({ tokens: tokenizer.encode("and so on"), stopReason: "length" }));
    const trajectory = await first(cut, { episodes: talkative });
    expect(trajectory).toMatchObject({ stopReason: "length", responseText: "and so on" });
  });

  test("has no more episodes under way than it may, and the same come of it", async () => {
    let open = 0;
    let most = 0;
    const counted: Episodes<number> = {
      ...TWICE,
      reset: (scene) => ((most = Math.max(most, ++open)), TWICE.reset(scene)),
      close: () => void (open -= 1),
    };
    const groups = [{ id: "3/0", task: TASK, size: 5 }];
    const few = await roll(speaker("a"), { episodes: counted, atOnce: 2 }, { groups });
    expect([open, most]).toEqual([0, 2]);
    expect(few).toEqual(await roll(speaker("a"), {}, { groups }));
  });

  test("ends at an abort", async () => {
    const aborted = new ScriptedPolicy(() => ({ tokens: tokenizer.encode("an"), stopReason: "aborted" }));
    expect(await first(aborted, {})).toMatchObject({ stopReason: "aborted" });
  });
});

describe("rollOut() turns what an environment does wrong into data", () => {
  const never = new Promise<Reply>(() => {});
  const nonsense = (value: unknown) => (): Reply => value as Reply; // what an environment in JavaScript may do

  test.each<[string, Episodes["step"], "error" | "timeout" | "infra", string]>([
    [
      "throws",
      () => {
        throw new Error("broken pipe");
      },
      "error",
      "environment-threw: step 1: Error: broken pipe",
    ],
    ["rejects", () => Promise.reject(new Error("gone")), "error", "environment-threw: step 1: Error: gone"],
    ["never answers", () => never, "timeout", "environment-late: step 1 took over 1000 ms"],
    [
      "loops for ever",
      () => {
        for (;;);
      },
      "timeout",
      "environment-late: step 1 took over 1000 ms",
    ],
    ["answers nothing", nonsense(undefined), "error", "environment-answered: step 1 gave no reply"],
    [
      "speaks as the policy",
      () => ({ ...MORE, messages: [{ role: "assistant", content: "" }] }),
      "error",
      'environment-answered: step 1 gave a message of role "assistant"',
    ],
    [
      "scores not-a-number",
      () => ({ ...MORE, isDone: true, outcome: { kind: "pass", score: NaN, reason: "?" } }),
      "error",
      "environment-answered: step 1 gave kind pass with score NaN",
    ],
    [
      "is lost",
      () => ({ ...MORE, isDone: true, outcome: { kind: "infra", reason: "connection lost" } }),
      "infra",
      "connection lost",
    ],
  ])("one that %s", async (_what, step, kind, reason) => {
    // A busy machine may take long, so only those that never answer have little time.
    const deadlineMs = kind === "timeout" ? 1000 : 20_000;
    const trajectory = await first(speaker("a"), { episodes: replying(step), deadlineMs });
    expect(trajectory.outcome).toEqual({ kind, reason });
    expect(trajectory.turns.at(-1)).toMatchObject({ role: "policy", text: "a" });
    if (kind !== "infra") expect(trajectory).toMatchObject({ stopReason: "failed", failure: reason });
  });

  test("one that cannot begin leaves a prompt without a response, and its siblings go on", async () => {
    let begun = 0;
    const closed: JsonValue[] = [];
    const half: Episodes<number> = {
      reset: () => {
        if (begun++ === 0) throw new Error("no room");
        return { state: 2, messages: [], isDone: false };
      },
      step: TWICE.step,
      close: (state) => void closed.push(state),
    };
    const [lost, sibling] = await roll(speaker("a"), { episodes: half });
    expect(lost).toMatchObject({
      stopReason: "failed",
      responseText: "",
      failure: "environment-threw: reset: Error: no room",
    });
    expect(lost!.turns).toHaveLength(1);
    expect(sibling).toMatchObject({ stopReason: "stop", outcome: { kind: "pass" } });
    expect(closed).toEqual([3]);
  });

  test("one that fails as it closes changes nothing, and every begun episode is closed once", async () => {
    const closed: JsonValue[] = [];
    const closing: Episodes<number> = {
      ...TWICE,
      close: (state) => {
        closed.push(state);
        throw new Error("no");
      },
    };
    expect(await first(speaker("a", "b"), { episodes: closing, maxTurns: 2 })).toMatchObject({ stopReason: "turns" });
    expect(closed).toEqual([2, 2]);
  });

  test("tells it when nobody waits any more", async () => {
    const signals: AbortSignal[] = [];
    const waiting = replying(({ signal }) => (signals.push(signal), never));
    await first(speaker("a"), { episodes: waiting, deadlineMs: 1000 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

describe("rollOut() keeps chance apart", () => {
  const gambler = replying(({ random }) => ({ ...MORE, messages: [USER(`${random.integer(0, 1_000_000)}`)] }));
  const heard = (trajectories: readonly Trajectory[]): string[][] =>
    trajectories.map(({ turns }) =>
      turns.flatMap(({ role, text = "" }) => (role === "environment" ? [/\d+/.exec(text)![0]] : [])),
    );

  test("by slot and turn, never by what is sampled beside it", async () => {
    const sampler = speaker("a");
    const two = await roll(sampler, { episodes: gambler, maxTurns: 3 });
    expect(new Set(heard(two).flat()).size).toBe(4);
    expect(new Set(sampler.requests.map(({ seed }) => String(seed))).size).toBe(6);
    const again = await roll(
      speaker("a"),
      { episodes: gambler, maxTurns: 3 },
      { groups: [{ id: "2/9", task: TASK, size: 1 }, ...ORDER.groups] },
    );
    expect(heard(again).slice(1)).toEqual(heard(two));
  });

  test("and samples every turn from the version of its order, whatever is published meanwhile", async () => {
    const sampler = speaker("a");
    const versions: (number | undefined)[] = [];
    const generate = sampler.generate.bind(sampler);
    const watched: Sampler["generate"] = (requests, options) => {
      versions.push(options?.version);
      return generate(requests);
    };
    await roll(Object.assign(sampler, { generate: watched }), { episodes: replying(() => MORE), maxTurns: 3 });
    expect(versions).toEqual([4, 4, 4]);
  });
});
