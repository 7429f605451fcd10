import { ORIGIN, type Turn, type VersionSpan } from "../records/trajectory.js";
import type { SpannedCompletion } from "./generate-through.js";

/** Per-token arrays of a trajectory, each in memory of its own. */
export interface TokenArrays {
  readonly tokens: Int32Array;
  readonly origins: Uint8Array;
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
}

/** A trajectory that grows turn by turn: ids are only ever added behind those that are there. */
export class OpenTrajectory {
  readonly #parts: TokenArrays[] = [];
  readonly #turns: Turn[] = [];
  readonly #versions: VersionSpan[] = [];
  #length = 0;
  #segmentPart = 0;
  #sampled = 0;

  /** Tokens of the policy's turns so far. */
  get sampled(): number {
    return this.#sampled;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get versions(): readonly VersionSpan[] {
    return this.#versions;
  }

  /** A prompt; after the first, the beginning of a new segment. */
  prompt(tokens: Int32Array): void {
    this.#segmentPart = this.#parts.length;
    this.#add("prompt", unspoken(tokens, ORIGIN.prompt));
  }

  /** What the environment said. */
  observe(tokens: Int32Array, text: string): void {
    this.#add("environment", unspoken(tokens, ORIGIN.observed), text);
  }

  /**
   * A turn of the policy.
   * @param forcedLogprob stands in for the logprobs of the forced tokens
   */
  say({ completion, versions }: SpannedCompletion, forcedLogprob: number | undefined, text: string | undefined): void {
    const { tokens, origins, entropies } = completion;
    const start = this.#length;
    const logprobs =
      forcedLogprob === undefined
        ? completion.logprobs
        : completion.logprobs.map((value, t) => (origins[t] === ORIGIN.forced ? forcedLogprob : value));
    this.#versions.push(...versions.map((span) => ({ ...span, start: start + span.start, end: start + span.end })));
    this.#add("policy", { tokens, origins, logprobs, entropies }, text);
    this.#sampled += tokens.length;
  }

  /** Tokens of the current segment: what the policy goes on from. */
  context(): Int32Array {
    return joined(
      this.#parts.slice(this.#segmentPart).map(({ tokens }) => tokens),
      Int32Array,
    );
  }

  arrays(): TokenArrays {
    const parts = this.#parts;
    return {
      tokens: joined(
        parts.map(({ tokens }) => tokens),
        Int32Array,
      ),
      origins: joined(
        parts.map(({ origins }) => origins),
        Uint8Array,
      ),
      logprobs: joined(
        parts.map(({ logprobs }) => logprobs),
        Float32Array,
      ),
      entropies: joined(
        parts.map(({ entropies }) => entropies),
        Float32Array,
      ),
    };
  }

  #add(role: Turn["role"], part: TokenArrays, text?: string): void {
    const start = this.#length;
    this.#length += part.tokens.length;
    this.#parts.push(part);
    this.#turns.push({ role, start, end: this.#length, ...(text === undefined ? {} : { text }) });
  }
}

function unspoken(tokens: Int32Array, origin: number): TokenArrays {
  const zeros = (): Float32Array => new Float32Array(tokens.length);
  return { tokens, origins: new Uint8Array(tokens.length).fill(origin), logprobs: zeros(), entropies: zeros() };
}

function joined<Values extends Int32Array | Uint8Array | Float32Array>(
  parts: readonly Values[],
  type: new (length: number) => Values,
): Values {
  const out = new type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
