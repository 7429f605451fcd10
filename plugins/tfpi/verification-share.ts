/**
 * Share of reasoning steps that check an earlier result. A step is a line that is not empty; it checks when it holds
 * one of the markers. The TFPI paper does not state its classifier; a fixed list of markers is ours.
 *
 * @param markers words in lower case
 * @returns a share in [0, 1]; undefined when the texts hold no step
 */
export function verificationShare(texts: readonly string[], markers: readonly string[]): number | undefined {
  const steps = texts.flatMap((text) => text.toLowerCase().split("\n")).filter((line) => line.trim() !== "");
  if (steps.length === 0) return undefined;
  return steps.filter((step) => markers.some((marker) => step.includes(marker))).length / steps.length;
}
