import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { errors } from "../errors.js";
import { FileBoard } from "./file-board.js";
import { FrameReader, FrameWriter } from "./frame-stream.js";
import { hearFrame } from "./hear-frame.js";
import type { LinkFrame } from "./link-frame.js";
import { LINK, LIFELINE, writeProcessArguments } from "./process-files.js";
import type { Delivery } from "./protocol.js";
import { sendFrame } from "./send-frame.js";
import type { DefinitionName, Incarnation, PlaceEnd, Transport, TransportListener } from "./transport.js";
import { workerEntry } from "./worker-entry.js";

/** So much of what a process said on its way out goes into the error that names its end. */
const LAST_WORDS = 2_048;

/**
 * An actor in a process of its own. Frames travel over a socket pair, progress over a file, and a pipe that nobody writes
 * to closes when this process is gone, on which the other ends itself even from an endless loop. What the actor prints
 * goes to standard error.
 */
export class ProcessTransport implements Transport {
  readonly progress: FileBoard;
  readonly #child: ChildProcess;
  readonly #writer: FrameWriter;
  readonly #address: string;
  readonly #maxMemoryMb: number | undefined;
  #link: Socket | undefined;
  #lastWords = "";

  constructor(incarnation: Incarnation<DefinitionName>, listener: TransportListener, maxMemoryMb: number | undefined) {
    const { definition, args, address, capacity, lastId, number, resumes } = incarnation;
    this.#address = address;
    this.#maxMemoryMb = maxMemoryMb;
    this.#writer = new FrameWriter({ write: (bytes) => this.#link?.write(bytes) ?? true });
    const { module, exportName } = definition;
    const start = { module, exportName, args, address, incarnation: number, capacity, lastId, resumes };
    // Arguments that cannot be sent are refused before anything is started.
    this.#send({ kind: "spawn", start, within: "inline" }, "user", "init");
    this.progress = new FileBoard(lastId);
    this.#child = spawn(
      process.execPath,
      [
        ...(maxMemoryMb === undefined ? [] : [`--max-old-space-size=${maxMemoryMb}`]),
        fileURLToPath(workerEntry("process-main.js")),
        ...writeProcessArguments({ maxMemoryMb }),
      ],
      { stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", this.progress.file] },
    );
    for (const said of [this.#child.stdout, this.#child.stderr]) said?.on("data", (text) => this.#print(String(text)));
    const link = this.#pipe(LINK);
    this.#link = link;
    this.#pipe(LIFELINE)?.resume();
    link?.on("drain", () => this.#writer.drained());
    const reader = new FrameReader(({ frame }) => this.#hear(frame, listener));
    link?.on("data", (bytes: Buffer) => {
      try {
        reader.push(bytes);
      } catch (error) {
        listener.crashed(error);
      }
    });
    this.#followToItsEnd(link, listener);
  }

  deliver(delivery: Delivery): void {
    this.#send({ kind: "deliver", delivery }, delivery.isUrgent ? "system" : "user", delivery.type);
  }

  cancel(id: number): void {
    this.#send({ kind: "cancel", id }, "system", "cancel");
  }

  stop(lastId: number): void {
    this.#send({ kind: "stop", lastId }, "system", "stop");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(frame: LinkFrame, lane: "system" | "user", type: string): void {
    sendFrame(this.#writer, lane, 0, frame, { address: this.#address, type });
  }

  #hear(frame: LinkFrame, listener: TransportListener): void {
    switch (frame.kind) {
      case "spawn":
      case "deliver":
      case "cancel":
      case "stop":
      case "kill":
      case "ended":
      case "beat":
      case "welcome":
        throw errors.frameNotValid({ problem: `an actor does not say "${frame.kind}"` });
      default:
        return hearFrame(frame, listener);
    }
  }

  /** The end is heard of when the process is gone and all it said was read. */
  #followToItsEnd(link: Socket | undefined, listener: TransportListener): void {
    let end: PlaceEnd | undefined;
    let isSilent = link === undefined;
    const tell = (): void => {
      if (!end || !isSilent) return;
      const last = end;
      this.progress.close();
      setImmediate(() => listener.ended(last));
    };
    link?.on("error", () => {});
    link?.on("close", () => {
      isSilent = true;
      tell();
    });
    this.#child.on("error", (error) => {
      if (this.#child.pid !== undefined) return;
      end = { error };
      isSilent = true;
      tell();
    });
    this.#child.on("exit", (exitCode, signal) => {
      end = this.#describe(exitCode, signal);
      tell();
    });
  }

  #describe(exitCode: number | null, signal: NodeJS.Signals | null): PlaceEnd {
    const address = this.#address;
    const limit = this.#maxMemoryMb;
    if (this.progress.isOverMemory || /heap out of memory/.test(this.#lastWords))
      return { error: errors.processOutOfMemory({ address, maxMemoryMb: limit ?? null }) };
    if (signal) return { signal, error: errors.processKilled({ address, signal, said: this.#lastWords.trim() }) };
    return { exitCode: exitCode ?? 0 };
  }

  #print(text: string): void {
    process.stderr.write(text);
    this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
  }

  #pipe(file: number): Socket | undefined {
    const stream = this.#child.stdio[file];
    return stream instanceof Socket ? stream : undefined;
  }
}
