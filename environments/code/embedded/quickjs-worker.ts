import { parentPort, workerData } from "node:worker_threads";
import { newQuickJSWASMModuleFromVariant, type QuickJSContext, type QuickJSWASMModule } from "quickjs-emscripten-core";
import type { Limits, Program } from "../sandbox.js";

/** What a worker is started with. */
export interface QuickJsWork {
  readonly program: Program;
  readonly limits: Limits;
}

/** What a worker says about one test; the harness adds the clock. */
export type QuickJsFinding =
  | { readonly kind: "finished"; readonly output: string; readonly stderr: string; readonly exitCode: number }
  | { readonly kind: "compile-error" | "memory-limit"; readonly says: string }
  | { readonly kind: "output-limit"; readonly bytes: number };

/** Bytes of the WebAssembly stack: what recursion of a program may use. */
const STACK_BYTES = 256 * 1024;

/**
 * What a program finds in place of Node: reading stdin in the usual ways, writing lines, an end of its own. Everything else
 * of Node does not exist in here.
 */
const PRELUDE = `
globalThis.global = globalThis;
(() => {
  const input = globalThis.__input, write = globalThis.__write, exit = globalThis.__exit;
  delete globalThis.__input; delete globalThis.__write; delete globalThis.__exit;
  const show = (value) => typeof value === "string" ? value
    : typeof value === "object" && value !== null || typeof value === "function" ? JSON.stringify(value) ?? String(value)
    : String(value);
  const line = (fd) => (...all) => write(fd, all.map(show).join(" ") + "\\n");
  globalThis.console = { log: line(1), info: line(1), debug: line(1), error: line(2), warn: line(2) };
  const readFileSync = (file, how) => {
    if (file !== 0 && file !== "/dev/stdin") throw new Error("there are no files here");
    return how === undefined ? { toString: () => input } : input;
  };
  const listeners = {};
  const on = (event, listener) => { (listeners[event] ??= []).push(listener); return stdin; };
  const stdin = { on, once: on, setEncoding: () => stdin, resume: () => stdin, pause: () => stdin, fd: 0 };
  globalThis.process = {
    stdin, argv: ["node", "program.js"], env: {}, exit,
    stdout: { write: (text) => (write(1, String(text)), true) }, stderr: { write: (text) => (write(2, String(text)), true) },
  };
  const createInterface = () => {
    const lines = input.split("\\n");
    if (lines.at(-1) === "") lines.pop();
    const own = {};
    const rl = {
      on: (event, listener) => ((own[event] ??= []).push(listener), rl),
      once: (event, listener) => rl.on(event, listener),
      close: () => {},
      async *[Symbol.asyncIterator]() { yield* lines; },
    };
    later.push(() => {
      for (const one of lines) for (const listener of own.line ?? []) listener(one);
      for (const listener of own.close ?? []) listener();
    });
    return rl;
  };
  const modules = { fs: { readFileSync }, readline: { createInterface } };
  globalThis.require = (name) => {
    const found = modules[name.replace(/^node:/, "")];
    if (found === undefined) throw new Error("there is no module " + name + " here");
    return found;
  };
  globalThis.module = { exports: {} };
  globalThis.exports = module.exports;
  const later = [];
  const timers = [];
  globalThis.setTimeout = (callback, delay = 0, ...all) => timers.push({ at: delay, run: () => callback(...all) });
  globalThis.setImmediate = (callback, ...all) => setTimeout(callback, 0, ...all);
  globalThis.clearTimeout = (id) => { if (timers[id - 1]) timers[id - 1].run = undefined; };
  // What the program left to be done, one piece at a time; false when nothing is left. Time does not pass in here.
  globalThis.__step = () => {
    const next = later.shift();
    if (next !== undefined) return next(), true;
    if (listeners.data || listeners.end) {
      const { data = [], end = [] } = listeners;
      delete listeners.data;
      delete listeners.end;
      for (const listener of data) listener(input);
      for (const listener of end) listener();
      return true;
    }
    const due = timers.filter((one) => one.run).sort((a, b) => a.at - b.at)[0];
    if (due === undefined) return false;
    const { run } = due;
    due.run = undefined;
    const from = due.at, count = timers.length;
    run();
    for (const one of timers.slice(count)) one.at += from;
    return true;
  };
})();`;

/** Turns a result into the text that value-codec.ts reads. */
const PACK = `(value) => {
  const seen = (value, depth) => {
    if (depth > 500) throw new TypeError("a value is nested too deeply");
    if (value === undefined || value === null) return null;
    if (typeof value === "bigint") return { $: "int", v: String(value) };
    if (typeof value === "number") return Number.isFinite(value) ? value : { $: "float", v: String(value).replace("Infinity", "inf").replace("NaN", "nan") };
    if (typeof value === "function" || typeof value === "symbol") throw new TypeError("a " + typeof value + " is no plain value");
    if (typeof value !== "object") return value;
    if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value, (one) => seen(one, depth + 1));
    if (value instanceof Set) return { $: "set", v: Array.from(value, (one) => seen(one, depth + 1)) };
    if (value instanceof Map) return { $: "dict", v: Array.from(value, (pair) => pair.map((one) => seen(one, depth + 1))) };
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) throw new TypeError("a value of a class is no plain value");
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, seen(one, depth + 1)]));
  };
  return JSON.stringify(seen(value, 0));
}`;

