import type { Message } from "@troupe/core/sdk";
import type { Settings } from "./settings.js";

/**
 * The conversation that asks for the token after a text. The points are those of RPT's best prompt for a policy that was
 * never trained on the task (v6; arXiv:2506.08007): a fenced text, candidates first, a box that may begin with a space, no
 * markup in it. The words are ours; a change of them is a new version.
 *
 * @param before all of the passage before the token, ends of lines and spaces as they are
 */
export function promptOf(before: string, version: Settings["prompt"]): readonly Message[] {
  return [{ role: "user", content: version === "bare" ? before : NEXT_TOKEN_1.replace("{before}", () => before) }];
}

const NEXT_TOKEN_1 = `The text between the fences breaks off. Which token comes next?

\`\`\`
{before}
\`\`\`

Think first: name several candidates, hold each against what the text says so far, and keep the best. Then answer with that one token alone in \\boxed{}. A space or a line break that it begins with belongs inside the box, and commands such as \\text{} do not.`;
