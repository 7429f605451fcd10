import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import * as comlink from "comlink";
import type { BareMessage, ComlinkEcho } from "./bare-worker.js";
import type { SmallMessage } from "./echo-actor.js";

/** The least that a thread can be spoken to with: its message port, answers found by number. And comlink in the same thread. */
export class BareThread {
  readonly comlink: comlink.Remote<ComlinkEcho>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, (message: SmallMessage) => void>();

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData = { port: port2 };
    this.#worker = new Worker(new URL("./bare-worker.js", import.meta.url), { workerData, transferList: [port2] });
    this.#worker.on("message", (message: BareMessage) => {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
    // Node's port has the methods that comlink's type names.
    this.comlink = comlink.wrap<ComlinkEcho>(port1 as unknown as comlink.Endpoint);
  }

  ask(message: SmallMessage): Promise<SmallMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(message.id, resolve);
      this.#worker.postMessage({ ...message, answer: true });
    });
  }

  /** Posts every message in one turn; resolves when the last one is counted. */
  tell(messages: readonly SmallMessage[]): Promise<SmallMessage> {
    return new Promise((resolve) => {
      for (const message of messages) {
        if (!message.ok) this.#waiting.set(message.id, resolve);
        this.#worker.postMessage({ ...message, answer: false });
      }
    });
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }
}
