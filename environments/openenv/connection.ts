import { z } from "@troupe/core/sdk";
import { WebSocket } from "ws";

/** A frame of the server. */
const frameSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("observation"),
    data: z.object({
      observation: z.record(z.string(), z.json()),
      reward: z.union([z.number(), z.boolean()]).nullish(),
      done: z.boolean(),
    }),
  }),
  z.object({ type: z.literal("state"), data: z.record(z.string(), z.json()) }),
  z.object({ type: z.literal("error"), data: z.object({ message: z.string(), code: z.string() }) }),
]);

/** What a session hears: a frame, that there will be no more, or something that is no frame. */
export type Heard = z.output<typeof frameSchema> | { readonly type: "lost" | "unreadable"; readonly reason: string };

/** How to get in. */
export interface ConnectionOptions {
  readonly token: string | undefined;
  readonly maxFrameBytes: number;
  /** Ends the connection, whatever it is doing. */
  readonly signal: AbortSignal;
}

/** One session with an OpenEnv server: a WebSocket on which every question has one answer. */
export class OpenEnvConnection {
  readonly #socket: WebSocket;
  /** What came before it was asked for: a server without room says so at once. */
  readonly #heard: Heard[] = [];
  #listener: ((heard: Heard) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => this.#hear(read(isBinary ? undefined : data.toString())));
    socket.on("error", (error) => this.#hear({ type: "lost", reason: error.message }));
    socket.on("close", (code) => this.#hear({ type: "lost", reason: `the server closed the session, code ${code}` }));
  }

  /** Opens a session, or says why there is none. */
  static async open(url: string, options: ConnectionOptions): Promise<OpenEnvConnection | Heard> {
    const { token, maxFrameBytes: maxPayload, signal } = options;
    if (signal.aborted) return { type: "lost", reason: "it was not waited for" };
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { headers, maxPayload, perMessageDeflate: false, followRedirects: false });
    const connection = new OpenEnvConnection(socket);
    const onAbort = (): void => socket.terminate();
    signal.addEventListener("abort", onAbort, { once: true });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("open", () => resolve(true));
      socket.once("close", () => resolve(false));
    });
    signal.removeEventListener("abort", onAbort);
    return isOpen ? connection : connection.#next(signal);
  }

  /** Sends a frame and waits for the answer. */
  async ask(
    type: "reset" | "step" | "state",
    data: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<Heard> {
    if (this.#socket.readyState === this.#socket.OPEN && this.#heard.length === 0)
      this.#socket.send(JSON.stringify(type === "state" ? { type } : { type, data }), () => {});
    return this.#next(signal);
  }

  /** Lets the server end the session in its own way, and ends the connection. */
  close(): void {
    if (this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send('{"type":"close"}', () => this.#socket.close());
    else this.#socket.terminate();
  }

  /** Ends the connection at once. */
  drop(): void {
    this.#socket.terminate();
  }

  #next(signal: AbortSignal): Promise<Heard> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    if (this.#socket.readyState === this.#socket.CLOSED)
      return Promise.resolve({ type: "lost", reason: "the session is over" });
    return new Promise((resolve) => {
      const onAbort = (): void => this.#socket.terminate();
      this.#listener = (next) => {
        signal.removeEventListener("abort", onAbort);
        this.#listener = undefined;
        resolve(next);
      };
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #hear(heard: Heard): void {
    if (this.#listener) this.#listener(heard);
    else this.#heard.push(heard);
  }
}

function read(text: string | undefined): Heard {
  if (text === undefined) return { type: "unreadable", reason: "a binary frame" };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: "unreadable", reason: `no JSON: ${text.slice(0, 60)}` };
  }
  const frame = frameSchema.safeParse(value);
  if (frame.success) return frame.data;
  const { path = [], message = "" } = frame.error.issues[0] ?? {};
  return { type: "unreadable", reason: `no frame: ${path.join(".") || "it"}: ${message}` };
}
