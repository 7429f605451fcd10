import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const DATA = fileURLToPath(new URL("../../../../shared/data/models/tokenizers/", import.meta.url));
const folder = temporaryFolder();

interface Vectors {
  readonly cases: readonly (Readonly<Record<string, readonly number[]>> & { readonly text: string })[];
}

/** A policy folder of a published `tokenizer.json` and a config. */
function open(name: string, config: object): Tokenizer {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  cpSync(join(DATA, name, "tokenizer.json"), join(directory, "tokenizer.json"));
  writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
  return Tokenizer.fromDirectory(directory);
}

/** In DeepSeek's manner; the published config that is at hand has none. */
const DEEPSEEK_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '<｜User｜>' + message.content }}" +
  "{% else %}{{ '<｜Assistant｜>' + message.content + eos_token }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}";

/** DeepSeek-R1-Distill-Qwen: Qwen's vocabulary with other added tokens. */
function openDeepSeek(): Tokenizer {
  const directory = join(folder, "deepseek");
  mkdirSync(directory, { recursive: true });
  const config = JSON.parse(readFileSync(join(DATA, "deepseek-r1-distill-qwen/tokenizer_config.json"), "utf8"));
  const tokenizer = JSON.parse(readFileSync(join(DATA, "qwen2.5-derived/tokenizer.json"), "utf8"));
  tokenizer.added_tokens = Object.entries<object>(config.added_tokens_decoder).map(([id, token]) => ({
    id: Number(id),
    ...token,
  }));
  writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
  writeFileSync(join(directory, "chat_template.jinja"), DEEPSEEK_TEMPLATE);
  return Tokenizer.fromDirectory(directory);
}

describe.skipIf(!existsSync(DATA))("Tokenizer with published vocabularies", () => {
  test.each([
    ["gpt2", "gpt-2", "<|endoftext|>"],
    ["qwen2.5-derived", "qwen2", "<|im_end|>"],
  ])("gives %s's published ids for every text of the vectors, and the text back", (name, key, eos) => {
    const tokenizer = open(name, { eos_token: eos, chat_template: "{{ messages[0].content }}" });
    // The file's form is told in the README beside it.
    const { cases } = JSON.parse(readFileSync(join(DATA, "vectors.json"), "utf8")) as Vectors;
    expect(cases.length).toBe(43);
    for (const one of cases) {
      const tokens = tokenizer.encode(one.text);
      expect([...tokens], JSON.stringify(one.text)).toEqual(one[key]);
      expect(tokenizer.decode(tokens)).toBe(one.text);
    }
    // Qwen composes characters before it looks them up (NFC); GPT-2 keeps every byte.
    const composed = (text: string) => (name === "gpt2" ? text : text.normalize("NFC"));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(composed(text));
      }),
    );
  });

  test("keeps the special tokens of minimind, and renders its template", () => {
    const tokenizer = open("minimind", JSON.parse(readFileSync(join(DATA, "minimind/tokenizer_config.json"), "utf8")));
    const rendered = tokenizer.render([
      { role: "system", content: "Add." },
      { role: "user", content: "1+1" },
      { role: "assistant", content: "<think>\neasy\n</think>\n\n2" },
      { role: "user", content: "2+2" },
    ]);
    expect(rendered.context).toBe(
      "<|im_start|>system\nAdd.<|im_end|>\n<|im_start|>user\n1+1<|im_end|>\n" +
        "<|im_start|>assistant\n<think>\neasy\n</think>\n\n2<|im_end|>\n<|im_start|>user\n2+2<|im_end|>\n",
    );
    expect(rendered.assistantPrefix.startsWith("<|im_start|>assistant\n")).toBe(true);
    const tokens = tokenizer.encode(rendered.context);
    expect(tokenizer.decode(tokens)).toBe(rendered.context);
    expect(tokens.filter((token) => token === tokenizer.eosToken).length).toBe(4);
  });

  test("splits DeepSeek-R1-Distill's prompt before the assistant's turn, whose think tag is one token", () => {
    const tokenizer = openDeepSeek();
    const { context, assistantPrefix } = tokenizer.render([{ role: "user", content: "1+1" }]);
    expect(context).toBe("<｜begin▁of▁sentence｜><｜User｜>1+1");
    expect(assistantPrefix).toBe("<｜Assistant｜><think>\n");
    expect([...tokenizer.encode(context + assistantPrefix)]).toEqual([151646, 151644, 16, 10, 16, 151645, 151648, 198]);
    expect(tokenizer.eosToken).toBe(151643);
    // The empty thought of thinking-free prompts: four tokens in one call, five when its halves are encoded apart.
    expect(tokenizer.encode("<think>\n\n</think>\n\n").length).toBe(4);
  });
});
