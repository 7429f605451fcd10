import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { TextReader } from "../../../core/src/environments/environment.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { placeOf } from "../../../core/src/records/task.js";
import corpus from "../../../environments/corpus/index.js";
import { passagesOf, CHARACTERS } from "../../../environments/corpus/passages.js";
import { settingsSchema } from "../../../environments/corpus/settings.js";
import { tiersOf } from "../../../environments/corpus/tiers.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const THRESHOLDS = [0.5, 1, 1.5] as const;

/** A reader for which every character is a token, with entropies that go round the tiers. */
const READER: TextReader = {
  ...CHARACTERS,
  entropies: async (texts) =>
    texts.map((text) => Float32Array.from([...text], (_, t) => (t === 0 ? 0 : [0.325, 0.802, 1.28, 1.609][t % 4]!))),
};

function open(settings: unknown, split: "train" | "eval", { baseDirectory = ".", seed = 1, reader = READER } = {}) {
  return corpus.taskset(settingsSchema.parse(settings), split, { baseDirectory, seed, reader });
}

function tasksOf(taskset: Awaited<ReturnType<typeof open>>) {
  return Array.from({ length: taskset.size }, (_, index) => taskset.at(index));
}

describe("tiersOf()", () => {
  // Worked cases of the RMT specification, R4.
  test("bins disjointly, or nested", () => {
    const tiers = [0.325, 0.802, 1.213, 1.28, 1.386, 1.609].map((entropy) => tiersOf(entropy, THRESHOLDS, "disjoint"));
    expect(tiers).toEqual([[], ["easy"], ["medium"], ["medium"], ["medium"], ["hard"]]);
    expect(tiersOf(1.609, THRESHOLDS, "nested")).toEqual(["easy", "medium", "hard"]);
  });
});

