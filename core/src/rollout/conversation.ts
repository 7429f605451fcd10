import type { Tokenizer } from "../engines/tokenizer.js";
import type { Message } from "../records/task.js";

/** What was said so far. */
export interface Conversation {
  readonly messages: readonly Message[];
  /** The current segment as text: its prompt, and all that followed. */
  readonly text: string;
  /** What every turn of the assistant begins with, the template's header included. */
  readonly assistantPrefix: string;
}

/** A conversation with the assistant about to speak again. */
export interface Continuation {
  readonly conversation: Conversation;
  /** What comes after the text so far; after a break, the whole conversation. */
  readonly text: string;
  /** The template wrote what was said before in another way: nothing but a new prompt holds the conversation then. */
  readonly isBreak: boolean;
}

/**
 * Goes on with a conversation: renders it with the assistant's turn and the messages that answer it, and takes what is
 * new. What was said keeps the ids that it was said in, as only the new part is tokenised; whether that holds is checked
 * on every turn, because templates that drop earlier reasoning, or trim, write the past anew.
 *
 * @param turn what the assistant said, with the token that ended it as text
 * @param stop the text of the stop token where it ended the turn, or ""
 * @throws CHAT_TEMPLATE_FAILED
 */
export function continueConversation(
  tokenizer: Tokenizer,
  before: Conversation,
  turn: string,
  stop: string,
  messages: readonly Message[],
): Continuation {
  const { assistantPrefix } = before;
  const said = before.text + turn;
  const header = headerLength(tokenizer, before);
  const content = assistantPrefix.slice(header) + turn.slice(0, turn.length - stop.length);
  const all: readonly Message[] = [...before.messages, { role: "assistant", content }, ...messages];
  const whole = tokenizer.render(all).context + assistantPrefix;
  const isBreak = !whole.startsWith(said);
  return {
    conversation: { messages: all, text: whole, assistantPrefix },
    text: isBreak ? whole : whole.slice(said.length),
    isBreak,
  };
}

/** How much of the assistant's prefix the template writes by itself around a finished turn. */
function headerLength(tokenizer: Tokenizer, { messages, assistantPrefix }: Conversation): number {
  const { context } = tokenizer.render(messages);
  const finished = tokenizer.render([...messages, { role: "assistant", content: "\u0001" }]).context;
  const turn = finished.slice(finished.startsWith(context) ? context.length : finished.length);
  let length = 0;
  while (length < assistantPrefix.length && assistantPrefix[length] === turn[length]) length++;
  return length;
}
