import { fork, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { TroupeError } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import type { OnnxAnswer, OnnxMessage, OnnxModel, OnnxOrders } from "./protocol.js";
import { onnxRuntimePath } from "./runtime.js";

interface Pending {
  readonly action: string;
  resolve(value: unknown): void;
  reject(cause: unknown): void;
}

/** A model in a process of its own. Orders are carried out one after the other; an idle process keeps nothing alive. */
export class OnnxProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #opened: Promise<unknown>;
  #orders = 0;
  #end: string | undefined;

  /** @throws ONNX_RUNTIME_MISSING at once; what is wrong with the model comes with the first answer */
  constructor(model: OnnxModel) {
    const runtime = onnxRuntimePath();
    const require = createRequire(import.meta.url);
    // By the package's own name, for this file runs from src in tests, and a process runs JavaScript only.
    const host = join(dirname(require.resolve("@troupe/gpu/package.json")), "dist", "src", "onnx", "onnx-host.js");
    this.#child = fork(host, {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (raw) => this.#settle(raw));
    this.#child.on("error", (cause) => this.#fail(cause.message));
    this.#child.on("exit", (code, signal) => this.#fail(signal ?? `exit code ${code}`));
    this.#rest();
    this.#opened = this.#ask("open", { ...model, runtime }, "open a model").catch((cause: unknown) => {
      if (!(cause instanceof TroupeError) || cause.code !== "ONNX_ORDER_FAILED") throw cause;
      throw errors.onnxModelNotValid({ path: model.path, problem: String(cause.details["problem"]) }, cause);
    });
    // Whoever asks next hears of it.
    this.#opened.catch(() => {});
  }

  /**
   * @param action completes "Cannot …"
   * @throws ONNX_MODEL_NOT_VALID, ONNX_PROCESS_ENDED, ONNX_ORDER_FAILED
   */
  async ask<K extends Exclude<keyof OnnxOrders, "open">>(
    kind: K,
    order: OnnxOrders[K]["in"],
    action: string,
    signal?: AbortSignal,
  ): Promise<OnnxOrders[K]["out"]> {
    await this.#opened;
    return this.#ask(kind, order, action, signal);
  }

  /** Ends the process at once; what was asked and not answered fails. */
  dispose(): void {
    this.#fail("the disposal of its sampler");
    this.#child.kill("SIGKILL");
  }

  async #ask<K extends keyof OnnxOrders>(
    kind: K,
    order: OnnxOrders[K]["in"],
    action: string,
    signal?: AbortSignal,
  ): Promise<OnnxOrders[K]["out"]> {
    const id = this.#orders++;
    // Kind and order belong together by this function's own signature.
    const message = { id, kind, order } as OnnxMessage;
    const abort = () => void this.#child.send({ id, kind: "abort" } satisfies OnnxMessage);
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#end !== undefined) return reject(errors.onnxProcessEnded({ action, how: this.#end }));
      this.#pending.set(id, { action, resolve, reject });
      this.#child.ref();
      this.#child.channel?.ref();
      // A process that cannot be reached has ended: its exit says why.
      this.#child.send(message, () => {});
      if (signal?.aborted) abort();
      signal?.addEventListener("abort", abort, { once: true });
    });
    try {
      // The host answers each kind with what OnnxOrders says.
      return (await answer) as OnnxOrders[K]["out"];
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #settle(raw: unknown): void {
    // Only onnx-host.ts holds the other end.
    const answer = raw as OnnxAnswer;
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#rest();
    if (!pending) return;
    const { action, resolve, reject } = pending;
    if ("problem" in answer) reject(errors.onnxOrderFailed({ action, problem: answer.problem }));
    else resolve(answer.value);
  }

  #fail(how: string): void {
    this.#end ??= how;
    for (const { action, reject } of this.#pending.values()) reject(errors.onnxProcessEnded({ action, how }));
    this.#pending.clear();
  }

  /** Nobody waits: the process may not keep ours from ending. */
  #rest(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }
}
