import { errors } from "../errors.js";

/** What is known about every token; each array has shape [T], prompt and response together. */
export interface RolloutTokens {
  readonly tokens: Int32Array;
  /** ORIGIN codes. */
  readonly origins: Uint8Array;
  /** Nats; 0 where the policy did not act. */
  readonly logprobs: Float32Array;
  /** Nats; 0 where the policy did not act. */
  readonly entropies: Float32Array;
  /** 0 on the prompt. */
  readonly advantages: Float32Array;
}

/** Byte offsets of a trajectory's arrays in the side file: little-endian, `length` entries each. */
export interface TokenPlace {
  readonly length: number;
  /** int32 */
  readonly tokens: number;
  /** float32 */
  readonly logprobs: number;
  /** float32 */
  readonly entropies: number;
  /** float32 */
  readonly advantages: number;
  /** uint8 */
  readonly origins: number;
}

/** The bytes of a trajectory's arrays when they begin at `offset`, and where each lies. */
export function packTokens(
  arrays: RolloutTokens,
  offset: number,
): { readonly place: TokenPlace; readonly bytes: Uint8Array } {
  const place = placeOf(arrays.tokens.length, offset);
  const bytes = new Uint8Array(endOf(place) - offset);
  for (const name of ["tokens", "logprobs", "entropies", "advantages", "origins"] as const) {
    const array = arrays[name];
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), place[name] - offset);
  }
  return { place, bytes };
}

/**
 * One trajectory's arrays out of a side file's bytes.
 * @param file names it in an error
 * @throws ROLLOUTS_UNREADABLE when it is too short
 */
export function unpackTokens(side: Uint8Array, place: TokenPlace, file: string): RolloutTokens {
  const missing = endOf(place) - side.length;
  if (missing > 0) throw errors.rolloutsUnreadable({ file, problem: `it ends ${missing} bytes too early` });
  // A copy, so that arrays of four bytes begin where they may.
  const bytes = side.slice(place.tokens, endOf(place));
  const at = (offset: number) => [bytes.buffer, bytes.byteOffset + offset - place.tokens, place.length] as const;
  return {
    tokens: new Int32Array(...at(place.tokens)),
    origins: new Uint8Array(...at(place.origins)),
    logprobs: new Float32Array(...at(place.logprobs)),
    entropies: new Float32Array(...at(place.entropies)),
    advantages: new Float32Array(...at(place.advantages)),
  };
}

function placeOf(length: number, offset: number): TokenPlace {
  const [tokens, logprobs, entropies, advantages, origins] = [0, 4, 8, 12, 16].map((width) => offset + width * length);
  // Five widths give five offsets.
  return { length, tokens, logprobs, entropies, advantages, origins } as TokenPlace;
}

/** Where the next trajectory begins: a multiple of 4. */
function endOf(place: TokenPlace): number {
  return place.origins + Math.ceil(place.length / 4) * 4;
}
