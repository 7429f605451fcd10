import { Cell, type Turns } from "./cell.js";
import { atFirstLook, InlineTurns } from "./inline-turns.js";
import type { Delivery } from "./protocol.js";
import { ProgressBoard } from "./progress-board.js";
import type { Incarnation, Transport, TransportListener } from "./transport.js";

/** An actor in the thread of its system. Messages are passed by reference; handlers run after the sender's turn. */
export class LocalTransport implements Transport {
  readonly progress: ProgressBoard;
  readonly #cell: Cell;
  readonly #listener: TransportListener;
  #isKilled = false;

  /** @param turns how it shares the thread; unless given by counting messages, the same in every run */
  constructor(incarnation: Incarnation, listener: TransportListener, turns: Turns = new InlineTurns(atFirstLook)) {
    this.#listener = listener;
    this.progress = ProgressBoard.after(incarnation.lastId);
    this.#cell = new Cell(incarnation, this.progress, listener, turns);
    queueMicrotask(() => void this.#cell.start(incarnation.args));
  }

  deliver(delivery: Delivery): void {
    this.#cell.deliver(delivery);
  }

  cancel(id: number): void {
    this.#cell.cancel(id);
  }

  stop(lastId: number): void {
    this.#cell.stop(lastId);
  }

  kill(): void {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#cell.close();
    // Whoever was answered in this turn goes first.
    setImmediate(() => this.#listener.ended({}));
  }
}