/** One test in a runtime of its own. */
function runTest(module: QuickJSWASMModule, { program, limits }: QuickJsWork, input: string): QuickJsFinding {
  const runtime = module.newRuntime();
  runtime.setMemoryLimit(limits.memoryMb * 2 ** 20);
  runtime.setMaxStackSize(STACK_BYTES);
  const context = runtime.newContext();
  const test = new QuickJsTest(context, limits.outputBytes);
  try {
    return test.run(program, input);
  } finally {
    try {
      context.dispose();
      runtime.dispose();
    } catch {
      // Values that a failed program held; the whole instance goes with the worker.
    }
  }
}

class QuickJsTest {
  readonly #context: QuickJSContext;
  readonly #outputBytes: number;
  readonly #written = ["", "", ""];
  #exitCode: number | undefined;

  constructor(context: QuickJSContext, outputBytes: number) {
    this.#context = context;
    this.#outputBytes = outputBytes;
  }

  run(program: Program, input: string): QuickJsFinding {
    const isCall = program.mode === "function";
    this.#define(isCall ? "" : input);
    this.#evaluate(PRELUDE);
    const pack = isCall ? `globalThis.__pack = ${PACK};` : "";
    // Syntax first: a program that cannot be read has not been run.
    const syntax = this.#evaluate(`void new Function(${JSON.stringify(program.source)})`);
    if (syntax?.startsWith("SyntaxError")) return { kind: "compile-error", says: syntax };
    const wrapped = isCall ? `${pack}\n${program.source}` : `(function () {\n${program.source}\n})()`;
    const failure =
      this.#evaluate(wrapped) ?? (isCall ? this.#call(program.functionName ?? "", input) : undefined) ?? this.#drain();
    const [, stdout = "", stderr = ""] = this.#written;
    if (failure !== undefined && /out of memory/.test(failure)) return { kind: "memory-limit", says: failure };
    if (stdout.length > this.#outputBytes) return { kind: "output-limit", bytes: stdout.length };
    const exitCode = this.#exitCode ?? (failure === undefined ? 0 : 1);
    const output = isCall ? this.#read("globalThis.__result") : stdout;
    return { kind: "finished", output, stderr: `${stderr}${exitCode === 0 ? "" : (failure ?? "")}`, exitCode };
  }

  #define(input: string): void {
    const context = this.#context;
    context.newString(input).consume((handle) => context.setProp(context.global, "__input", handle));
    // What a function gives back is thrown inside.
    const functions = {
      __write: (fd: number, text: string): string | undefined => {
        this.#written[fd] = (this.#written[fd] ?? "") + text;
        return (this.#written[fd]?.length ?? 0) > this.#outputBytes ? "too much output" : undefined;
      },
      __exit: (code: number): string | undefined => {
        this.#exitCode = code;
        return "exit";
      },
    };
    for (const [name, action] of Object.entries(functions)) {
      const made = context.newFunction(name, (first, second) => {
        const number = Number(context.dump(first ?? context.undefined) ?? 0);
        const failure = action(number, second === undefined ? "" : context.getString(second));
        return failure === undefined ? undefined : { error: context.newError(failure) };
      });
      made.consume((handle) => context.setProp(context.global, name, handle));
    }
  }

  #call(name: string, input: string): string | undefined {
    return this.#evaluate(
      `(() => { const f = typeof ${name} !== "undefined" ? ${name} : module.exports.${name};
      if (typeof f !== "function") throw new ReferenceError("the program defines no function ${name}");
      const keep = (value) => { globalThis.__result = __pack(value); };
      const value = f(...${input});
      if (typeof value?.then === "function") value.then(keep, (error) => { globalThis.__rejected = String(error); }); else keep(value); })()`,
    );
  }

  /** Does what is left to be done: promises, listeners, timers. */
  #drain(): string | undefined {
    for (;;) {
      const jobs = this.#context.runtime.executePendingJobs();
      if (jobs.error !== undefined) return this.#say(jobs.error);
      jobs.dispose();
      const failure = this.#evaluate("globalThis.__more = __step()");
      if (failure !== undefined) return failure;
      if (this.#read("String(globalThis.__more)") !== "true")
        return this.#read("globalThis.__rejected ?? ''") || undefined;
    }
  }

  /** What a source throws, in words; undefined when it does not, or when it only exits. */
  #evaluate(source: string): string | undefined {
    const result = this.#context.evalCode(source, "program.js");
    if (result.error === undefined) {
      result.value.dispose();
      return undefined;
    }
    const says = this.#say(result.error);
    return this.#exitCode === undefined ? says : this.#exitCode === 0 ? undefined : says;
  }

  #read(expression: string): string {
    const result = this.#context.evalCode(expression);
    if (result.error !== undefined) return (result.error.dispose(), "");
    const value: unknown = this.#context.dump(result.value);
    result.value.dispose();
    return typeof value === "string" ? value : "";
  }

  #say(error: Parameters<QuickJSContext["dump"]>[0]): string {
    const value: unknown = this.#context.dump(error);
    error.dispose();
    if (typeof value !== "object" || value === null) return String(value);
    const { name = "Error", message = "" } = { ...value } as { name?: unknown; message?: unknown }; // of an error, or of any other object
    return `${String(name)}: ${String(message)}`;
  }
}

// The harness starts a worker for each program, and ends it when its clock runs out.
const module = await newQuickJSWASMModuleFromVariant(import("@jitl/quickjs-wasmfile-release-sync"));
parentPort?.on("message", (input: string) => {
  // workerData is what QuickJsSandbox gave.
  parentPort?.postMessage(runTest(module, workerData as QuickJsWork, input));
});
parentPort?.postMessage("ready");
