import { Cell, type Turns } from "./cell.js";
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

  /** @param turns how it shares the thread; unless given by counting messages, the same in every run */
  constructor(incarnation: Incarnation, listener: TransportListener, turns: Turns = new LocalTurns()) {
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

/** Messages handled in a row, before timers and whoever wants to stop the actor get a turn. */
const MAX_A_TURN = 16;

/** At most one pump is under way at a time: whoever only awaits never lets the thread's turns go by, and they would pile up. */
class LocalTurns implements Turns {
  #isDue = false;
  #left = 0;

  first(pump: () => void): void {
    if (this.#isDue) return;
    this.#isDue = true;
    void SETTLED.then(() => this.#run(pump));
  }

  goesOn(pump: () => void): boolean {
    if (this.#left-- > 0) return true;
    if (!this.#isDue) {
      this.#isDue = true;
      setImmediate(() => this.#run(pump));
    }
    return false;
  }

  lookAtSystemLane(): void {}

  #run(pump: () => void): void {
    this.#isDue = false;
    this.#left = MAX_A_TURN - 1;
    pump();
  }
}
