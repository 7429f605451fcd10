import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { readModelShape } from "../../core/src/engines/model-shape.js";
import type { SaveOptions } from "../../core/src/engines/policy-engine.js";
import { Tokenizer } from "../../core/src/engines/tokenizer.js";
import type { Message } from "../../core/src/records/task.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { EVERY_TERM, randomBatch, SHAPES, STEP } from "./engine-fixtures.js";
import { relativeGap } from "./relative-gap.js";

const PYTHON = "python3";
const root = temporaryFolder();
const MINIMIND = fileURLToPath(new URL("../../../shared/data/models/tokenizers/minimind", import.meta.url));

/** Work for `transformers_peer.py`. */
interface Order {
  readonly policies: readonly {
    readonly directory: string;
    readonly tokens: readonly number[];
    /** Where transformers writes it again, in bfloat16 and in shards; logprobs are then those of what it wrote. */
    readonly saveTo?: string;
    readonly maxShardBytes?: number;
  }[];
  /** For PEFT: our adapter, and where it writes one of its own for the same base. */
  readonly adapters: readonly {
    readonly base: string;
    readonly directory: string;
    readonly tokens: readonly number[];
    readonly saveTo: string;
  }[];
  readonly tokenizers: readonly {
    readonly directory: string;
    readonly texts: readonly string[];
    readonly messages: readonly Message[];
  }[];
}

const policyAnswer = z.object({ trouble: z.array(z.string()), logprobs: z.array(z.number()) });
const adapterAnswer = policyAnswer.extend({ merged: z.array(z.number()), own: z.array(z.number()) });
const tokenizerAnswer = z.object({ ids: z.array(z.array(z.int())), prompt: z.string() });

