/** Logprob of one token and entropy of the distribution that it came from, nats. */
export interface TokenLogprob {
  readonly logprob: number;
  readonly entropy: number;
}

/**
 * Logprobs of all tokens: z_v − log Σ exp z, with z = logits / temperature.
 *
 * The largest logit is taken off first, so nothing overflows.
 *
 * @param temperature > 0
 * @returns shape [V], nats
 */
export function logSoftmax(logits_V: ArrayLike<number>, temperature: number): Float64Array {
  let highest = -Infinity;
  for (let v = 0; v < logits_V.length; v++) highest = Math.max(highest, logits_V[v]!);
  const logprobs_V = Float64Array.from(logits_V, (logit) => (logit - highest) / temperature);
  let total = 0;
  for (const shifted of logprobs_V) total += Math.exp(shifted);
  return logprobs_V.map((shifted) => shifted - Math.log(total));
}

/**
 * Logprob of a token under softmax(logits / temperature), and the entropy −Σ p log p.
 *
 * @example
 * tokenLogprob([0, 0], 1, 1); // { logprob: -0.693…, entropy: 0.693… }
 */
export function tokenLogprob(logits_V: ArrayLike<number>, token: number, temperature: number): TokenLogprob {
  const logprobs_V = logSoftmax(logits_V, temperature);
  return { logprob: logprobs_V[token]!, entropy: entropyOf(logprobs_V) };
}

/**
 * Gradient with respect to the logits of a function of one token's logprob and of the entropy.
 *
 *     ∂ logprob / ∂ logit_v = ([v = token] − p_v) / T
 *     ∂ entropy / ∂ logit_v = −p_v (log p_v + entropy) / T
 *
 * @param dLogprob the function's derivative with respect to the logprob; likewise dEntropy
 * @returns shape [V]
 */
export function tokenLogprobBackward(
  logits_V: ArrayLike<number>,
  token: number,
  temperature: number,
  dLogprob: number,
  dEntropy: number,
): Float64Array {
  const logprobs_V = logSoftmax(logits_V, temperature);
  const entropy = entropyOf(logprobs_V);
  return logprobs_V.map((logprob, v) => {
    const probability = Math.exp(logprob);
    // A probability of 0 has logprob -Infinity, and adds nothing.
    const entropySlope = probability === 0 ? 0 : -probability * (logprob + entropy);
    return (dLogprob * (Number(v === token) - probability) + dEntropy * entropySlope) / temperature;
  });
}

function entropyOf(logprobs_V: Float64Array): number {
  let entropy = 0;
  for (const logprob of logprobs_V) {
    const probability = Math.exp(logprob);
    if (probability > 0) entropy -= probability * logprob;
  }
  return entropy;
}
