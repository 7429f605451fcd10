import type { Tokenizer } from "./engines/tokenizer.js";
import type { Demonstration } from "./environments/environment.js";
import type { LabelledSequence } from "./learn/pack.js";
import type { Message } from "./records/task.js";
import { continueConversation, type Conversation } from "./rollout/conversation.js";

/**
 * Tokens of a demonstration as a rollout would have made them: loss on the responses and the tokens that end them, none
 * on prompt, prefix and what the environment says. Several sequences where the chat template writes the conversation so
 * far in another way when it goes on.
 *
 * @param task the task's prompt, for a demonstration without one of its own
 * @throws CHAT_TEMPLATE_FAILED
 */
export function labelDemonstration(
  tokenizer: Tokenizer,
  task: readonly Message[],
  { prompt = task, prefix, response, turns = [] }: Demonstration,
): readonly LabelledSequence[] {
  const rendered = tokenizer.render(prompt);
  const assistantPrefix = rendered.assistantPrefix.replace(/<think>\s*$/, "") + prefix;
  const text = rendered.context + assistantPrefix;
  const stop = tokenizer.decode(Int32Array.of(tokenizer.eosToken));
  const sequences = [new GrowingSequence(tokenizer, text)];
  let conversation: Conversation = { messages: prompt, text, assistantPrefix };
  let said = response;
  for (const turn of turns) {
    sequences.at(-1)!.respond(said);
    const next = continueConversation(tokenizer, conversation, said + stop, stop, turn.messages);
    if (next.isBreak) sequences.push(new GrowingSequence(tokenizer, next.text));
    else sequences.at(-1)!.listen(next.text);
    conversation = next.conversation;
    said = turn.response;
  }
  sequences.at(-1)!.respond(said);
  return sequences.map((sequence) => sequence.labelled());
}

class GrowingSequence {
  readonly #tokenizer: Tokenizer;
  readonly #tokens: number[];
  readonly #lossFrom: number;
  readonly #without: [number, number][] = [];

  constructor(tokenizer: Tokenizer, prompt: string) {
    this.#tokenizer = tokenizer;
    this.#tokens = [...tokenizer.encode(prompt)];
    this.#lossFrom = this.#tokens.length;
  }

  respond(text: string): void {
    this.#tokens.push(...this.#tokenizer.encode(text), this.#tokenizer.eosToken);
  }

  listen(text: string): void {
    const start = this.#tokens.length;
    this.#tokens.push(...this.#tokenizer.encode(text));
    this.#without.push([start, this.#tokens.length]);
  }

  labelled(): LabelledSequence {
    const without = this.#without.length > 0 ? { without: this.#without } : {};
    return { tokens: Int32Array.from(this.#tokens), lossFrom: this.#lossFrom, ...without };
  }
}