function has(what: string, ...modules: readonly string[]): boolean {
  try {
    execFileSync(PYTHON, ["-c", `import ${modules.join(", ")}`], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(`Skipping the exchange of ${what}: ${PYTHON} has no ${modules.join(" and ")}`);
    return false;
  }
}

const isInstalled = has("policies with transformers", "torch", "transformers");
const hasPeft = isInstalled && has("adapters with PEFT", "peft");

/** The ways of saving; each shape takes its turn with all of them. */
const WAYS: readonly (readonly [string, SaveOptions])[] = [
  ["in one file", {}],
  ["in shards", { maxShardBytes: 8_000 }],
  ["in bfloat16", { elementType: "bfloat16" }],
];

const CASES = SHAPES.flatMap(([name, shape]) =>
  WAYS.map(([way, options]) => ({ title: `${name} ${way}`, name, shape, options })),
);

const LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const ADAPTED = SHAPES.map(([name, shape]) => ({
  name,
  shape,
  lora: { rank: 3, alpha: 6, targets: shape.tieEmbeddings ? LINEARS : [...LINEARS, "lm_head"] },
}));

const TEXTS = ["", "Hello  world\n\n", "<|im_start|>user\nÄé 漢字 🦙<|im_end|>", "x = 3.14*(2+1)\t// \u00a0"];
const MESSAGES: readonly Message[] = [
  { role: "system", content: "Add." },
  { role: "user", content: "1+1" },
  { role: "assistant", content: "<think>\neasy\n</think>\n\n2" },
  { role: "user", content: "2+2" },
];

describe.skipIf(!isInstalled)("policies in Hugging Face layout", () => {
  const engines: NativeEngine[] = [];
  const answers: string[] = [];
  const adapters: string[] = [];
  const batchOf = (index: number) => randomBatch(CASES[index]?.shape ?? SHAPES[0]![1], [40], index);
  const folderOf = (index: number) => join(root, String(index));
  const savedBy = (index: number) => join(root, `${index}-by-transformers`);

  // One Python for all, for to start it takes longer than everything it is asked.
  beforeAll(async () => {
    const policies = [];
    for (const [index, { shape, options }] of CASES.entries()) {
      const engine = await NativeEngine.create({ shape, seed: index });
      engines.push(engine);
      await engine.save(folderOf(index), options);
      policies.push({ directory: folderOf(index), tokens: [...batchOf(index).tokens_N] });
      if (options.maxShardBytes)
        policies.push({ ...policies.at(-1)!, saveTo: savedBy(index), maxShardBytes: options.maxShardBytes });
    }
    const tokenizers = existsSync(MINIMIND) ? [{ directory: MINIMIND, texts: TEXTS, messages: MESSAGES }] : [];
    const orders = await Promise.all((hasPeft ? ADAPTED : []).map((_, index) => trainedAdapter(index)));
    const order: Order = { policies, adapters: orders, tokenizers };
    const script = fileURLToPath(new URL("transformers_peer.py", import.meta.url));
    const text = execFileSync(PYTHON, [script, JSON.stringify(order)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    answers.push(...text.trim().split("\n"));
    adapters.push(...answers.splice(policies.length, orders.length));
  });
  afterAll(() => engines.forEach((engine) => engine.dispose()));

  const answerTo = (index: number, isRewritten = false) => {
    const before = CASES.slice(0, index).filter(({ options }) => options.maxShardBytes).length;
    return policyAnswer.parse(JSON.parse(answers[index + before + Number(isRewritten)] ?? ""));
  };

  /** Logprobs of the engine that read a folder. */
  async function ownLogprobs(directory: string, index: number): Promise<readonly number[]> {
    const engine = await NativeEngine.create({ shape: readModelShape(directory), seed: 0 });
    engines.push(engine);
    await engine.load(directory);
    await engine.publish();
    const { tokens_N, offsets_S1 } = batchOf(index);
    return [...(await engine.score(tokens_N, offsets_S1, 1)).logprobs_N].slice(1);
  }

  it.each(CASES.map((one, index) => ({ ...one, index })))(
    "load in transformers without a missing or unknown tensor, and give our logprobs there: $title",
    async ({ index }) => {
      const { trouble, logprobs } = answerTo(index);
      expect(trouble).toEqual([]);
      expect(relativeGap(logprobs, await ownLogprobs(folderOf(index), index))).toBeLessThan(2e-5);
    },
  );

  it.each(CASES.map((one, index) => ({ ...one, index })).filter(({ options }) => options.maxShardBytes))(
    "load here when transformers wrote them, in shards and bfloat16: $name",
    async ({ index }) => {
      expect(readdirSync(savedBy(index)).filter((file) => file.endsWith(".safetensors")).length).toBeGreaterThan(1);
      const { logprobs } = answerTo(index, true);
      expect(relativeGap(await ownLogprobs(savedBy(index), index), logprobs)).toBeLessThan(2e-5);
      expect(readModelShape(savedBy(index))).toEqual(readModelShape(folderOf(index)));
    },
  );

  const adaptedBatch = (index: number) => randomBatch(ADAPTED[index]?.shape ?? SHAPES[0]![1], [40], index);
  const folderOfAdapter = (index: number, what: string) => join(root, `adapter-${index}-${what}`);

  /** An adapter that has learned something, and what it stands on. */
  async function trainedAdapter(index: number): Promise<Order["adapters"][number]> {
    const { shape, lora } = ADAPTED[index]!; // the caller counts them
    const base = await NativeEngine.create({ shape, seed: index });
    const adapted = await NativeEngine.create({ shape, seed: index, lora });
    engines.push(base, adapted);
    for (let step = 0; step < 3; step++) {
      await adapted.forwardBackward(randomBatch(shape, [40, 7, 25], step), EVERY_TERM);
      await adapted.optimStep(STEP);
    }
    const [below, directory] = [folderOfAdapter(index, "base"), folderOfAdapter(index, "ours")];
    await base.save(below);
    await adapted.save(directory);
    await adapted.save(folderOfAdapter(index, "merged"), { merged: true });
    return {
      base: below,
      directory,
      tokens: [...adaptedBatch(index).tokens_N],
      saveTo: folderOfAdapter(index, "by-peft"),
    };
  }

  /** Logprobs of the engine that read an adapter's folder, or the folder it was merged into. */
  async function adaptedLogprobs(index: number, what: string): Promise<readonly number[]> {
    const { shape, lora } = ADAPTED[index]!; // one of the cases
    const engine = await NativeEngine.create({ shape, seed: 0, ...(what === "merged" ? {} : { lora }) });
    engines.push(engine);
    if (what !== "merged") await engine.load(folderOfAdapter(index, "base"));
    await engine.load(folderOfAdapter(index, what));
    await engine.publish();
    const { tokens_N, offsets_S1 } = adaptedBatch(index);
    return [...(await engine.score(tokens_N, offsets_S1, 1)).logprobs_N].slice(1);
  }

  it.skipIf(!hasPeft).each(ADAPTED.map((one, index) => ({ ...one, index })))(
    "have adapters that PEFT loads whole, with our logprobs, unmerged and merged: $name",
    async ({ index }) => {
      const { trouble, logprobs, merged } = adapterAnswer.parse(JSON.parse(adapters[index] ?? ""));
      expect(trouble).toEqual([]);
      expect(relativeGap(logprobs, await adaptedLogprobs(index, "ours"))).toBeLessThan(2e-5);
      expect(relativeGap(merged, await adaptedLogprobs(index, "merged"))).toBeLessThan(2e-5);
      expect(relativeGap(logprobs, await adaptedLogprobs(index, "by-peft"))).toBeGreaterThan(1e-3);
    },
  );

  it.skipIf(!hasPeft).each(ADAPTED.map((one, index) => ({ ...one, index })))(
    "load adapters that PEFT wrote, with its logprobs: $name",
    async ({ index }) => {
      const { own } = adapterAnswer.parse(JSON.parse(adapters[index] ?? ""));
      expect(relativeGap(await adaptedLogprobs(index, "by-peft"), own)).toBeLessThan(2e-5);
    },
  );

  it.skipIf(!existsSync(MINIMIND))("have a tokenizer and a chat template that agree with transformers", () => {
    const { ids, prompt } = tokenizerAnswer.parse(JSON.parse(answers.at(-1) ?? ""));
    const tokenizer = Tokenizer.fromDirectory(MINIMIND);
    expect(TEXTS.map((text) => [...tokenizer.encode(text)])).toEqual(ids);
    const rendered = tokenizer.render(MESSAGES);
    expect(rendered.context + rendered.assistantPrefix).toBe(prompt);
  });
});
