import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { z } from "@troupe/core/sdk";
import type { Expression } from "./expression.js";
import { SYMPY_PROGRAM } from "./sympy-program.js";

/** How SymPy is reached. */
export interface SymbolicSettings {
  /** A Python that has SymPy. */
  readonly python: string;
  /** Milliseconds for one comparison; starting Python and loading SymPy have ten times that. */
  readonly deadlineMs: number;
}

/** What SymPy finds; "absent" when there is no such Python or no SymPy in it, "deadline" when it was ended. */
export type SymbolicAnswer = "equal" | "different" | "undecided" | "deadline" | "absent";

const reply = z.object({ same: z.boolean().nullable() });

type Child = ChildProcessByStdio<Writable, Readable, null>;

interface Session {
  readonly child: Child;
  readonly lines: AsyncIterator<string>;
}

/**
 * Symbolic algebra by SymPy in a Python process of its own, started at the first question. Questions are asked one after
 * the other; a process that misses its deadline is killed, and the next question gets a new one. It ends with its input,
 * so it does not outlive whoever asked.
 */
export class SymbolicStep {
  readonly #settings: SymbolicSettings;
  #session: Promise<Session | undefined> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: SymbolicSettings) {
    this.#settings = settings;
  }

  /** Whether two values without units are the same. Never rejects. */
  compare(gold: Expression, answer: Expression): Promise<SymbolicAnswer> {
    const asked = this.#last.then(() => this.#ask(gold, answer));
    this.#last = asked;
    return asked;
  }

  /** Ends the process, after the questions under way. */
  async close(): Promise<void> {
    await this.#last;
    const session = await this.#session;
    this.#session = undefined;
    session?.child.kill("SIGKILL");
  }

  async #ask(gold: Expression, answer: Expression): Promise<SymbolicAnswer> {
    const session = await (this.#session ??= this.#start());
    if (session === undefined) return "absent";
    const question = JSON.stringify({ gold, answer }, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    hold(session.child, true);
    session.child.stdin.write(`${question}\n`);
    const line = await nextLine(session, this.#settings.deadlineMs);
    hold(session.child, false);
    const parsed = line === undefined ? undefined : reply.safeParse(JSON.parse(line));
    if (parsed?.success !== true) {
      session.child.kill("SIGKILL");
      this.#session = undefined;
      return "deadline";
    }
    return parsed.data.same === null ? "undecided" : parsed.data.same ? "equal" : "different";
  }

  /** A process that said which SymPy it has; undefined where it could not. */
  async #start(): Promise<Session | undefined> {
    const { python, deadlineMs } = this.#settings;
    // Isolated: neither the environment nor the working folder puts modules before SymPy's.
    const child = spawn(python, ["-I", "-c", SYMPY_PROGRAM], { stdio: ["pipe", "pipe", "ignore"] });
    child.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    const session = { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
    const hello = await nextLine(session, 10 * deadlineMs);
    if (hello !== undefined) return session;
    child.kill("SIGKILL");
    return undefined;
  }
}

/** The next line of a process; undefined when it ended, or did not write one in time. */
async function nextLine({ lines }: Session, deadlineMs: number): Promise<string | undefined> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const late = new Promise<undefined>((resolve) => deadline.addEventListener("abort", () => resolve(undefined)));
  const line = await Promise.race([lines.next(), late]);
  return line === undefined || line.done === true ? undefined : line.value;
}

/** Whether the process keeps this one from ending: only while a question is open. */
function hold(child: Child, isHeld: boolean): void {
  const method = isHeld ? "ref" : "unref";
  child[method]();
  for (const stream of [child.stdin, child.stdout]) {
    // Pipes of a child process are sockets, whose types Node keeps to itself.
    (stream as Partial<Record<"ref" | "unref", () => void>>)[method]?.();
  }
}
