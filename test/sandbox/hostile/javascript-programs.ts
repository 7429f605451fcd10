import type { HostileProgram } from "./hostile-program.js";

const LINE = 'const line = require("fs").readFileSync(0, "utf8").trim();\n';

/** Programs in JavaScript that try to get out, to stay, to take too much, or to be paid for nothing. */
export const JAVASCRIPT_PROGRAMS: readonly HostileProgram[] = [
  { name: "endless loop", program: "for (;;);", want: "time-limit" },
  { name: "endless promises", program: "const f = () => Promise.resolve().then(f); f();", want: "time-limit" },
  { name: "endless timers", program: "setInterval(() => {}, 10);", want: "time-limit" },
  {
    name: "waits on shared memory",
    program: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    want: "time-limit",
  },
  { name: "regular expression bomb", program: '/^(a+)+$/.test("a".repeat(40) + "b");', want: "time-limit" },
  { name: "memory of the heap", program: "const x = []; for (;;) x.push(new Array(1e5).fill(1));" },
  { name: "memory outside of the heap", program: "const x = []; for (;;) x.push(Buffer.alloc(1 << 24, 1));" },
  {
    name: "worker threads",
    program:
      'const { Worker } = require("worker_threads"); for (let i = 0; i < 100; i++) new Worker("for (;;);", { eval: true });',
  },
  { name: "recursion without end", program: "function f() { return f() + 1; } f();", want: "runtime-error" },
  { name: "output without end", program: 'for (;;) require("fs").writeSync(1, "y".repeat(65536));' },
  {
    name: "fills the disk",
    program: 'for (let i = 0; ; i++) require("fs").writeFileSync("/box/" + i, Buffer.alloc(8 << 20));',
    want: "runtime-error",
  },
  { name: "kills itself", program: "process.kill(process.pid, 'SIGKILL');", want: "tampering" },
  { name: "kills process 1", program: "process.kill(1, 'SIGKILL');" },
  { name: "stops itself", program: "process.kill(process.pid, 'SIGSTOP');", want: "time-limit" },
  { name: "starts a process", program: 'require("child_process").execFileSync("/usr/bin/id");', want: "runtime-error" },
  {
    name: "starts its own interpreter again",
    program:
      'require("child_process").spawn(process.execPath, ["-e", "for(;;);"], { detached: true }).unref();\nconsole.log(1);',
  },
  {
    name: "reads /etc/passwd",
    program: 'console.log(require("fs").readFileSync("/etc/passwd", "utf8"));',
    want: "runtime-error",
  },
  {
    name: "reads a file next to the tests",
    program: (where) => `console.log(require("fs").readFileSync(${JSON.stringify(where.secretFile)}, "utf8"));`,
    want: "runtime-error",
  },
  { name: "reads /proc", program: 'console.log(require("fs").readdirSync("/proc"));', want: "runtime-error" },
  {
    name: "reads the environment",
    program: "console.log(JSON.stringify(process.env), Object.getPrototypeOf(process).env?.TROUPE_HOSTILE_SECRET);",
    want: "wrong-answer",
  },
  {
    name: "connects to the harness",
    program: (where) => `require("net").connect(${where.port}, "127.0.0.1");`,
    want: "runtime-error",
  },
  { name: "listens", program: 'require("net").createServer().listen(0);', want: "runtime-error" },
  {
    name: "sends a datagram",
    program: (where) => `require("dgram").createSocket("udp4").send("x", ${where.port}, "127.0.0.1");`,
    want: "runtime-error",
  },
  {
    name: "fetches a page",
    program: (where) => `require("http").get("http://127.0.0.1:${where.port}/", (r) => console.log(r.statusCode));`,
    want: "runtime-error",
  },
  { name: "loads a native module", program: 'process.dlopen({ exports: {} }, "/box/x.node");', want: "runtime-error" },
  {
    name: "writes into the guest",
    program: 'require("fs").appendFileSync("/guest/node_guest.cjs", "x");',
    want: "runtime-error",
  },
  { name: "exits with success at once", program: "process.exit(0);", want: "wrong-answer" },
  {
    name: "answers in place of the guest",
    program:
      'const fs = require("fs"); for (let i = 0; i < 9; i++) fs.writeSync(4, "done " + i + " 0 0 0 7 0 0 7 0 0 7\\nSECRET-");',
  },
  {
    name: "reads the next test ahead of time",
    program:
      'const fs = require("fs"); const b = Buffer.alloc(100); console.log(fs.readSync(3, b, 0, 100, null), b.toString());',
    want: "time-limit",
  },
  {
    name: "escapes its context and looks around",
    program:
      'const g = this.constructor.constructor("return globalThis")(); console.log(Object.keys(g), Object.keys(require.cache ?? {}), require.main?.filename);',
    want: "wrong-answer",
  },
  {
    name: "patches prototypes for the next test",
    kind: "echo",
    program: `${LINE}const same = Object.prototype.seen === undefined; Object.prototype.seen = 1; console.log(same && line.endsWith("0") ? line : "no");`,
    want: "wrong-answer",
  },
  {
    name: "is right, then throws",
    kind: "echo",
    program: `${LINE}console.log(line); throw new Error("x");`,
    want: "runtime-error",
  },
  {
    name: "is right, then rejects later",
    kind: "echo",
    program: `${LINE}console.log(line); setTimeout(() => Promise.reject(new Error("x")), 1);`,
    want: "runtime-error",
  },
  {
    name: "is right, then hangs",
    kind: "echo",
    program: `${LINE}console.log(line); setInterval(() => {}, 1000);`,
    want: "time-limit",
  },
  {
    name: "is right, then fails with its code",
    kind: "echo",
    program: `${LINE}console.log(line); process.exitCode = 3;`,
    want: "runtime-error",
  },
  {
    name: "a value that equals everything",
    kind: "call",
    program: "class E { valueOf() { return 1; } toJSON() { return 'SECRET-'; } } function solve(x) { return new E(); }",
    want: "runtime-error",
  },
  {
    name: "a promise that never keeps",
    kind: "call",
    program: "function solve(x) { return new Promise(() => {}); }",
    want: "runtime-error",
  },
  {
    name: "a value with a say in JSON",
    kind: "call",
    program: "function solve(x) { return { toJSON: () => x }; }",
    want: "runtime-error",
  },
  {
    name: "honest: lines of readline",
    kind: "echo",
    isHonest: true,
    program: 'require("readline").createInterface({ input: process.stdin }).on("line", (line) => console.log(line));',
  },
  {
    name: "honest: a stream, a timer, an exit",
    kind: "echo",
    isHonest: true,
    program:
      'let s = ""; process.stdin.on("data", (d) => (s += d)).on("end", () => setTimeout(() => { process.stdout.write(s); process.exit(); }, 1));',
  },
  {
    name: "honest: files of its own",
    kind: "echo",
    isHonest: true,
    program: `${LINE}require("fs").writeFileSync("/tmp/a", line); console.log(require("fs").readFileSync("/tmp/a", "utf8"));`,
  },
  { name: "honest: a function", kind: "call", isHonest: true, program: "const solve = async (x) => x;" },
];
