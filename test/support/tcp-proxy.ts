import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** A network between two ends that a test can break. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isStalled = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target "host:port" */
  static async to(target: string): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    const port = Number(target.slice(target.lastIndexOf(":") + 1));
    server.on("connection", (near) => proxy.#join(near, connect(port, "127.0.0.1")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    // It listens on a port.
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Nothing gets through any more, in either direction, and nobody is told. */
  stall(): void {
    this.#isStalled = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** What waits goes on. */
  heal(): void {
    this.#isStalled = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Puts bytes that mean nothing into every connection. */
  garble(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.write(Buffer.alloc(64, 0xff));
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [far, near]] as const) {
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
      if (this.#isStalled) from.pause();
    }
  }
}
