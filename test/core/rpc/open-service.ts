import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach } from "vitest";
import { listenHttp, type ListenOptions } from "../../../core/dist/src/rpc/verify-http.js";
import { VerifyService, type VerifyServiceOptions } from "../../../core/dist/src/rpc/verify-service.js";
import { GATED } from "../../support/gated.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

/** What came back over HTTP. */
export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Services of one test file, whose verifier waits for files; each is closed after its test. */
export function services() {
  const folder = temporaryFolder();
  const log = join(folder, "log");
  const closers: (() => Promise<void>)[] = [];
  let gates = 0;
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });
  return {
    folder,
    /** Ids of the tasks that a verifier has begun with, in order. */
    begun: (): readonly string[] => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []),
    gate() {
      const path = join(folder, `gate-${gates++}`);
      const open = (): void => writeFileSync(path, "");
      closers.push(async () => open());
      return { path, open };
    },
    item: (sample_id: string, response = "yes", meta: object = {}) => ({
      sample_id,
      verifier: "gated",
      response,
      ground_truth: "yes",
      meta: { log, ...meta },
    }),
    async service(options: Partial<VerifyServiceOptions> = {}): Promise<VerifyService> {
      const service = await VerifyService.open({ verifiers: { gated: { use: GATED } }, threads: 2, ...options });
      closers.push(() => service.close());
      return service;
    },
    async http(options: Partial<VerifyServiceOptions> = {}, listen: Partial<ListenOptions> = {}) {
      const service = await this.service(options);
      const door = await listenHttp(service, { address: "127.0.0.1:0", maxBodyBytes: 2 ** 20, ...listen });
      closers.push(() => door.close(0));
      const url = `http://${door.address}`;
      const send = (body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> =>
        fetch(`${url}/v1/verify`, {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
          ...(signal === undefined ? {} : { signal }),
        });
      const verify = async (body: unknown, headers?: Record<string, string>): Promise<Received> => {
        const response = await send(body, headers);
        // What the service sends is an object.
        const received = (await response.json()) as Record<string, unknown>;
        return { status: response.status, headers: response.headers, body: received };
      };
      return { service, door, url, send, verify };
    },
  };
}

/** Resolves when something has come true; a busy machine may take its time. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
