import type { TextReader } from "@troupe/core/sdk";
import type { Document, Mark } from "./documents.js";

/** A piece of a document that is read on its own; tasks stand in it and see nothing before it. */
export interface Passage {
  readonly id: string;
  /** Context and text together. */
  readonly whole: string;
  readonly bytes: Uint8Array;
  /** Byte from which on tokens are asked for. */
  readonly from: number;
  /** Where each token ends, in bytes; shape [T]. */
  readonly ends_T: Int32Array;
  /** The same in the units of `whole`: a beginning of it is a slice that copies nothing; shape [T]. */
  readonly units_T: Int32Array;
  readonly marks: readonly Mark[];
}

/** Cuts texts into tokens without a policy: every character is one. */
export const CHARACTERS: Pick<TextReader, "tokenEnds"> = {
  tokenEnds(text) {
    let end = 0;
    return Int32Array.from([...text], (character) => (end += Buffer.byteLength(character)));
  },
};

/**
 * A document as one passage, or as several where it is longer than wanted: each begins with the context, or the end of
 * one that would take more than half of the room, and goes on with the next piece of the text.
 */
export function passagesOf(document: Document, reader: Pick<TextReader, "tokenEnds">, tokens: number): Passage[] {
  const whole = document.context + document.text;
  const ends_T = reader.tokenEnds(whole);
  const bytes = Buffer.from(whole);
  const from = Buffer.byteLength(document.context);
  if (ends_T.length <= tokens) {
    const units_T = unitsOf(whole, ends_T);
    return [{ id: document.id, whole, bytes, from, ends_T, units_T, marks: document.marks ?? [] }];
  }
  const contextTokens = ends_T.filter((end) => end <= from).length;
  const headTokens = Math.min(contextTokens, Math.floor(tokens / 2));
  const headStart = contextTokens === headTokens ? 0 : characterAt(bytes, ends_T[contextTokens - headTokens - 1]!);
  const head = bytes.toString("utf8", headStart, from);
  const passages: Passage[] = [];
  let start = from;
  for (let t = contextTokens; start < bytes.length;) {
    t = Math.min(ends_T.length, t + tokens - headTokens);
    const end = characterAt(bytes, ends_T[t - 1]!);
    const text = head + bytes.toString("utf8", start, end);
    const own_T = reader.tokenEnds(text);
    passages.push({
      id: `${document.id}#${passages.length + 1}`,
      whole: text,
      bytes: Buffer.from(text),
      from: Buffer.byteLength(head),
      ends_T: own_T,
      units_T: unitsOf(text, own_T),
      // A result whose steps were cut off would be a guess.
      marks: [],
    });
    start = end;
  }
  return passages;
}

/** Ends of tokens in UTF-16 units of the text; one within a character counts to that character's end. */
function unitsOf(text: string, ends_T: Int32Array): Int32Array {
  let unit = 0;
  let byte = 0;
  return ends_T.map((end) => {
    while (byte < end) {
      const character = text.codePointAt(unit) ?? 0;
      byte += character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
      unit += character < 0x10000 ? 1 : 2;
    }
    return unit;
  });
}

/** Whether a character begins at a byte, or the text ends there. */
export function beginsCharacter(bytes: Uint8Array, at: number): boolean {
  return at >= bytes.length || (bytes[at]! & 0xc0) !== 0x80;
}

function characterAt(bytes: Uint8Array, at: number): number {
  let start = at;
  while (!beginsCharacter(bytes, start)) start++;
  return start;
}
