import type { Movable } from "./movable.js";
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import { errors } from "../errors.js";
import { hearFrame } from "./hear-frame.js";
import { NOT_PLAIN, plainCopy } from "./plain-copy.js";
import { ProgressBoard } from "./progress-board.js";
import type { ActorFrame, Delivery, SystemFrame } from "./protocol.js";
import { makeSendable } from "./sendable.js";
import type { DefinitionName, Incarnation, Transport, TransportListener } from "./transport.js";
import { workerEntry } from "./worker-entry.js";

/** What a thread is started with. */
export interface WorkerStart {
  readonly module: string;
  readonly exportName: string;
  readonly args: unknown;
  readonly address: string;
  readonly capacity: number;
  readonly lastId: number;
  readonly resumes: boolean;
  readonly board: SharedArrayBuffer;
  readonly systemLane: MessagePort;
}

/** Messages that are posted at once at most. */
const MAX_BATCH = 256;

const SETTLED = Promise.resolve();

/**
 * An actor in a thread of its own. The first message of a turn is posted at once, as somebody may wait for it; those that
 * follow in the same turn are posted together at its end, which costs a third of posting each. The thread is not shared
 * with others: ending the actor ends the thread.
 */
export class WorkerTransport implements Transport {
  readonly progress: ProgressBoard;
  readonly #worker: Worker;
  readonly #systemLane: MessagePort;
  readonly #address: string;
  #batch: { firstId: number; types: string[]; asks: boolean[]; messages: unknown[] } | undefined;
  /** Buffers of the copies in the batch; they move. */
  #owned: ArrayBuffer[] = [];
  #isTurnOpen = false;
  #error: unknown;

  constructor(
    incarnation: Incarnation<DefinitionName>,
    listener: TransportListener,
    maxOldGenerationMb: number | undefined,
  ) {
    const { definition, args, address, capacity, lastId, resumes } = incarnation;
    this.progress = ProgressBoard.after(lastId);
    const { port1, port2 } = new MessageChannel();
    this.#systemLane = port1;
    this.#address = address;
    const start: WorkerStart = {
      module: definition.module,
      exportName: definition.exportName,
      args: makeSendable(args, [], { address, type: "init" }),
      address,
      capacity,
      lastId,
      resumes,
      board: this.progress.memory,
      systemLane: port2,
    };
    try {
      this.#worker = new Worker(workerEntry("worker-main.js"), {
        name: address,
        workerData: start,
        transferList: [port2],
        ...(maxOldGenerationMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: maxOldGenerationMb } }),
      });
    } catch (error) {
      port1.close();
      throw error;
    }
    this.#worker.on("message", (frame: ActorFrame) => hearFrame(frame, listener));
    // 'exit' alone means death: process.exit() in the thread raises no 'error'.
    this.#worker.on("error", (error) => (this.#error = error));
    this.#worker.on("exit", (exitCode) => {
      port1.close();
      // The thread's last replies were handed over in this very turn: their askers go first.
      setImmediate(() => listener.ended({ exitCode, ...(this.#error === undefined ? {} : { error: this.#error }) }));
    });
  }

  deliver(delivery: Delivery, transfer: readonly Movable[]): void {
    if (!this.#isTurnOpen) {
      this.#isTurnOpen = true;
      void SETTLED.then(() => {
        this.#isTurnOpen = false;
        this.#postBatch();
      });
    } else if (transfer.length === 0 && !delivery.isUrgent) {
      const message = plainCopy(delivery.message, this.#owned);
      if (message !== NOT_PLAIN) {
        this.#gather(delivery, message);
        return;
      }
    }
    this.#postAlone(delivery, transfer);
  }

  cancel(id: number): void {
    this.#postSystem({ kind: "cancel", id });
  }

  stop(lastId: number): void {
    this.#postSystem({ kind: "stop", lastId });
  }

  kill(): void {
    void this.#worker.terminate();
  }

  #postAlone(delivery: Delivery, transfer: readonly Movable[]): void {
    this.#postBatch();
    const about = { address: this.#address, type: delivery.type };
    const message = makeSendable(delivery.message, transfer, about);
    const sendable = message === delivery.message ? delivery : { ...delivery, message };
    try {
      if (delivery.isUrgent) this.#postSystem({ kind: "deliver", delivery: sendable }, transfer);
      else this.#worker.postMessage(sendable, transfer);
    } catch (cause) {
      throw errors.messageNotCloneable({ ...about, problem: String(cause), outcome: "not-run" }, cause);
    }
  }

  #postBatch(): void {
    const batch = this.#batch;
    if (!batch) return;
    const owned = this.#owned;
    this.#batch = undefined;
    this.#owned = [];
    this.#worker.postMessage(batch, owned);
  }

  #gather({ id, type, asks }: Delivery, message: unknown): void {
    this.#batch ??= { firstId: id, types: [], asks: [], messages: [] };
    this.#batch.types.push(type);
    this.#batch.asks.push(asks);
    if (this.#batch.messages.push(message) >= MAX_BATCH) this.#postBatch();
  }

  #postSystem(frame: SystemFrame, transfer: readonly Movable[] = []): void {
    this.#systemLane.postMessage(frame, transfer);
    this.progress.noteSystemFrame();
  }
}
