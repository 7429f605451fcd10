import { Cell } from "./cell.js";
import type { Delivery } from "./protocol.js";
import { ProgressBoard } from "./progress-board.js";
import type { Incarnation, Transport, TransportListener } from "./transport.js";

/** Its reactions run at the end of the turn, sooner than those of `queueMicrotask`, which keeps an async context for each. */
const SETTLED = Promise.resolve();

/** An actor in the thread of its system. Messages are passed by reference; handlers run after the sender's turn. */
export class LocalTransport implements Transport {
  readonly progress: ProgressBoard;
  readonly #cell: Cell;
  readonly #listener: TransportListener;
  #isKilled = false;

  constructor(incarnation: Incarnation, listener: TransportListener) {
    this.#listener = listener;
    this.progress = ProgressBoard.after(incarnation.lastId);
    this.#cell = new Cell(incarnation, this.progress, listener, {
      first: (pump) => void SETTLED.then(pump),
      // Timers, and whoever wants to stop the actor, get a turn between two waiting messages.
      goesOn: (pump) => {
        setImmediate(pump);
        return false;
      },
      lookAtSystemLane: () => {},
    });
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
