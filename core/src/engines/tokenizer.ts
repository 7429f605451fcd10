import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { errors } from "../errors.js";
import type { Message } from "../records/task.js";
import type { VocabularyBytes } from "./policy-engine.js";
import { vocabularyBytes } from "./vocabulary-bytes.js";

const TEMPLATE_FILE = "chat_template.jinja";

/** Names of the files in a policy folder that its tokenizer is made of. */
export function tokenizerFiles(directory: string): readonly string[] {
  const all = ["tokenizer.json", "tokenizer_config.json", TEMPLATE_FILE];
  return all.filter((name) => existsSync(join(directory, name)));
}

/** A rendered conversation: `text` is `context + assistantPrefix`. */
export interface RenderedPrompt {
  /** Everything before the assistant's turn. */
  readonly context: string;
  /** What the template puts at the start of the assistant's turn. */
  readonly assistantPrefix: string;
}

/** Text ↔ token ids and the chat template of one policy, read from a folder in Hugging Face layout. */
export class Tokenizer {
  readonly eosToken: number;
  readonly vocabSize: number;
  readonly #inner: HubTokenizer;
  readonly #template: Template;
  readonly #specials: Readonly<Record<string, string>>;
  readonly #model: Readonly<Record<string, unknown>>;
  #bytes: VocabularyBytes | undefined;

  private constructor(
    model: Readonly<Record<string, unknown>>,
    inner: HubTokenizer,
    template: Template,
    specials: Readonly<Record<string, string>>,
    eosToken: number,
  ) {
    this.#model = model;
    this.#inner = inner;
    this.#template = template;
    this.#specials = specials;
    this.eosToken = eosToken;
    let largest = 0;
    for (const token of inner.get_vocab(true).values()) largest = Math.max(largest, token);
    this.vocabSize = largest + 1;
  }

  /**
   * Reads `tokenizer.json`, `tokenizer_config.json` (with `eos_token`) and the chat template: `chat_template.jinja`, or
   * `chat_template` in the config, where one of several is taken that is named "default".
   *
   * @throws TOKENIZER_NOT_VALID naming the file and what is missing
   */
  static fromDirectory(directory: string): Tokenizer {
    const tokenizerPath = join(directory, "tokenizer.json");
    const configPath = join(directory, "tokenizer_config.json");
    const model = readJson(tokenizerPath);
    const config = readJson(configPath);
    const template = chatTemplate(directory, config["chat_template"]);
    if (template === undefined)
      throw errors.tokenizerNotValid({ path: configPath, problem: '"chat_template" is missing' });
    const specials = Object.fromEntries(
      ["bos_token", "eos_token", "pad_token", "unk_token"].flatMap((key) => {
        const text = tokenText(config[key]);
        return text === undefined ? [] : [[key, text]];
      }),
    );
    const eos = specials["eos_token"];
    if (eos === undefined) throw errors.tokenizerNotValid({ path: configPath, problem: '"eos_token" is missing' });
    let inner: HubTokenizer;
    try {
      inner = new HubTokenizer(model, config);
    } catch (cause) {
      throw errors.tokenizerNotValid({ path: tokenizerPath, problem: String(cause) }, cause);
    }
    const eosToken = inner.token_to_id(eos);
    if (eosToken === undefined)
      throw errors.tokenizerNotValid({ path: tokenizerPath, problem: `eos_token "${eos}" is not in the vocabulary` });
    try {
      return new Tokenizer(model, inner, new Template(template), specials, eosToken);
    } catch (cause) {
      throw errors.tokenizerNotValid(
        { path: configPath, problem: `"chat_template" is no template: ${String(cause)}` },
        cause,
      );
    }
  }

  /** Ids of a whole text in one call; special tokens are recognised, none are added. */
  encode(text: string): Int32Array {
    return Int32Array.from(this.#inner.encode(text, { add_special_tokens: false }).ids);
  }

  /** Text of ids, special tokens kept. */
  decode(tokens: Int32Array): string {
    if (tokens.length === 0) return "";
    return this.#inner.decode(Array.from(tokens), { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /** The bytes that each id stands for, special tokens as their text. */
  vocabularyBytes(): VocabularyBytes {
    return (this.#bytes ??= vocabularyBytes(this.#inner.get_vocab(true), this.#model));
  }

  /**
   * Where each of a text's tokens ends, in bytes of its UTF-8; shape [T].
   *
   * @param tokens the ids that `encode` gave for the text
   * @throws TEXT_NOT_TOKENISED when they stand for other bytes than the text's: the tokenizer changes what it reads
   */
  endsOf(tokens: Int32Array, text: string): Int32Array {
    const { offsets_V1 } = this.vocabularyBytes();
    let end = 0;
    const ends_T = tokens.map((token) => (end += offsets_V1[token + 1]! - offsets_V1[token]!));
    const bytes = Buffer.byteLength(text);
    if (end !== bytes) throw errors.textNotTokenised({ text: text.slice(0, 60), bytes, found: end });
    return ends_T;
  }

  /**
   * Renders a conversation with the chat template, split where the assistant's turn begins.
   *
   * @throws CHAT_TEMPLATE_FAILED when the template throws, or its generation prompt is not at the end
   */
  render(messages: readonly Message[]): RenderedPrompt {
    const context = this.#render(messages, false);
    const whole = this.#render(messages, true);
    if (!whole.startsWith(context))
      throw errors.chatTemplateFailed({
        problem: "with a generation prompt it renders another conversation than without",
      });
    return { context, assistantPrefix: whole.slice(context.length) };
  }

  #render(messages: readonly Message[], addGenerationPrompt: boolean): string {
    try {
      return this.#template.render({
        ...this.#specials,
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      throw errors.chatTemplateFailed({ problem: String(cause) }, cause);
    }
  }
}

function readJson(path: string): Record<string, unknown> {
  if (!existsSync(path)) throw errors.tokenizerNotValid({ path, problem: "the file is missing" });
  try {
    // Every property is checked where it is read.
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (cause) {
    throw errors.tokenizerNotValid({ path, problem: String(cause) }, cause);
  }
}

function chatTemplate(directory: string, inConfig: unknown): string | undefined {
  const file = join(directory, TEMPLATE_FILE);
  if (existsSync(file)) return readFileSync(file, "utf8");
  if (typeof inConfig === "string") return inConfig;
  const named = z.array(z.object({ name: z.string(), template: z.string() })).safeParse(inConfig);
  return named.success ? named.data.find(({ name }) => name === "default")?.template : undefined;
}

/** Special tokens stand as text, or as an object with `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  // Only `content` is read.
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}
