import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeScratchFolder } from "@troupe/core/sdk";
import { packageRoot } from "../package-root.js";
import type { GuestChannel, GuestEnd } from "../guests/guest.js";
import { brokenEnd, endOf } from "./guest-end.js";
import type { LaunchArguments } from "./launch-arguments.js";

/** What guests find as their environment; nothing of the harness's is passed on. */
const ENVIRONMENT = {
  PATH: "/usr/bin:/bin",
  HOME: "/box",
  LANG: "C.UTF-8",
  PYTHONHASHSEED: "0",
  PYTHONDONTWRITEBYTECODE: "1",
  OPENBLAS_NUM_THREADS: "1",
};

/**
 * Starts Python guests as forks of one warm interpreter, each behind a boundary of its own: a third of what a start by
 * the launcher costs. It never runs anything untrusted itself, and ends with this process.
 */
export class ForkServer {
  /** Whether it starts guests; false where its Python cannot load the library. */
  readonly isServing: Promise<boolean>;
  readonly #child: ChildProcess;
  readonly #listener: Server;
  readonly #callers = new Map<number, (connection: Socket) => void>();
  readonly #ends = new Map<number, (end: GuestEnd) => void>();
  #stderr = "";
  #count = 0;
  #isGone = false;

  /**
   * Also removes what one left that was killed together with its interpreter.
   *
   * @param first the arguments of the guests, whose limits of memory each of them may have in its own way
   */
  static async open(first: LaunchArguments): Promise<ForkServer> {
    // Of this user alone: whoever connects is a guest of the server.
    return new ForkServer(first, await makeScratchFolder("troupe-guests"));
  }

  private constructor({ boundary, command }: LaunchArguments, folder: string) {
    const [socket, root] = [join(folder, "s"), join(folder, "root")];
    mkdirSync(root);
    this.#listener = createServer((connection) => this.#greet(connection)).listen(socket);
    const [python = "", ...flags] = command;
    const script = join(packageRoot(), "code", "guest", "fork_server.py");
    const library = forkLibrary();
    this.#child = spawn(
      python,
      [...flags.slice(0, -1), script, library, ...boundary, "--socket", socket, "--root", root],
      { stdio: ["pipe", "pipe", "pipe"], env: ENVIRONMENT, cwd: "/" },
    );
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-4000);
    });
    this.isServing = new Promise((resolve) => {
      // "pipe" makes it.
      const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
      lines.on("line", (line) => {
        const [word, id, ...found] = line.split(" ");
        if (word === "serving") resolve(true);
        else if (word === "end") this.#end(Number(id), endOf(found.join(" "), this.#stderr));
      });
      const leave = (): void => {
        this.#isGone = true;
        this.#listener.close();
        rmSync(folder, { recursive: true, force: true });
        resolve(false);
        for (const id of [...this.#ends.keys()]) this.#end(id, brokenEnd(this.#problem()));
      };
      this.#child.on("error", leave).on("close", leave);
    });
  }

  /** Whether another guest may be asked for. */
  get isAlive(): boolean {
    return !this.#isGone;
  }

  /** A guest; words where it did not come up. */
  async start({ memoryMb, totalMb }: Pick<LaunchArguments, "memoryMb" | "totalMb">): Promise<GuestChannel | string> {
    if (this.#isGone) return this.#problem();
    const id = ++this.#count;
    const told = new Promise<GuestEnd>((resolve) => this.#ends.set(id, resolve));
    const called = new Promise<Socket>((resolve) => this.#callers.set(id, resolve));
    this.#child.stdin?.write(`start ${id} ${memoryMb} ${totalMb}\n`);
    const first = await Promise.race([called, told]);
    this.#callers.delete(id);
    if ("says" in first) return first.says;
    // What it said last is read before its end is.
    const closed = new Promise<void>((resolve) => first.once("close", () => resolve()));
    return {
      input: first,
      output: first,
      ended: told.then(async (end) => {
        await closed;
        return end;
      }),
      kill: () => void this.#child.stdin?.write(`kill ${id}\n`),
    };
  }

  /** Ends it with all its guests, and waits until they are gone. */
  async close(): Promise<void> {
    if (this.#isGone) return;
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await closed;
  }

  #greet(connection: Socket): void {
    connection.on("error", () => {});
    connection.once("data", (chunk: Buffer) => {
      const end = chunk.indexOf("\n");
      const id = Number(/^hello (\d+)$/.exec(chunk.toString("latin1", 0, Math.max(0, end)))?.[1]);
      const caller = this.#callers.get(id);
      connection.pause();
      if (caller === undefined) return void connection.destroy();
      if (chunk.length > end + 1) connection.unshift(chunk.subarray(end + 1));
      caller(connection);
    });
  }

  #end(id: number, end: GuestEnd): void {
    this.#ends.get(id)?.(end);
    this.#ends.delete(id);
  }

  #problem(): string {
    return `the fork server went down: ${this.#stderr.trim().slice(-300)}`;
  }
}

/** The library that the server's interpreter loads; it may be missing. */
export function forkLibrary(): string {
  return join(packageRoot(), "build", "fork-server.so");
}
