import { describe, expect, test } from "vitest";
import {
  environmentParcel,
  loadEnvironment,
  unpackEnvironment,
} from "../../../core/src/environments/environment-loader.js";
import { factOf } from "../../../core/src/environments/selection-from.js";
import { mixtureOf, type MixturePart } from "../../../core/src/environments/mixture.js";
import type { EnvironmentDefinition } from "../../../core/src/environments/environment.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import type { JsonValue } from "../../../core/src/records/json.js";
import { z } from "../../../core/src/sdk.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const context = { baseDirectory: ".", seed: 3 };

/** A part with tasks "0", "1", …, whose verifier says its name. */
function part(domain: string, size: number): MixturePart {
  const definition: EnvironmentDefinition = {
    name: domain,
    version: "1.0.0",
    description: "",
    config: z.unknown(),
    taskset: async () => ({
      size,
      at: (index) => ({ id: String(index), domain: "own", prompt: [], reference: "", meta: {} }),
    }),
    verifier: () => ({
      name: domain,
      version: "1.0.0",
      verify: () => ({ kind: "pass", score: 1, reason: domain, verifier: domain, version: "1.0.0", ms: 0 }),
    }),
  };
  return { domain, definition, config: {} };
}

const about = { name: "both", version: "1.0.0", description: "", config: z.unknown() };
const idsOf = async (count: number, ...parts: readonly MixturePart[]): Promise<readonly string[]> => {
  const tasks = await mixtureOf(about, parts).taskset({}, "train", context);
  return Array.from({ length: Math.min(count, tasks.size) }, (_, index) => tasks.at(index).id);
};

describe("mixtureOf()", () => {
  test("takes turns until the smaller parts are spent, every task once", async () => {
    expect(await idsOf(99, part("a", 4), part("b", 1), part("c", 2))).toEqual([
      "a/0",
      "b/0",
      "c/0",
      "a/1",
      "c/1",
      "a/2",
      "a/3",
    ]);
  });

  test("begins a part that ends again when another has no end", async () => {
    expect(await idsOf(6, part("a", Infinity), part("b", 2))).toEqual(["a/0", "b/0", "a/1", "b/1", "a/2", "b/0"]);
  });

  test("asks the part for a fact about its task, whether or not it knows one without the task", async () => {
    const [knowing, other] = [part("a", 2), part("b", 2)];
    const meta = { tier: "easy" };
    const made: number[] = [];
    const at = (index: number) => {
      made.push(index);
      return { id: String(index), domain: "own", prompt: [], reference: "", meta };
    };
    const withFacts = async () => ({ size: 2, at, fact: (index: number, name: string) => `${name} of ${index}` });
    const without = async () => ({ size: 2, at });
    const tasks = await mixtureOf(about, [
      { ...knowing, definition: { ...knowing.definition, taskset: withFacts } },
      { ...other, definition: { ...other.definition, taskset: without } },
    ]).taskset({}, "train", context);
    expect([2, 3].map((index) => factOf(tasks, index, "tier"))).toEqual(["tier of 1", "easy"]);
    expect(made).toEqual([1]);
  });

  test("names the domains, and has each task judged by the verifier of its own", async () => {
    const mixture = mixtureOf(about, [part("a", 2), part("b", 2)]);
    const tasks = await mixture.taskset({}, "train", context);
    expect([tasks.size, tasks.domains]).toEqual([4, ["a", "b"]]);
    const verifier = mixture.verifier({});
    const judge = (index: number) => verifier.verify(tasks.at(index), makeTrajectory("t", "t", 0, {}));
    expect([0, 1].map(judge)).toMatchObject([{ verifier: "a" }, { verifier: "b" }]);
    const stray = { ...tasks.at(0), domain: "c" };
    expect(verifier.verify(stray, makeTrajectory("t", "t", 0, {}))).toMatchObject({
      kind: "error",
      reason: 'no-verifier: domain "c" is none of a, b',
    });
  });
});

describe("environment mixed", () => {
  const settings = {
    sums: { use: "arithmetic", with: { maxSteps: 1 } },
    logic: { use: "boolean-evaluation" },
  };

  test("is made of environments by name, teachers included, and travels to other threads with them", async () => {
    const loaded = await loadEnvironment("mixed", settings, ".");
    const there = unpackEnvironment(structuredClone(environmentParcel(loaded)));
    for (const { definition, config } of [loaded, there]) {
      const tasks = await definition.taskset(config, "eval", context);
      expect([0, 1, 2, 3].map((index) => tasks.at(index).domain)).toEqual(["sums", "logic", "sums", "logic"]);
      const verifier = definition.verifier(config);
      const teacher = definition.teacher!(config);
      for (const index of [0, 1]) {
        const task = tasks.at(index);
        const { prefix, response } = teacher.demonstrate(task, new Random(deriveKey(1)));
        const trajectory = makeTrajectory("t", task.id, 0, { prefix, response });
        expect(await verifier.verify(task, trajectory)).toMatchObject({
          verifier: ["arithmetic", "boolean-evaluation"][index],
        });
      }
    }
  });

  test("refuses settings of a part by the part's own schema, a mixture in a mixture, and a mixture of nothing", async () => {
    await expect(
      loadEnvironment("mixed", { sums: { use: "arithmetic", with: { maxStep: 1 } } }, "."),
    ).rejects.toMatchObject({ code: "ENVIRONMENT_CONFIG_NOT_VALID", message: expect.stringContaining('"arithmetic"') });
    await expect(loadEnvironment("mixed", { all: { use: "mixed", with: settings } }, ".")).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_VALID",
      message: expect.stringContaining('part "all" is a mixture itself'),
    });
    await expect(loadEnvironment("mixed", {}, ".")).rejects.toMatchObject({
      message: expect.stringContaining("at least one environment"),
    });
  });

  test("has the part that a task comes from talk, and one that does not talk end with the first answer", async () => {
    const talker = part("b", 2);
    const episodes = {
      reset: () => ({ state: 1, messages: [], isDone: false }),
      step: (_scene: unknown, state: JsonValue) => ({ state: [state], messages: [], isDone: state !== 1 }),
    };
    const { episodes: talk } = mixtureOf(about, [
      part("a", 2),
      { ...talker, definition: { ...talker.definition, episodes: () => episodes } },
    ]);
    const play = async (domain: string): Promise<number> => {
      const task = { id: "x", domain, prompt: [], reference: "", meta: {} };
      const scene = { task, random: new Random(deriveKey(1)), signal: new AbortController().signal };
      let reply = await talk!({}).reset(scene);
      let turns = 0;
      while (!reply.isDone) {
        const turn = { index: turns++, assistantPrefix: "", responseText: "" };
        reply = await talk!({}).step(scene, JSON.parse(JSON.stringify(reply.state)), turn);
      }
      return turns;
    };
    expect([await play("a"), await play("b")]).toEqual([1, 2]);
    expect(mixtureOf(about, [part("a", 2)])).not.toHaveProperty("episodes");
  });
});
