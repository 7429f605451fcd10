import { describe, expect, test } from "vitest";
import { vocabularyBytes } from "../../../core/src/engines/vocabulary-bytes.js";

function texts(vocabulary: Readonly<Record<string, number>>, tokenizer: Readonly<Record<string, unknown>>): number[][] {
  const { bytes, offsets_V1 } = vocabularyBytes(new Map(Object.entries(vocabulary)), tokenizer);
  return Array.from({ length: offsets_V1.length - 1 }, (_, t) => [...bytes.subarray(offsets_V1[t], offsets_V1[t + 1])]);
}

describe("vocabularyBytes()", () => {
  test("reads SentencePiece tokens: a space mark, and bytes by number", () => {
    expect(texts({ "\u2581a": 0, "<0x0A>": 1, é: 3 }, { decoder: { type: "Sequence" } })).toEqual([
      [0x20, 0x61],
      [0x0a],
      [],
      [0xc3, 0xa9],
    ]);
  });

  test("reads byte-level tokens, and added ones as they are written", () => {
    const tokenizer = { decoder: { type: "ByteLevel" }, added_tokens: [{ content: "<Ġ>" }] };
    expect(texts({ Ġa: 0, Ã: 1, "<Ġ>": 2, Ċ: 3 }, tokenizer)).toEqual([
      [0x20, 0x61],
      [0xc3],
      [0x3c, 0xc4, 0xa0, 0x3e],
      [0x0a],
    ]);
  });
});
