/**
 * Packed sequences: no padding, every per-token array has shape [N], N = sum of lengths.
 * Position t of a sequence speaks of the prediction *of* token t from the tokens before it;
 * position 0 predicts nothing and has weight 0.
 */
export interface Batch {
  readonly tokens_N: Int32Array;
  /** Sequence s is [offsets_S1[s], offsets_S1[s + 1]); shape [S + 1], first 0, last N. */
  readonly offsets_S1: Int32Array;
  /** Weight of each token in the objective, denominator included; 0 where the policy did not act. */
  readonly weights_N: Float32Array;
  readonly advantages_N: Float32Array;
  /** Logprob when sampled, nats. */
  readonly behaviourLogprobs_N: Float32Array;
  /**
   * The learner's logprob at the start of the update, nats: the anchor of the ratio, and what importance weights
   * compare with `behaviourLogprobs_N`. When absent, the behaviour logprobs are both, as suits an engine whose sampler
   * and learner agree to the bit.
   */
  readonly oldLogprobs_N?: Float32Array;
  /** Present when the loss has a KL term: logprob under the reference policy. */
  readonly referenceLogprobs_N?: Float32Array;
  /** Weight of each token in the next-token (supervised) loss, denominator included. */
  readonly nextTokenWeights_N?: Float32Array;
}
