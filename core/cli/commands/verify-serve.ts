import { availableParallelism } from "node:os";
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { z } from "zod";
import { loadConfig } from "../../src/config/load-config.js";
import { TroupeError } from "../../src/error-catalogue.js";
import { errors } from "../../src/errors.js";
import type { JsonObject } from "../../src/records/json.js";
import { listenGrpc } from "../../src/rpc/verify-grpc.js";
import type { ServiceDoor } from "../../src/rpc/open-door.js";
import { listenHttp, type ListenOptions } from "../../src/rpc/verify-http.js";
import { VerifyService, type ServedVerifier, type VerifyServiceOptions } from "../../src/rpc/verify-service.js";
import { checkToken } from "../../src/rpc/bearer-token.js";
import { stopOnSignals } from "../stop-signals.js";
import { wholeNumber } from "../whole-number.js";

interface ServeFlags {
  readonly listen: string;
  readonly grpc?: string;
  readonly environment?: readonly string[];
  readonly config?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly threads?: string;
  readonly queue: string;
  readonly limitMs: string;
  readonly maxBodyMb: string;
  readonly graceMs: string;
}

/** For what was written and not sent yet when all work is done. */
const FLUSH_MS = 1000;

/** What a config file of a service holds. */
const configSchema = z.strictObject({
  verifiers: z
    .record(
      z.string().min(1),
      z.strictObject({
        use: z.string().min(1).describe("Name or path of an environment"),
        with: z.record(z.string(), z.json()).optional().describe("Settings for its verifier as a run has it"),
      }),
    )
    .refine((verifiers) => Object.keys(verifiers).length > 0, "at least one is wanted")
    .describe("Verifiers by the names that requests call them"),
});

/** `troupe verify serve`: judges batches for trainers of any kind, over HTTP and gRPC. */
export function defineVerifyServe(command: Command, program: Command): void {
  command
    .command("serve")
    .description("judge batches of answers for other programs, over HTTP and gRPC")
    .option("--listen <host:port>", "where HTTP listens; port 0 takes a free one", "127.0.0.1:8470")
    .option("--grpc <host:port>", "where gRPC listens; not at all unless given")
    .option(
      "--environment <name...>",
      "environments whose verifiers are served, by name or path; math and code unless given",
    )
    .option("--config <file>", "serve the verifiers of this file, with their settings, instead")
    .option("--token-file <path>", "file with the token that clients must show; TROUPE_VERIFY_TOKEN unless given")
    .option("--cert <path>", "certificate (PEM) for TLS, of HTTP and gRPC; with --key")
    .option("--key <path>", "its private key (PEM)")
    .option("--threads <count>", "threads of each verifier that works on the CPU itself; all cores unless given")
    .option("--queue <count>", "answers that may wait; further requests get 429", "20000")
    .option("--limit-ms <ms>", "what one answer may take before its thread is ended", "120000")
    .option("--max-body-mb <count>", "size of a request at most, MiB", "64")
    .option("--grace-ms <ms>", "how long requests under way have after SIGTERM", "30000")
    .addHelpText("after", HELP)
    .action(async (flags: ServeFlags) => {
      const isJson = program.opts<{ json?: boolean }>().json === true;
      const say = (record: { readonly type: string; readonly text: string }): void =>
        void process.stdout.write(`${isJson ? JSON.stringify(record) : record.text}\n`);
      const token = tokenOf(flags);
      const door: Omit<ListenOptions, "address"> = {
        maxBodyBytes: wholeNumber("--max-body-mb", flags.maxBodyMb, 1) * 2 ** 20,
        ...(token === undefined ? {} : { token }),
        ...tlsOf(flags),
      };
      const graceMs = wholeNumber("--grace-ms", flags.graceMs, 0);
      // Before threads are started: most mistakes are made here.
      for (const address of [flags.listen, flags.grpc]) if (address !== undefined) checkToken(address, token);
      const stop = stopOnSignals(() => {});
      const service = await openService(flags, say);
      try {
        const doors: ServiceDoor[] = [await listenHttp(service, { address: flags.listen, ...door })];
        say({ type: "listening", text: `http${door.tls === undefined ? "" : "s"}://${doors[0]?.address}` });
        if (flags.grpc !== undefined) {
          doors.push(await listenGrpc(service, { address: flags.grpc, ...door }));
          say({ type: "listening", text: `grpc://${doors[1]?.address}` });
        }
        if (!stop.signal.aborted)
          await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
        say({ type: "draining", text: "finishing the requests under way" });
        await service.drain(graceMs);
        await Promise.all(doors.map((one) => one.close(FLUSH_MS)));
      } finally {
        await service.close();
        stop.release();
      }
    });
}

