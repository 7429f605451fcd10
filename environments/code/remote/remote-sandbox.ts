import { systemClock, z } from "@troupe/core/sdk";
import type { Execution, Limits, Program, Sandbox, Session, Tier } from "../sandbox.js";

/** Services that run programs. */
export const REMOTE_PROTOCOLS = ["sandbox-fusion", "piston"] as const;

/** Where a service is, and what it speaks. */
export interface RemoteService {
  readonly protocol: (typeof REMOTE_PROTOCOLS)[number];
  /** Its address without the path: "http://sandbox:8080". */
  readonly url: string;
  readonly atOnce: number;
}

/** What a service may take beyond the limit of a test before it counts as gone: starting a container, a busy network. */
const SERVICE_MS = 10_000;

/**
 * Tier C: a service elsewhere runs each test. What goes wrong between here and there says nothing about a program, so it
 * is `infra`, never a wrong answer. Expected outputs stay here.
 */
export class RemoteSandbox implements Sandbox {
  readonly tier: Tier;
  readonly languages = ["python", "javascript"] as const;
  readonly modes = ["stdin"] as const;
  readonly atOnce: number;
  readonly #service: RemoteService;
  readonly #abort = new AbortController();

  constructor(service: RemoteService) {
    this.#service = service;
    this.atOnce = service.atOnce;
    this.tier = {
      name: "C",
      boundary: `${service.protocol} at ${service.url}`,
      limits: ["as strong as the service", "tests from stdin to stdout alone"],
    };
  }

  open(program: Program, limits: Limits): Session {
    const { signal } = this.#abort;
    return {
      run: (input) => runRemotely(this.#service, program, limits, input, signal),
      close: async () => {},
    };
  }

  async close(): Promise<void> {
    this.#abort.abort();
  }
}

async function runRemotely(
  service: RemoteService,
  program: Program,
  limits: Limits,
  input: string,
  signal: AbortSignal,
): Promise<Execution> {
  const { path, body, read } = ORDERS[service.protocol](program, limits, input);
  const started = systemClock.now();
  let answer: unknown;
  try {
    const response = await fetch(new URL(path, service.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(limits.testMs + SERVICE_MS)]),
    });
    if (!response.ok) return { kind: "infra", says: `${service.url} answered ${response.status}` };
    answer = await response.json();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return { kind: "infra", says: `${service.url} did not answer: ${String(error)}${cause}` };
  }
  const wallMs = systemClock.now() - started;
  const execution = read(answer, wallMs);
  if (execution === undefined)
    return { kind: "infra", says: `${service.url} answered in a form that ${service.protocol} does not have` };
  if (execution.kind === "finished" && Buffer.byteLength(execution.output) > limits.outputBytes)
    return { kind: "output-limit", bytes: Buffer.byteLength(execution.output) };
  return execution;
}

interface Order {
  readonly path: string;
  readonly body: object;
  /** undefined when the answer is not of the protocol. */
  read(answer: unknown, wallMs: number): Execution | undefined;
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const number = z.number().nullish();

const fusionSchema = z.object({
  status: z.enum(["Success", "Failed", "SandboxError"]),
  message: text,
  run_result: z
    .object({
      status: z.enum(["Finished", "Error", "TimeLimitExceeded"]),
      execution_time: number,
      return_code: number,
      stdout: text,
      stderr: text,
    })
    .nullish(),
});

const pistonSchema = z.object({
  run: z.object({
    stdout: text,
    stderr: text,
    code: number,
    signal: z.string().nullish(),
    status: z.string().nullish(),
  }),
  compile: z.object({ code: number, stderr: text }).nullish(),
});

const ORDERS: Readonly<Record<RemoteService["protocol"], (program: Program, limits: Limits, input: string) => Order>> =
  {
    "sandbox-fusion": ({ language, source }, { testMs, memoryMb }, input) => ({
      path: "/run_code",
      body: {
        code: source,
        language: language === "javascript" ? "nodejs" : language,
        stdin: input,
        run_timeout: testMs / 1000,
        memory_limit_MB: memoryMb,
      },
      read(answer, wallMs) {
        const parsed = fusionSchema.safeParse(answer);
        if (!parsed.success) return undefined;
        const { status, message, run_result: run } = parsed.data;
        if (status === "SandboxError" || !run) return { kind: "infra", says: `the service failed: ${message}` };
        if (run.status === "TimeLimitExceeded") return { kind: "time-limit", wallMs };
        if (run.status === "Error") return { kind: "infra", says: `the service failed: ${message || run.stderr}` };
        return finished(run.stdout, run.stderr, run.return_code ?? 0, (run.execution_time ?? 0) * 1000, wallMs);
      },
    }),
    piston: ({ language, source }, { testMs, memoryMb }, input) => ({
      path: "/api/v2/execute",
      body: {
        language,
        version: "*",
        files: [{ content: source }],
        stdin: input,
        run_timeout: testMs,
        run_memory_limit: memoryMb * 2 ** 20,
      },
      read(answer, wallMs) {
        const parsed = pistonSchema.safeParse(answer);
        if (!parsed.success) return undefined;
        const { run, compile } = parsed.data;
        if (compile && (compile.code ?? 0) !== 0) return { kind: "compile-error", says: compile.stderr.slice(0, 500) };
        if (run.status === "TO" || (run.signal === "SIGKILL" && wallMs >= testMs))
          return { kind: "time-limit", wallMs };
        if (run.status === "XX") return { kind: "infra", says: "the service failed" };
        return finished(run.stdout, run.stderr, run.code ?? 137, wallMs, wallMs);
      },
    }),
  };

function finished(output: string, stderr: string, exitCode: number, cpuMs: number, wallMs: number): Execution {
  return { kind: "finished", output, stderr, exitCode, cpuMs, wallMs, peakMb: 0 };
}
