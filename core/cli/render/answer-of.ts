import { splitThinking } from "../../src/records/think-block.js";
import type { RolloutRecord } from "../../src/store/rollouts.js";
import { displayWidth, oneLine, truncate, withoutTemplate } from "./printable.js";

/**
 * What a rollout comes to, on one line: of an episode the last thing that the policy said, of one answer what its verifier
 * extracted, else what follows the thinking. Empty when the thinking never ended.
 *
 * @param width columns at most; a long text loses its beginning, as answers stand at the end
 */
export function answerOf(
  {
    turns,
    verdict,
    assistantPrefix,
    response,
  }: Pick<RolloutRecord, "turns" | "verdict" | "assistantPrefix" | "response">,
  width: number,
): string {
  const action = turns.findLast(({ role, text }) => role === "policy" && text !== undefined)?.text;
  // The prefix of a later turn is not on record: whatever closes a block ends the turn's thinking.
  if (action !== undefined) return ending(action.split("</think>").at(-1) ?? "", width);
  const extracted = verdict.parts?.["answer"];
  if (typeof extracted === "string") return truncate(oneLine(extracted), width);
  return ending(splitThinking({ assistantPrefix, responseText: response }).answer ?? "", width);
}

function ending(text: string, width: number): string {
  const line = oneLine(withoutTemplate(text));
  if (displayWidth(line) <= width) return line;
  let rest = line.slice(1 - width);
  while (displayWidth(rest) > width - 1) rest = rest.slice(1);
  return `…${rest}`;
}
