import { hasThought, type Trajectory } from "@troupe/core/sdk";
import { ELLIPSIS } from "./ellipsis.js";

/** "authors": the tag and two newlines. "lenient": a think block that holds nothing but white space. */
export type Detection = "authors" | "lenient";

const CLOSED_AT_ONCE = "</think>\n\n";

/**
 * Whether a response reasons before it answers.
 *
 *     think = false  iff  the text contains "<think>\n...\n</think>\n\n"  or the response starts with "</think>\n\n"
 *
 * Under the authors' rule one newline after the tag counts as thinking. What follows the tag is not looked at, so long
 * reasoning after it counts as no thinking; lengths per mode tell. Source: code of AutoThink (arXiv:2505.10832).
 */
export function isThinking(
  trajectory: Pick<Trajectory, "assistantPrefix" | "responseText">,
  detection: Detection,
): boolean {
  if (detection === "lenient") return hasThought(trajectory);
  const { assistantPrefix, responseText } = trajectory;
  return (
    !responseText.startsWith(CLOSED_AT_ONCE) && !(assistantPrefix + responseText).includes(ELLIPSIS + CLOSED_AT_ONCE)
  );
}
