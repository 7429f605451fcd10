/**
 * Soft penalty on answers that come close to their cap, to be added to the reward.
 *
 *     0                                    length ≤ maxLength − buffer
 *     (maxLength − buffer − length) / buffer    length ≤ maxLength
 *     −1                                   longer
 *
 * Source: DAPO, soft overlong punishment (arXiv:2503.14476, eq. 13).
 *
 * @param length response tokens
 * @param maxLength cap, tokens
 * @param buffer width of the slope below the cap, tokens; 0 leaves the step at the cap
 * @returns in [−1, 0]
 * @example
 * overlongPenalty(18_432, 20_480, 4_096); // -0.5
 */
export function overlongPenalty(length: number, maxLength: number, buffer: number): number {
  if (length <= maxLength - buffer) return 0;
  if (length > maxLength) return -1;
  return (maxLength - buffer - length) / buffer;
}
