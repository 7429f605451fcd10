/** How an update's loss is computed from logprobs; equations and sources in `numerics/policy-loss.ts`. */
export interface LossSpec {
  /** Softmax temperature of every logprob in the loss: the sampler's. */
  readonly temperature: number;
  /**
   * "token": ratio per token. "sequence": one length-normalised ratio per sequence (GSPO). "one": 1 in value with the
   * policy's gradient, which is REINFORCE; clip bounds then never act.
   */
  readonly ratio: "token" | "sequence" | "one";
  readonly clipLow: number;
  readonly clipHigh: number;
  /** For negative advantages the objective never falls below `dualClip · A`; Infinity switches it off. */
  readonly dualClip: number;
  /** How token objectives become one number; weights in the batch are made from it. */
  readonly aggregation:
    | "token-mean"
    | "group-token-mean"
    | "seq-mean-token-mean"
    | "seq-mean-token-sum"
    | "seq-mean-token-sum-norm";
  /** Divisor of "seq-mean-token-sum-norm", tokens. */
  readonly normConstant: number;
  /** 0 switches the term off. */
  readonly klCoefficient: number;
  readonly klEstimator: "k1" | "k2" | "k3";
  /** 0 switches the term off. */
  readonly entropyCoefficient: number;
  /** Truncated importance sampling; null switches it off. */
  readonly importance: null | {
    readonly level: "token" | "sequence" | "geometric";
    /** "truncate" caps the weight at `high`; "mask" gives weight 0 outside [low, high]. */
    readonly outside: "truncate" | "mask";
    readonly low: number;
    readonly high: number;
    /** Divides weights by their mean over the tokens of the update that the policy acted on. */
    readonly normalize?: boolean;
  };
  /** Loss is masked on trajectories cut at their token budget. */
  readonly maskTruncated: boolean;
  /** Weight of the supervised next-token term. */
  readonly nextTokenCoefficient: number;
}
