import { fork, type ChildProcess } from "node:child_process";
import * as grpc from "@grpc/grpc-js";
import type { SmallMessage } from "./echo-actor.js";
import { RAW_LINK, type PeerAddresses } from "./raw-peer.js";

/** Another process, spoken to with as little as its links allow: answers are found by the numbers of the messages. */
export class RawLinks {
  readonly #child: ChildProcess;
  readonly #client: grpc.Client;
  readonly #stream: grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly #waiting = new Map<number, (message: SmallMessage) => void>();
  /** Of a node in that process, for `connectNode`. */
  readonly node: string;

  private constructor(child: ChildProcess, { node, raw }: PeerAddresses) {
    this.#child = child;
    this.node = node;
    this.#client = new grpc.Client(raw, grpc.credentials.createInsecure());
    this.#stream = this.#client.makeBidiStreamRequest(
      RAW_LINK.path,
      RAW_LINK.requestSerialize,
      RAW_LINK.responseDeserialize,
    );
    // What was answered is what was asked: an echo.
    this.#stream.on("data", (bytes: Buffer) => this.#answer(JSON.parse(bytes.toString()) as SmallMessage));
    this.#stream.on("error", () => {});
    // As above.
    child.on("message", (message) => this.#answer(message as SmallMessage));
  }

  static async open(): Promise<RawLinks> {
    const child = fork(new URL("raw-peer.js", import.meta.url), { serialization: "advanced" });
    const addresses = await new Promise<PeerAddresses>((resolve) =>
      // The first thing that it says.
      child.once("message", (said) => resolve(said as PeerAddresses)),
    );
    return new RawLinks(child, addresses);
  }

  /** Over the channel that Node makes between a process and its child, in its faster serialization of plain objects. */
  askChild(message: SmallMessage): Promise<SmallMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(message.id, resolve);
      this.#child.send({ ...message });
    });
  }

  /** Over one bidirectional stream of gRPC, as JSON. */
  askStream(message: SmallMessage): Promise<SmallMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(message.id, resolve);
      this.#stream.write(Buffer.from(JSON.stringify(message)));
    });
  }

  async close(): Promise<void> {
    this.#stream.cancel();
    this.#client.close();
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill();
    await ended;
  }

  #answer(message: SmallMessage): void {
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}
