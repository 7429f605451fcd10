import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tokenizer, tokenizerFiles } from "../../../core/src/engines/tokenizer.js";
import type { JsonValue } from "../../../core/src/records/json.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const policy = writeTinyPolicy(folder);
const original = join(folder, "original");
cpSync(policy, original, { recursive: true });

/** A tokenizer whose `tokenizer_config.json` was changed; undefined takes a key out. */
function changed(changes: Readonly<Record<string, JsonValue | undefined>>): Tokenizer {
  cpSync(original, policy, { recursive: true });
  const file = join(policy, "tokenizer_config.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...changes }));
  return Tokenizer.fromDirectory(policy);
}

describe("Tokenizer.encode() and decode()", () => {
  const tokenizer = Tokenizer.fromDirectory(original);

  test("are each other's inverse for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test("agree with vocabularyBytes(): a text's bytes are those of its tokens", () => {
    const { bytes, offsets_V1 } = tokenizer.vocabularyBytes();
    const decoder = new TextDecoder();
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const parts = [...tokenizer.encode(`<think>${text}<|im_end|>`)].flatMap((token) => [
          ...bytes.subarray(offsets_V1[token], offsets_V1[token + 1]),
        ]);
        expect(decoder.decode(Uint8Array.from(parts))).toBe(`<think>${text}<|im_end|>`);
      }),
    );
    expect(offsets_V1).toHaveLength(tokenizer.vocabSize + 1);
  });

  test("know special tokens, and keep them in text", () => {
    const [end, ...rest] = tokenizer.encode("<|im_end|>");
    expect([end, rest]).toEqual([tokenizer.eosToken, []]);
    expect(tokenizer.decode(Int32Array.of(tokenizer.eosToken))).toBe("<|im_end|>");
    expect(tokenizer.decode(new Int32Array())).toBe("");
    expect(Math.max(...tokenizer.encode("<think>a</think>"))).toBeLessThan(tokenizer.vocabSize);
  });
});

describe("Tokenizer.render()", () => {
  test("splits a conversation where the assistant's turn begins", () => {
    expect(Tokenizer.fromDirectory(original).render([{ role: "user", content: "Hi" }])).toEqual({
      context: "<|im_start|>user\nHi<|im_end|>\n",
      assistantPrefix: "<|im_start|>assistant\n<think>\n",
    });
  });

  test("rejects with CHAT_TEMPLATE_FAILED a template that throws, or changes the conversation for its prompt", () => {
    const throwing = changed({ chat_template: "{{ raise_exception('roles must alternate') }}" });
    expect(() => throwing.render([])).toThrow(
      expect.objectContaining({
        code: "CHAT_TEMPLATE_FAILED",
        message: expect.stringContaining("roles must alternate"),
      }),
    );
    const changing = changed({ chat_template: "{% if add_generation_prompt %}other{% else %}one{% endif %}" });
    expect(() => changing.render([])).toThrow("with a generation prompt it renders another conversation than without");
  });

  test("gives the template the special tokens, as text or as objects", () => {
    const tokenizer = changed({
      eos_token: { content: "<|im_end|>" },
      chat_template: "{{ messages[0].content }}{{ eos_token }}",
    });
    expect(tokenizer.render([{ role: "user", content: "a" }]).context).toBe("a<|im_end|>");
  });
});

describe("Tokenizer.fromDirectory()", () => {
  test.each([
    ["chat_template", '"chat_template" is missing'],
    ["eos_token", '"eos_token" is missing'],
  ])("names a missing %s", (key, problem) => {
    expect(() => changed({ [key]: undefined })).toThrow(
      expect.objectContaining({
        code: "TOKENIZER_NOT_VALID",
        exitCode: 4,
        message: `Cannot read the tokenizer "${join(policy, "tokenizer_config.json")}": ${problem}`,
      }),
    );
  });

  test("takes the default of several templates, and a template in a file of its own before that", () => {
    const messages = [{ role: "user", content: "a" }] as const;
    const templates = [
      { name: "tool_use", template: "tools" },
      { name: "default", template: "default {{ messages[0].content }}" },
    ];
    expect(changed({ chat_template: templates }).render(messages).context).toBe("default a");
    expect(() => changed({ chat_template: templates.slice(0, 1) })).toThrow('"chat_template" is missing');
    cpSync(original, policy, { recursive: true });
    const file = join(policy, "chat_template.jinja");
    expect(tokenizerFiles(policy)).toEqual(["tokenizer.json", "tokenizer_config.json"]);
    writeFileSync(file, "file {{ messages[0].content }}");
    expect(Tokenizer.fromDirectory(policy).render(messages).context).toBe("file a");
    expect(tokenizerFiles(policy)).toEqual(["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]);
    rmSync(file);
  });

  test("names a stop token that the vocabulary does not have", () => {
    expect(() => changed({ eos_token: "<|no|>" })).toThrow('eos_token "<|no|>" is not in the vocabulary');
  });

  test("names a chat template that is no template", () => {
    expect(() => changed({ chat_template: "{% for a in %}" })).toThrow(
      expect.objectContaining({
        code: "TOKENIZER_NOT_VALID",
        message: expect.stringMatching(/tokenizer_config\.json": .*chat_template/),
      }),
    );
  });

  test("names a file that is missing, broken, or no tokenizer", () => {
    const file = join(policy, "tokenizer.json");
    cpSync(original, policy, { recursive: true });
    rmSync(file);
    expect(() => Tokenizer.fromDirectory(policy)).toThrow(`Cannot read the tokenizer "${file}": the file is missing`);
    writeFileSync(file, "{");
    expect(() => Tokenizer.fromDirectory(policy)).toThrow(/tokenizer\.json": SyntaxError/);
    writeFileSync(file, "{}");
    expect(() => Tokenizer.fromDirectory(policy)).toThrow(expect.objectContaining({ code: "TOKENIZER_NOT_VALID" }));
  });
});
