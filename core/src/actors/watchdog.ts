import type { ActorSystem } from "./actor-system.js";
import type { Down } from "./actor-ref.js";
import type { Clock } from "./clock.js";
import { diagnose, seconds } from "./diagnosis.js";
import { pastEnd, type PastEnd, type SystemReport } from "./system-report.js";

const LOOK_EVERY_MS = 1_000;
const MAX_ENDS = 16;

/** Whom a watchdog tells. */
export interface WatchdogListener {
  /** The system as it is now; once a second. */
  report(report: SystemReport): void;
  /** Someone has waited for more than half of the time that they have. Said once for each wait. */
  held(culprit: string, text: string): void;
}

/**
 * Looks at a system once a second, and names the actor that holds it up. It lives in the system's own thread: when that
 * is held up itself, the reports stop, and their age says so.
 */
export class Watchdog {
  readonly #system: ActorSystem;
  readonly #clock: Clock;
  readonly #listener: WatchdogListener;
  readonly #onDown = (down: Down): void => this.#heard(down);
  readonly #named = new Set<string>();
  #ends: readonly PastEnd[] = [];
  #cancel: () => void = () => {};

  constructor(system: ActorSystem, clock: Clock, listener: WatchdogListener) {
    this.#system = system;
    this.#clock = clock;
    this.#listener = listener;
    system.events.on("down", this.#onDown);
    this.#look();
  }

  /** The system as it is now. */
  report(): SystemReport {
    const { counts } = this.#system.deadLetters;
    const [actors, waits] = [this.#system.list(), this.#system.waits()];
    return { at: this.#clock.now(), actors, waits, deadLetters: counts, ends: this.#ends };
  }

  end(): void {
    this.#cancel();
    this.#system.events.off("down", this.#onDown);
  }

  #look(): void {
    const report = this.report();
    this.#listener.report(report);
    this.#name(report);
    this.#cancel = this.#clock.after(LOOK_EVERY_MS, () => this.#look());
  }

  #name(report: SystemReport): void {
    const { culprit, text, chain } = diagnose(report);
    const late = chain.find(
      ({ since, deadlineAt }) => deadlineAt !== undefined && report.at > (since + deadlineAt) / 2,
    );
    if (!late || late.deadlineAt === undefined || culprit === undefined) return;
    const key = `${late.by} ${late.on} ${late.since}`;
    if (this.#named.has(key)) return;
    this.#named.add(key);
    const left = `${late.by} gives up in ${seconds(late.deadlineAt - report.at)}`;
    this.#listener.held(culprit, `${text}; ${left}`);
  }

  #heard(down: Down): void {
    this.#ends = [...this.#ends, pastEnd(down, this.#clock.now())].slice(-MAX_ENDS);
  }
}
