import type { Language, Limits } from "../sandbox.js";
import { Guest, type GuestEnd } from "./guest.js";
import { findInterpreter } from "./interpreter.js";

/** What guests are started with. */
export interface Launch {
  readonly launcher: string;
  readonly cgroups: readonly string[];
}

/** The parts of the limits that a guest has from its start. */
export type GuestLimits = Pick<Limits, "memoryMb" | "outputBytes">;

/** What an interpreter takes beyond the program's own memory, MiB. */
const OVERHEAD_MB: Readonly<Record<Language, number>> = { python: 64, javascript: 192 };
const PROCESSES = 64;
const DISK_MB = 64;
const FILE_MB = 16;
/** A start takes about 20 ms; a machine that needs this long is in trouble. */
const READY_DEADLINE_MS = 20_000;
/** Kinds of guests that are kept ready. */
const MOST_KINDS = 4;

/** Guests that have been started ahead of time: their interpreter waits for a program. */
export class GuestPool {
  readonly #launch: Launch;
  readonly #warm: number;
  readonly #ready = new Map<string, Promise<Guest | GuestEnd>[]>();
  readonly #alive = new Set<Guest>();
  #isClosed = false;

  /** @param warm guests kept ready of each kind that is asked for */
  constructor(launch: Launch, warm: number) {
    this.#launch = launch;
    this.#warm = warm;
  }

  /** A guest that has reported ready, and no one else's; or why none could be had. */
  async take(language: Language, limits: GuestLimits): Promise<Guest | GuestEnd> {
    const key = keyOf(language, limits);
    const ready = this.#ready.get(key) ?? [];
    // The kind asked for last is the last to go.
    this.#ready.delete(key);
    this.#ready.set(key, ready);
    const guest = ready.shift() ?? this.start(language, limits);
    if (!this.#isClosed) while (ready.length < this.#warm) ready.push(this.start(language, limits));
    for (const [oldest, guests] of this.#ready) {
      if (this.#ready.size <= MOST_KINDS) break;
      this.#ready.delete(oldest);
      for (const one of guests) void one.then((started) => (started instanceof Guest ? started.close() : undefined));
    }
    const taken = await guest;
    // One that died while it waited says nothing about the program that asks now.
    return taken instanceof Guest && !taken.isAlive && !this.#isClosed ? this.take(language, limits) : taken;
  }

  /** Keeps a guest ready that has not been told anything. */
  keep(language: Language, limits: GuestLimits, guest: Guest): void {
    this.#ready.set(keyOf(language, limits), [Promise.resolve(guest)]);
  }

  /** Ends every guest, taken or not, and waits until they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#ready.values()].flat());
    await Promise.all([...this.#alive].map((guest) => guest.close()));
  }

  /** A guest of its own that has reported ready, or why there is none. */
  async start(language: Language, limits: GuestLimits): Promise<Guest | GuestEnd> {
    const { memoryMb, outputBytes } = limits;
    const interpreter = findInterpreter(language, memoryMb);
    if (interpreter === undefined) return failed(`no interpreter for ${language} on the path`);
    const totalMb = memoryMb + OVERHEAD_MB[language];
    const numbers = {
      // V8 reserves far more addresses than it uses: its heap has a limit of its own.
      "--memory-mb": language === "python" ? totalMb : 0,
      "--total-mb": totalMb,
      "--processes": PROCESSES,
      "--disk-mb": DISK_MB,
      "--file-mb": FILE_MB,
      // Python raises its own; Node cannot.
      "--stack-mb": language === "python" ? 8 : 120,
    };
    const guest = new Guest(
      [
        this.#launch.launcher,
        ...Object.entries(numbers).flatMap(([name, value]) => [name, String(value)]),
        ...this.#launch.cgroups.flatMap((path) => ["--cgroup", path]),
        ...interpreter.view,
        "--",
        ...interpreter.command,
      ],
      // stdout and a result, and the tail of stderr.
      2 * outputBytes + 8192,
    );
    this.#alive.add(guest);
    void guest.ended.then(() => this.#alive.delete(guest));
    const frame = await guest.receive(READY_DEADLINE_MS);
    if ("words" in frame && frame.words[0] === "ready") return guest;
    await guest.close();
    if ("silent" in frame && frame.silent === "ended") return frame.end;
    return failed(`the ${language} guest did not report ready within ${READY_DEADLINE_MS} ms`);
  }
}

function keyOf(language: Language, { memoryMb, outputBytes }: GuestLimits): string {
  return `${language} ${memoryMb} ${outputBytes}`;
}

function failed(problem: string): GuestEnd {
  return { problem, isOutOfMemory: false, says: problem };
}
