// Runs one untrusted JavaScript program on one test after another: process 2 of a sandbox, and never anything else.
// Frames as in python_guest.py. A context of its own for each test keeps honest tests apart; what keeps dishonest ones in
// is the sandbox around this process, not the context. A test ends when nothing is left to do, as a Node program does.
"use strict";
const fs = require("node:fs");
const vm = require("node:vm");
const { Console } = require("node:console");
const { Writable } = require("node:stream");

const CONTROL = 3;
const ANSWER = 4;
const FILES = ["/io/stdin", "/io/stdout", "/io/stderr"];
const RESULT = "/io/result";
const OWN_FILES = ["stdin", "stdout", "stderr", "result"];
const STDERR_TAIL = 4096;

let program;
/** What is under way; undefined between two tests. */
let test;

// Process 2 of a namespace is never anybody else's process.
if (process.pid !== 2 || process.ppid !== 1) throw new Error("Cannot run outside of a sandbox");
const reallyExit = process.reallyExit.bind(process);
process.on("beforeExit", () => {
  if (test !== undefined) finish(test.process.exitCode ?? 0);
  next();
});
process.on("uncaughtException", (error) => {
  if (test === undefined) reallyExit(3);
  say(2, `${error?.stack ?? String(error)}\n`);
  // Timers of this program may still be due: the next test gets another process.
  finish(1, "last");
  reallyExit(0);
});
setImmediate(() => {
  answer("ready", []);
  next();
});

/** Reads frames until one of them starts a test. */
function next() {
  for (;;) {
    const [kind, ...words] = readLine().split(" ");
    const payload = readBytes(Number(words.at(-1))).toString();
    if (kind === "program") load(words[0], words[1], payload);
    else {
      test = start(words[0], Number(words[2]), payload);
      // Outside of the handler of "beforeExit", and so that there is something to do.
      setImmediate(run, test);
      return;
    }
  }
}

function readLine() {
  let line = "";
  const byte = Buffer.alloc(1);
  while (!line.endsWith("\n")) {
    if (fs.readSync(CONTROL, byte, 0, 1, null) === 0) reallyExit(0);
    line += byte.toString("latin1");
  }
  return line.slice(0, -1);
}

function readBytes(length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const count = fs.readSync(CONTROL, bytes, at, length - at, null);
    if (count === 0) reallyExit(0);
    at += count;
  }
  return bytes;
}

function answer(line, payloads) {
  const length = payloads.reduce((sum, one) => sum + one.length, 0);
  let data = Buffer.concat([Buffer.from(`${line} ${length}\n`), ...payloads]);
  while (data.length > 0) data = data.subarray(fs.writeSync(ANSWER, data));
}

function load(mode, name, source) {
  // A run is a CommonJS module; a call needs to find what the program defines.
  const parts = mode === "stdin" ? ["(function (exports, require, module) {", "\n})"] : ["", ""];
  try {
    program = { mode, name, script: new vm.Script(parts.join(source), { filename: "program.js" }) };
    answer("loaded ok", []);
  } catch (error) {
    answer("loaded compile-error", [Buffer.from(String(error).slice(0, 500))]);
  }
}

function start(nonce, cap, payload) {
  fs.writeFileSync(FILES[0], program.mode === "stdin" ? payload : "");
  fs.writeFileSync(RESULT, "");
  for (const [number, file] of FILES.entries()) {
    fs.closeSync(number);
    // The lowest free number is the one just closed.
    if (fs.openSync(file, number === 0 ? "r" : "w+") !== number) reallyExit(3);
  }
  return { nonce, cap, payload, usage: process.cpuUsage(), process: processOfProgram(), exits: [] };
}

function run(own) {
  const { process: itself } = own;
  const module = { exports: {} };
  const given = { process: itself, require, module, exports: module.exports, Buffer };
  for (const name of GLOBALS) given[name] = globalThis[name];
  given.console = new Console({ stdout: itself.stdout, stderr: itself.stderr });
  const context = vm.createContext(given);
  given.global = given.globalThis = vm.runInContext("globalThis", context);
  const parse = vm.runInContext("JSON.parse", context);
  const { mode, name } = program;
  if (mode === "asserts") given[name] = given.candidate = (...args) => callElsewhere(name, args, parse);
  const value = program.script.runInContext(context);
  if (mode === "stdin") return void value.call(module.exports, module.exports, require, module);
  if (mode === "asserts") return void new vm.Script(own.payload, { filename: "test.js" }).runInContext(context);
  const order = parse(own.payload);
  const target = functionNamed(name === "*" ? order.fn : name, context, module);
  const result = target.call(undefined, ...(name === "*" ? order.args : order));
  const write = (returned) => fs.writeFileSync(RESULT, JSON.stringify(pack(returned, 0), undefined));
  if (result instanceof Promise || typeof result?.then === "function") result.then(write);
  else write(result);
}

