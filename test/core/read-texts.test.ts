import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runConfigSchema } from "../../core/src/config/run-config.js";
import { Tokenizer } from "../../core/src/engines/tokenizer.js";
import { loadEngine } from "../../core/src/engines/load-engine.js";
import { readModelShape } from "../../core/src/engines/model-shape.js";
import { topEntropy } from "../../core/src/numerics/top-entropy.js";
import { readTexts } from "../../core/src/read-texts.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyPolicy } from "../support/tiny-run.js";

const folder = temporaryFolder();
const policy = writeTinyPolicy(folder);
const tokenizer = Tokenizer.fromDirectory(policy);
const home = join(folder, "home");
const before = process.env["TROUPE_HOME"];
beforeAll(() => void (process.env["TROUPE_HOME"] = home));
beforeEach(() => rmSync(home, { recursive: true, force: true }));
afterAll(() => {
  if (before === undefined) delete process.env["TROUPE_HOME"];
  else process.env["TROUPE_HOME"] = before;
});

const TEXTS = ["3+4-9 is 8", "größer", "One more is 9.\n"];
const TOP = { topK: 16, renormalise: false };

function configOf(settings: object = {}) {
  const given = { name: "reading", policy: { from: policy, threads: 1 }, environment: { use: "corpus" }, ...settings };
  return runConfigSchema.parse(given);
}

const reader = (keptIn?: string, settings?: object) =>
  readTexts({ config: configOf(settings), baseDirectory: folder, tokenizer, keptIn }, true);

const chunks = (): string[] => readdirSync(join(home, "entropies"));

describe("readTexts()", () => {
  test("tells where tokens end in bytes", () => {
    const ends = [...reader().tokenEnds("größer is")];
    expect(ends).toEqual([...new Set(ends)].toSorted((a, b) => a - b));
    expect(ends.at(-1)).toBe(Buffer.byteLength("größer is"));
    // " is" is one token of this vocabulary, and every byte of "ö" is one.
    expect(ends.slice(-2)).toEqual([8, 11]);
    expect(ends.slice(0, 4)).toEqual([1, 2, 3, 4]);
  });

  test("refuses text that the tokenizer changes", () => {
    expect(() => tokenizer.endsOf(tokenizer.encode("abc"), "abcd")).toThrow(
      'Cannot tell where the tokens of the text "abcd" begin: it has 4 bytes, and its tokens stand for 3',
    );
  });

  test("gives the entropy of every token's prediction over the most probable ones, 0 for each first", async () => {
    const found = await reader().entropies!(TEXTS, TOP);
    const tokens = TEXTS.map((text) => tokenizer.encode(text));
    expect(found.map((entropies) => entropies.length)).toEqual(tokens.map((of) => of.length));
    expect(found.map((entropies) => entropies[0])).toEqual([0, 0, 0]);
    // The same by hand, one text alone.
    const { createEngine } = await loadEngine("@troupe/gpu");
    const engine = await createEngine({ shape: readModelShape(policy, tokenizer.vocabSize), seed: 1, threads: 1 });
    await engine.publish(0);
    const { topLogprobs_NK } = await engine.score(tokens[2]!, Int32Array.of(0, tokens[2]!.length), 1, { topK: 16 });
    engine.dispose();
    for (let t = 1; t < tokens[2]!.length; t++)
      expect(found[2]![t]).toBe(Math.fround(topEntropy(topLogprobs_NK!.subarray(16 * t, 16 * t + 16), false)));
    const scaled = await reader().entropies!(TEXTS, { ...TOP, renormalise: true });
    expect(scaled[0]![1]).toBeGreaterThan(found[0]![1]!);
  });

  test("keeps what it measured: a run's own file outlives the cache and whatever the policy becomes", async () => {
    const kept = join(folder, "kept");
    const first = await reader(kept).entropies!(TEXTS, TOP);
    rmSync(home, { recursive: true });
    // Another seed draws other weights.
    const again = await reader(kept, { seed: 2 }).entropies!(TEXTS, TOP);
    expect(again).toEqual(first);
    expect(await reader(undefined, { seed: 2 }).entropies!(TEXTS, TOP)).not.toEqual(first);
    expect(readdirSync(kept)).toHaveLength(1);
  });

  test("goes on where a pass was cut off", async () => {
    const long = Array.from({ length: 900 }, (_, i) => `${i}: ${TEXTS.join(" ")}`);
    const whole = await reader().entropies!(long, TOP);
    const [pass] = chunks();
    const files = readdirSync(join(home, "entropies", pass!)).toSorted();
    expect(files.length).toBeGreaterThan(1);
    const [first, last] = [join(home, "entropies", pass!, files[0]!), join(home, "entropies", pass!, files.at(-1)!)];
    const before = readFileSync(first);
    // What is there is taken as it is; what is not is done.
    writeFileSync(first, new Uint8Array(before.length));
    rmSync(last);
    const resumed = await reader().entropies!(long, TOP);
    expect(resumed[0]!.every((entropy) => entropy === 0)).toBe(true);
    expect(resumed.at(-1)).toEqual(whole.at(-1));
    expect(chunks()).toEqual([pass]);
  });

  test("lets another policy of the same tokens score, and refuses one of others", async () => {
    const proxy = join(folder, "proxy");
    cpSync(policy, proxy, { recursive: true });
    expect(await reader().entropies!(TEXTS, { ...TOP, policy: proxy })).toEqual(await reader().entropies!(TEXTS, TOP));
    // A vocabulary without merges cuts " is" in three.
    const model = JSON.parse(readFileSync(join(policy, "tokenizer.json"), "utf8"));
    const other = join(folder, "other");
    mkdirSync(other);
    cpSync(policy, other, { recursive: true });
    writeFileSync(join(other, "tokenizer.json"), JSON.stringify({ ...model, model: { ...model.model, merges: [] } }));
    await expect(reader().entropies!(TEXTS, { ...TOP, policy: "other" })).rejects.toMatchObject({
      code: "TOKENS_DIFFER",
    });
  });

  test("refuses a text that the policy has no positions for", async () => {
    await expect(reader().entropies!(["1".repeat(3000)], TOP)).rejects.toThrow(
      "it has 3000 tokens and the policy takes",
    );
  });

  test("measures nothing for a policy that has yet to be taught", () => {
    expect(readTexts({ config: configOf(), baseDirectory: folder, tokenizer }, false).entropies).toBeUndefined();
  });
});
