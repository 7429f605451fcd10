/** Responses of every kind that policies come up with; none may make an environment fail. */
export const HOSTILE_RESPONSES: readonly string[] = [
  "",
  "</think>",
  "</think>\n\n\\boxed{",
  "</think>\n\n\\boxed{}",
  "\\boxed{1} <think>",
  "</think>\n\n\\boxed{\u0000\ud800}",
  `</think>\n\n\\boxed{${"(".repeat(20_000)}}`,
  `</think>\n\n\\boxed{${"9".repeat(20_000)}}`,
  `</think>\n\n${"\\boxed{".repeat(2000)}`,
];
