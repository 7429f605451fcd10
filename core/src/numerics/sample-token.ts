import { logSoftmax } from "./token-logprobs.js";

/** How a token is chosen; the fields mean what they mean in a `GenerateRequest`. */
export interface TokenSampling {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly logitBias?: readonly (readonly [number, number])[];
}

/**
 * The token that one uniform number picks.
 *
 * Biases are added to the logits, which are then divided by the temperature. Tokens are kept in this order: the `topK` most
 * probable; of these the fewest whose share of what is left reaches `topP`; of these the ones at least `minP` times as
 * probable as the first. Among tokens of equal probability the lower id ranks first. The choice inverts the cumulative
 * distribution of the kept tokens by ascending id: the first id whose cumulative mass exceeds uniform · kept mass.
 * Temperature 0 takes the largest biased logit and the lowest id among equals, whatever the rest says.
 *
 * @param logits_V shape [V]
 * @param uniform in [0, 1)
 * @returns a token id in [0, V)
 */
export function sampleToken(logits_V: ArrayLike<number>, sampling: TokenSampling, uniform: number): number {
  const biased_V = Float64Array.from(logits_V);
  for (const [token, bias] of sampling.logitBias ?? []) biased_V[token]! += bias;
  if (sampling.temperature === 0) return largest(biased_V);

  const probabilities_V = logSoftmax(biased_V, sampling.temperature).map(Math.exp);
  const kept = keepTokens(biased_V, probabilities_V, sampling);
  const target = uniform * massOf(kept, probabilities_V);
  let cumulative = 0;
  for (const token of kept) {
    cumulative += probabilities_V[token]!;
    if (cumulative > target) return token;
  }
  return kept.at(-1)!;
}

/** Kept ids, ascending; never empty. */
function keepTokens(biased_V: Float64Array, probabilities_V: Float64Array, sampling: TokenSampling): number[] {
  const all = Array.from(biased_V.keys());
  // To rank a large vocabulary takes longer than everything else.
  if (sampling.topK === 0 && sampling.topP >= 1 && sampling.minP === 0) return all;
  const ranking = all.sort((a, b) => biased_V[b]! - biased_V[a]! || a - b);
  let kept = sampling.topK > 0 ? ranking.slice(0, sampling.topK) : ranking;
  if (sampling.topP < 1) {
    const enough = sampling.topP * massOf(kept, probabilities_V);
    let before = 0;
    kept = kept.filter((token, rank) => {
      const isKept = rank === 0 || before < enough;
      before += probabilities_V[token]!;
      return isKept;
    });
  }
  const floor = sampling.minP * probabilities_V[kept[0]!]!;
  return kept.filter((token) => probabilities_V[token]! >= floor).sort((a, b) => a - b);
}

/** Index of the largest value, the lowest among equals. */
function largest(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function massOf(tokens: readonly number[], probabilities_V: Float64Array): number {
  return tokens.reduce((sum, token) => sum + probabilities_V[token]!, 0);
}