/** A test calls a function of another sandbox, and waits for what it returns. */
function callElsewhere(name, args, parse) {
  answer("call", [Buffer.from(JSON.stringify(pack({ fn: name, args, kwargs: {} }, 0)))]);
  const reply = parse(readBytes(Number(readLine().split(" ").at(-1))).toString());
  if ("value" in reply) return reply.value;
  throw new Error(reply.error);
}

const GLOBALS = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "queueMicrotask",
  "URL",
  "URLSearchParams",
  "TextEncoder",
  "TextDecoder",
  "structuredClone",
  "performance",
  "AbortController",
  "atob",
  "btoa",
];

/** The process as a program sees it: its own streams, and an end of its own. */
function processOfProgram() {
  let stdin;
  const listeners = (event, listener) => {
    if (event === "exit" || event === "beforeExit") test.exits.push(listener);
    else process.on(event, listener);
    return itself;
  };
  const itself = Object.create(process, {
    stdin: { get: () => (stdin ??= new fs.ReadStream(null, { fd: 0, autoClose: false })) },
    stdout: { value: syncStream(1) },
    stderr: { value: syncStream(2) },
    argv: { value: ["node", "program.js"], writable: true },
    env: { value: {}, writable: true },
    exitCode: { value: undefined, writable: true },
    on: { value: listeners },
    once: { value: listeners },
    addListener: { value: listeners },
    exit: {
      value(code) {
        finish(code ?? itself.exitCode ?? 0, "last");
        // Nothing that follows may run; the next test gets another process.
        reallyExit(0);
      },
    },
  });
  return itself;
}

function syncStream(fd) {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, done) {
      try {
        say(fd, typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
        done();
      } catch (error) {
        done(error);
      }
    },
  });
  return Object.assign(stream, { fd, isTTY: false });
}

function say(fd, data) {
  let rest = typeof data === "string" ? Buffer.from(data) : data;
  while (rest.length > 0) rest = rest.subarray(fs.writeSync(fd, rest));
}

/** done, or last before this process ends: <nonce> <exit code> <cpu us> <peak KiB> <bytes written> <bytes sent> <all bytes sent>, as python_guest.py has it. */
function finish(code, word = "done") {
  const own = test;
  for (const listener of own.exits.splice(0)) listener.call(own.process, code);
  test = undefined;
  const { user, system } = process.cpuUsage(own.usage);
  const files = [...FILES.slice(1), RESULT].map((path) => fs.openSync(path, "r"));
  const written = files.map((file) => fs.fstatSync(file).size);
  const sent = files.map((file, index) => {
    const most = index === 1 ? STDERR_TAIL : own.cap;
    const bytes = Buffer.alloc(Math.min(written[index], most));
    return bytes.subarray(
      0,
      fs.readSync(file, bytes, 0, bytes.length, index === 1 ? Math.max(0, written[1] - most) : 0),
    );
  });
  for (const file of files) fs.closeSync(file);
  for (const [folder, kept] of [
    ["/box", []],
    ["/io", OWN_FILES],
  ])
    for (const name of fs.readdirSync(folder))
      if (!kept.includes(name)) fs.rmSync(`${folder}/${name}`, { recursive: true, force: true });
  const numbers = [
    Number(code) & 0xff,
    user + system,
    process.resourceUsage().maxRSS,
    ...written,
    ...sent.map((one) => one.length),
  ];
  answer(`${word} ${own.nonce} ${numbers.join(" ")}`, sent);
}

function functionNamed(name, context, module) {
  const defined = vm.runInContext(`typeof ${name} === "undefined" ? undefined : ${name}`, context);
  const found = defined ?? module.exports[name] ?? (typeof module.exports === "function" ? module.exports : undefined);
  if (typeof found === "function") return found;
  throw new ReferenceError(`the program defines no function "${name}"`);
}

/** A value as value-codec.ts reads it; only what JSON, Map, Set and BigInt can say. */
function pack(value, depth) {
  if (depth > 1000) throw new TypeError("a value is nested too deeply");
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return null;
    case "number":
      return Number.isFinite(value)
        ? value
        : { $: "float", v: String(value).replace("Infinity", "inf").replace("NaN", "nan") };
    case "bigint":
      return { $: "int", v: String(value) };
    case "object":
      break;
    default:
      throw new TypeError(`a ${typeof value} is no plain value`);
  }
  if (value === null) return null;
  const all = (items) => Array.from(items, (item) => pack(item, depth + 1));
  const kind = Object.prototype.toString.call(value);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && kind !== "[object DataView]")) return all(value);
  if (kind === "[object Set]") return { $: "set", v: all(value) };
  if (kind === "[object Map]") return { $: "dict", v: Array.from(value, (entry) => all(entry)) };
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new TypeError(`a value of class ${prototype.constructor?.name} is no plain value`);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item, depth + 1)]));
}
