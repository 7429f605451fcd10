// Writes the tokenizer of a tiny policy: byte-level BPE in Hugging Face format. 256 bytes, a few merges for words that
// the chat template and worked answers repeat, and the special tokens of an R1-style template. Digits stay single.
//   node examples/policies/make-tokenizer.mjs examples/policies/tiny
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.argv[2];
if (!directory) throw new Error("usage: node make-tokenizer.mjs DIRECTORY");

const SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"];
const WORDS = [
  "\n\n",
  "user",
  "assistant",
  "boxed",
  " the",
  " and",
  " of",
  " to",
  " is",
  " in",
  "ing",
  "er",
  "re",
  "on",
  "an",
  "at",
  "es",
  "ed",
];
const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The printable stand-in of each byte that byte-level BPE writes in its vocabulary. */
function byteAlphabet() {
  const printable = (byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const alphabet = byteAlphabet();
const vocabulary = new Map(alphabet.map((symbol, id) => [symbol, id]));
const merges = [];
for (const word of WORDS) {
  const symbols = [...Buffer.from(word)].map((byte) => alphabet[byte]);
  for (let left = symbols[0], i = 1; i < symbols.length; i++) {
    const merged = left + symbols[i];
    if (!vocabulary.has(merged)) {
      merges.push([left, symbols[i]]);
      vocabulary.set(merged, vocabulary.size);
    }
    left = merged;
  }
}
const added = SPECIALS.map((content, index) => ({
  id: vocabulary.size + index,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
}));

const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: added,
  normalizer: null,
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: SPLIT }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    ],
  },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(vocabulary),
    merges,
  },
};
const CHAT_TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";
const config = {
  tokenizer_class: "PreTrainedTokenizerFast",
  model_max_length: 1024,
  add_bos_token: false,
  add_prefix_space: false,
  bos_token: null,
  eos_token: "<|im_end|>",
  pad_token: "<|endoftext|>",
  unk_token: null,
  clean_up_tokenization_spaces: false,
  chat_template: CHAT_TEMPLATE,
};
writeFileSync(join(directory, "tokenizer.json"), `${JSON.stringify(tokenizer, null, 1)}\n`);
writeFileSync(join(directory, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
console.log(`${vocabulary.size + added.length} tokens`);
