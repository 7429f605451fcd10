import type { MessagePort } from "node:worker_threads";
import type { SmallMessage } from "./echo-actor.js";

/** What a bare port carries: a message to be answered with the same, or to be counted. */
export interface BareMessage extends SmallMessage {
  readonly answer: boolean;
}

/** The least that a thread can be spoken to with: a message port, and answers found by their numbers. */
export class BarePort {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, (message: SmallMessage) => void>();

  /** `port` leads to a thread that called `serveBarePort` with its other end. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (message: BareMessage) => {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
  }

  ask(message: SmallMessage): Promise<SmallMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(message.id, resolve);
      this.#port.postMessage({ ...message, answer: true });
    });
  }

  /** Posts every message in one turn; resolves when the last one was counted. */
  tell(messages: readonly SmallMessage[]): Promise<SmallMessage> {
    return new Promise((resolve) => {
      for (const message of messages) {
        if (!message.ok) this.#waiting.set(message.id, resolve);
        this.#port.postMessage({ ...message, answer: false });
      }
    });
  }
}

/** Answers what a `BarePort` at the other end sends. */
export function serveBarePort(port: MessagePort): void {
  let counted = 0;
  port.on("message", (message: BareMessage) => {
    if (message.answer) return port.postMessage(message);
    counted += 1;
    if (!message.ok) port.postMessage({ ...message, a: counted });
  });
}