describe("corpusTaskset()", () => {
  test("asks for every token above the first threshold, and tells where it stands, its tier and what follows", async () => {
    const train = await open({ worked: { documents: 3 } }, "train");
    for (const { id, prompt, reference, meta } of tasksOf(train)) {
      const place = placeOf({ meta })!;
      const bytes = Buffer.from(place.text);
      expect(bytes.toString("utf8", place.start, place.end)).toBe(reference);
      expect(prompt[0]?.content).toContain(`\n${bytes.toString("utf8", 0, place.start)}\n\`\`\``);
      expect(meta["tier"]).toBe([undefined, "easy", "medium", "hard"][place.start % 4]);
      expect(meta["difficulty"]).toBe(place.start % 4);
      expect(id).toContain(`@${place.start}/`);
      // What is given is never asked for.
      expect(place.start).toBeGreaterThanOrEqual(place.text.indexOf("\n") + 1);
    }
  });

  test("makes a task without decoding the text before it, so that a passage costs no more than its length", async () => {
    const train = await open({ worked: { documents: 20, maxSteps: 16 }, prompt: "bare" }, "train");
    const decode = vi.spyOn(Buffer.prototype, "toString");
    try {
      const tasks = tasksOf(train);
      expect(tasks.length).toBeGreaterThan(500);
      tasks.forEach(({ meta }, index) => {
        for (const name of ["tier", "entropy", "none"]) expect(train.fact?.(index, name)).toEqual(meta[name]);
      });
      expect(decode).not.toHaveBeenCalled();
    } finally {
      decode.mockRestore();
    }
  });

  test("repeats marked tokens for teaching up to their share, results as often as they have steps", async () => {
    const settings = { worked: { documents: 20, minSteps: 3, maxSteps: 3 }, teacher: { marked: 0.9 } };
    const tasks = tasksOf(await open(settings, "train", { reader: CHARACTERS }));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length);
    const texts = new Set(tasks.map(({ meta }) => placeOf({ meta })!.text));
    expect(texts.size).toBe(20);
    for (const text of texts) {
      const own = tasks.filter(({ meta }) => placeOf({ meta })!.text === text);
      const starts = own.map(({ meta }) => placeOf({ meta })!.start);
      const counts = [...new Set(starts)].map((at) => starts.filter((start) => start === at).length);
      const repeated = counts.filter((count) => count > 1).toSorted((x, y) => x - y);
      // A verb, a closing, and a result of three steps.
      expect(repeated).toEqual([repeated[0], repeated[0], 3 * repeated[0]!]);
      expect(own.filter(({ meta }) => meta["steps"] !== undefined)).toHaveLength(repeated[2]!);
      expect(repeated.reduce((sum, count) => sum + count, 0) / own.length).toBeCloseTo(0.9, 1);
    }
  });

  test("hands out held-out tasks tier by tier, the same for every seed; nested tiers repeat hard tokens", async () => {
    const [one, other] = [await open({}, "eval"), await open({}, "eval", { seed: 2 })];
    expect(tasksOf(one)).toEqual(tasksOf(other));
    expect(
      tasksOf(one)
        .slice(0, 6)
        .map(({ meta }) => meta["tier"]),
    ).toEqual(["easy", "medium", "hard", "easy", "medium", "hard"]);
    const nested = tasksOf(await open({ evalTiers: "nested" }, "eval"));
    const hard = nested.filter(({ meta }) => meta["tier"] === "easy" && Number(meta["entropy"]) > 1.5);
    expect(hard.length).toBeGreaterThan(0);
    expect(new Set(nested.map(({ id }) => id)).size).toBe(nested.length);
  });

  test("holds documents out by their context, whatever the seed", async () => {
    const contexts = async (split: "train" | "eval", seed: number): Promise<Set<string>> =>
      new Set(
        tasksOf(await open({ worked: { documents: 300 } }, split, { seed })).map(
          ({ meta }) => placeOf({ meta })!.text.split("\n")[0]!,
        ),
      );
    const held = await contexts("eval", 1);
    for (const seed of [1, 2]) for (const text of await contexts("train", seed)) expect(held.has(text)).toBe(false);
  });

  test("takes all tokens where nobody can measure entropies, characters where nobody tokenises", async () => {
    const untaught = await open({ worked: { documents: 2 } }, "train", { reader: CHARACTERS });
    expect(untaught.at(0).meta).not.toHaveProperty("tier");
    expect(untaught.size).toBeGreaterThan(40);
  });

  test("refuses a corpus that holds nothing to learn", async () => {
    const reader: TextReader = {
      ...CHARACTERS,
      entropies: async (texts) => texts.map((text) => new Float32Array(text.length)),
    };
    await expect(open({ worked: { documents: 2 } }, "train", { reader })).rejects.toThrow(
      'of 2 passages for "train", no token that can be boxed has an entropy above 0.5 nats',
    );
  });
});

describe("corpus over files", () => {
  const folder = temporaryFolder();

  test("reads rows by their fields, context first, and names file, row and field of a bad one", async () => {
    const rows = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ key: `k${i}`, question: `Question ${i}?`, solution: `Answer ${i}.` }),
    );
    writeFileSync(join(folder, "rows.jsonl"), rows.join("\n"));
    const data = { path: "rows.jsonl", fields: { id: "key", text: "solution", context: "question" } };
    const train = tasksOf(await open({ data }, "train", { baseDirectory: folder }));
    const held = tasksOf(await open({ data, heldOut: 0.3 }, "eval", { baseDirectory: folder }));
    expect(train[0]?.id).toMatch(/^k\d+@/);
    expect(placeOf(held[0]!)?.text).toMatch(/^Question (\d+)\?\nAnswer \1\.$/);

    writeFileSync(
      join(folder, "bad.jsonl"),
      `${rows[0]}\n{"key": "x", "question": "Q", "solution": 7}\n${rows.slice(1).join("\n")}`,
    );
    const bad = { ...data, path: "bad.jsonl" };
    await expect(open({ data: bad }, "train", { baseDirectory: folder })).rejects.toThrow(
      /bad\.jsonl:2 as a problem: field "solution" is 7, wanted is text/,
    );
    await expect(
      open({ data: { ...bad, onBadRow: "skip" } }, "train", { baseDirectory: folder }),
    ).resolves.toBeDefined();
  });

  test("reads a folder of texts, cut into passages that never divide a character", async () => {
    mkdirSync(join(folder, "texts"));
    for (let i = 0; i < 12; i++)
      writeFileSync(join(folder, "texts", `${i}.txt`), `${i}: ${"größer und älter, ".repeat(20)}`);
    const train = tasksOf(
      await open({ data: { path: "texts" }, passageTokens: 64 }, "train", { baseDirectory: folder }),
    );
    const lengths = train.map((task) => [...placeOf(task)!.text].length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(64);
    expect(train.every(({ reference }) => [...reference].length === 1 && reference !== "\ufffd")).toBe(true);
    for (const { prompt, meta } of train) {
      const { text, start } = placeOf({ meta })!;
      expect(prompt[0]?.content).toContain(`\n${Buffer.from(text).toString("utf8", 0, start)}\n\`\`\``);
    }
  });
});

