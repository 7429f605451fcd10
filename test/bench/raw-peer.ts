import { listenNode } from "@troupe/core";
import * as grpc from "@grpc/grpc-js";

/** What the process of `RawLinks` says first. */
export interface PeerAddresses {
  readonly node: string;
  readonly raw: string;
}

/** Known to both ends of a benchmark. */
export const BENCH_SECURITY = { token: "nothing secret in a benchmark" };

/** One stream of bytes, as gRPC carries it at its least. */
export const RAW_LINK = {
  path: "/bench.Raw/Link",
  requestStream: true,
  responseStream: true,
  requestSerialize: (bytes: Buffer): Buffer => bytes,
  requestDeserialize: (bytes: Buffer): Buffer => bytes,
  responseSerialize: (bytes: Buffer): Buffer => bytes,
  responseDeserialize: (bytes: Buffer): Buffer => bytes,
} as const;

if (process.send) await serve();

async function serve(): Promise<void> {
  const server = new grpc.Server();
  server.addService(
    { link: RAW_LINK },
    {
      link: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (bytes: Buffer) => call.write(Buffer.from(JSON.stringify(JSON.parse(bytes.toString())))));
        call.on("error", () => {});
        call.on("end", () => call.end());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const node = await listenNode({ address: "127.0.0.1:0", security: BENCH_SECURITY });
  process.on("message", (message) => process.send?.(message));
  process.on("disconnect", () => process.exit(0));
  process.send?.({ node: node.address, raw: `127.0.0.1:${port}` } satisfies PeerAddresses);
}