const HELP = `
POST /v1/verify takes {"run_id"?, "idempotency_key"?, "deadline_ms"?, "items": [{"sample_id", "verifier", "response",
"ground_truth", "prompt"?, "meta"?, "verifier_version"?, "group_id"?, "response_token_count"?}]} and gives {"items":
[{"sample_id", "verdict", "score"?, "parts"?, "reason", "verifier", "verifier_version", "cached", "ms"}]}, one for each
item. "Accept: application/x-ndjson" or "text/event-stream" streams them in the order in which they are found. The same
idempotency key gets the same answer without a second execution. GET /health and /metrics say how it goes. The gRPC twin
is core/proto/verify.proto.

"score" stands with pass, fail and partial alone: error, timeout and infra say nothing about an answer. Too much work
waiting gives 429 with Retry-After. SIGTERM ends the requests under way, then the service, with exit code 0.

A ground truth is text or a list of texts for math, {"mode", "tests", …} as in \`troupe verify code --help\` for code, and
a task's reference for other environments. A config file has {verifiers: {NAME: {use: ENVIRONMENT, with: {…}}}}.

  troupe verify serve
  TROUPE_VERIFY_TOKEN=$(openssl rand -hex 16) troupe verify serve --listen 0.0.0.0:8470 --grpc 0.0.0.0:8471`;

async function openService(
  flags: ServeFlags,
  say: (record: { readonly type: string; readonly text: string }) => void,
): Promise<VerifyService> {
  const options = {
    threads: flags.threads === undefined ? availableParallelism() : wholeNumber("--threads", flags.threads, 1),
    maxWaiting: wholeNumber("--queue", flags.queue, 1),
    limitMs: wholeNumber("--limit-ms", flags.limitMs, 1),
  };
  const service = await opened(flags, options, say);
  for (const { name, verifier, version, threads, notice } of service.status())
    say({
      type: "verifier",
      text: `${name}: ${verifier} ${version}, ${threads} thread${threads === 1 ? "" : "s"}${notice === null ? "" : `, ${notice}`}`,
    });
  return service;
}

async function opened(
  { environment, config: file }: ServeFlags,
  options: Omit<VerifyServiceOptions, "verifiers">,
  say: (record: { readonly type: string; readonly text: string }) => void,
): Promise<VerifyService> {
  if (environment !== undefined && file !== undefined)
    throw errors.optionNotValid({ option: "--environment", found: environment.join(" "), wanted: "this or --config" });
  if (file !== undefined) {
    const { config, baseDirectory } = loadConfig(file, [], configSchema);
    const verifiers = Object.entries(config.verifiers).map(([name, { use, with: settings }]) => {
      // The schema lets JSON through alone.
      const served: ServedVerifier = settings === undefined ? { use } : { use, with: settings as JsonObject };
      return [name, served] as const;
    });
    return VerifyService.open({ ...options, baseDirectory, verifiers: Object.fromEntries(verifiers) });
  }
  const named = (names: readonly string[]) => Object.fromEntries(names.map((use) => [servedName(use), { use }]));
  if (environment !== undefined) return VerifyService.open({ ...options, verifiers: named(environment) });
  try {
    return await VerifyService.open({ ...options, verifiers: named(["math", "code"]) });
  } catch (error) {
    // Only what was asked for by name has to be there.
    if (!(error instanceof TroupeError)) throw error;
    say({ type: "notice", text: `without code: ${error.message}` });
    return VerifyService.open({ ...options, verifiers: named(["math"]) });
  }
}

/** "./environments/parity/index.ts" is served as "parity". */
function servedName(use: string): string {
  return (
    use
      .replace(/(\/index)?\.[cm]?[jt]s$/, "")
      .split("/")
      .findLast((part) => part !== "") ?? use
  );
}

function tokenOf({ tokenFile }: ServeFlags): string | undefined {
  return tokenFile === undefined ? process.env["TROUPE_VERIFY_TOKEN"] : textOf("--token-file", tokenFile).trim();
}

function tlsOf({ cert, key }: ServeFlags): Pick<ListenOptions, "tls"> {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined)
    throw errors.optionNotValid({ option: "--cert, --key", found: "one of them", wanted: "both or none" });
  return { tls: { cert: textOf("--cert", cert), key: textOf("--key", key) } };
}

function textOf(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw errors.optionNotValid({ option, found: path, wanted: `a file that can be read (${String(cause)})` });
  }
}