describe("passagesOf()", () => {
  test("repeats the end of a long context in front of every piece", () => {
    const document = { id: "d", context: `${"c".repeat(30)}!`, text: "0123456789".repeat(4) };
    const passages = passagesOf(document, CHARACTERS, 20);
    expect(passages.map(({ id, whole, from }) => [id, whole, from])).toEqual(
      [1, 2, 3, 4].map((n) => [`d#${n}`, `${"c".repeat(9)}!0123456789`, 10]),
    );
  });
});

describe("corpusTeacher()", () => {
  test("works results out in steps, and demonstrates what passes as often as its steps are right", async () => {
    const settings = settingsSchema.parse({ prompt: "bare", teacher: { read: 0, errorRate: 0 } });
    const train = await open({ prompt: "bare" }, "train", { reader: CHARACTERS });
    const [teacher, verifier] = [corpus.teacher!(settings), corpus.verifier(settings)];
    for (let index = 0; index < 300; index++) {
      const task = train.at(index);
      const { prefix, response } = teacher.demonstrate(task, new Random(deriveKey(1, index)));
      expect(await verifier.verify(task, makeTrajectory("a", "t", 0, { prefix, response }))).toMatchObject({
        kind: "pass",
      });
      if (task.meta["steps"]) expect(response).toMatch(/^\d[-+]\d=\d\n/);
    }
    const wrong = corpus.teacher!(settingsSchema.parse({ teacher: { errorRate: 1 } }));
    const result = tasksOf(train).find(({ meta }) => Array.isArray(meta["steps"]) && meta["steps"].length === 1)!;
    const { prefix, response } = wrong.demonstrate(result, new Random(deriveKey(2)));
    expect(await verifier.verify(result, makeTrajectory("a", "t", 0, { prefix, response }))).toMatchObject({
      kind: "fail",
    });
  });

  test("gives raw texts at its share, and shows a method's instruction with many numbers", async () => {
    const budget = { instruction: "Think {budget} tokens.", min: 10, max: 99, share: 1 };
    const settings = settingsSchema.parse({ teacher: { read: 0.5, budget } });
    const task = (await open({}, "train", { reader: CHARACTERS })).at(5);
    const teacher = corpus.teacher!(settings);
    const texts = Array.from({ length: 200 }, (_, i) => teacher.read?.(task, new Random(deriveKey(3, i))));
    expect(new Set(texts)).toEqual(new Set([undefined, placeOf(task)!.text]));
    const shown = Array.from(
      { length: 50 },
      (_, i) => teacher.demonstrate(task, new Random(deriveKey(4, i))).prompt?.[0]?.content ?? "",
    );
    expect(shown.every((content) => content.startsWith(`${task.prompt[0]!.content}\nThink `))).toBe(true);
    expect(new Set(shown).size).toBeGreaterThan(20);
  });
});
