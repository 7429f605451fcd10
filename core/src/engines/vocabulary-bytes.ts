import type { VocabularyBytes } from "./policy-engine.js";

/**
 * The bytes that each token id stands for in running text.
 *
 * A byte-level vocabulary writes every byte as one printable character (GPT-2's table); a SentencePiece one writes the
 * space as U+2581 and bytes without a token as `<0x0A>`. Which it is, the tokenizer's decoder says. Added tokens stand
 * as they are written.
 *
 * @param vocabulary text of each token, as the vocabulary writes it
 * @param tokenizer content of `tokenizer.json`
 * @returns ids without a token have no bytes
 */
export function vocabularyBytes(
  vocabulary: ReadonlyMap<string, number>,
  tokenizer: Readonly<Record<string, unknown>>,
): VocabularyBytes {
  const added = addedTexts(tokenizer["added_tokens"]);
  const decode = JSON.stringify(tokenizer["decoder"] ?? null).includes('"ByteLevel"') ? byteLevel() : sentencePiece;
  const byId: Uint8Array[] = [];
  for (const [text, id] of vocabulary) byId[id] = added.has(text) ? utf8.encode(text) : decode(text);
  const offsets_V1 = new Int32Array(byId.length + 1);
  for (let id = 0; id < byId.length; id++) offsets_V1[id + 1] = offsets_V1[id]! + (byId[id]?.length ?? 0);
  const bytes = new Uint8Array(offsets_V1[byId.length]!);
  byId.forEach((part, id) => bytes.set(part, offsets_V1[id]));
  return { bytes, offsets_V1 };
}

const utf8 = new TextEncoder();

function addedTexts(list: unknown): ReadonlySet<unknown> {
  // Only `content` is read, of whatever stands there.
  return new Set(Array.isArray(list) ? list.map((token: { content?: unknown } | null) => token?.content) : []);
}

/** Printable bytes of Latin-1 stand for themselves, the others follow from U+0100 on in ascending order. */
function byteLevel(): (text: string) => Uint8Array {
  const byCharacter = new Map<string, number>();
  let others = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    byCharacter.set(String.fromCharCode(isPrintable ? byte : others++), byte);
  }
  return (text) =>
    Uint8Array.from([...text].flatMap((character) => byCharacter.get(character) ?? [...utf8.encode(character)]));
}

function sentencePiece(text: string): Uint8Array {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(text)?.[1];
  return byte === undefined ? utf8.encode(text.replaceAll("\u2581", " ")) : Uint8Array.of(Number.parseInt(byte, 16));
}
