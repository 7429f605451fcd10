/** Accuracy and mean response tokens of one policy under one prompt. */
export interface Operating {
  readonly accuracy: number;
  readonly tokens: number;
}

/**
 * Efficiency F1: the harmonic mean of what was gained in accuracy and what was saved in tokens, each relative to the
 * span between the base's standard and no-thinking prompts.
 *
 *     a = max(0, (Acc − Acc_std) / (Acc_std − Acc_no))     t = max(0, (Len_std − Len) / (Len_std − Len_no))
 *     E-F1 = 2 a t / (a + t), and 0 when either is 0
 *
 * Reconstructed from the words of AutoThink (arXiv:2505.10832), which prints no formula.
 *
 * @param result the trained policy; `standard` and `noThinking` are of its base
 * @param noThinking differs from `standard` in accuracy and in tokens
 * @returns at least 0; accuracies may be percents or shares, all in one unit
 */
export function efficiencyF1(result: Operating, standard: Operating, noThinking: Operating): number {
  const gain = Math.max(0, (result.accuracy - standard.accuracy) / (standard.accuracy - noThinking.accuracy));
  const saving = Math.max(0, (standard.tokens - result.tokens) / (standard.tokens - noThinking.tokens));
  return gain === 0 || saving === 0 ? 0 : (2 * gain * saving) / (gain + saving);
}
