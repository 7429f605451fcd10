// Runs one untrusted Python program in Pyodide, on one test after another: a process of its own that may read Pyodide's
// folder and this one, and nothing else. It is one file so that the boundary can be read from top to bottom: arguments,
// rights, imports of the WebAssembly module, files, tests.
//
//   node (flags of pyodide-process.ts) pyodide-guest.mjs PYODIDE_FOLDER
//
// Frames as in python_guest.py, on the same descriptors. The first one is "boot <memory MiB> <disk MiB> <length>" with a
// snapshot of the memory of a booted interpreter; without one this process makes it, answers "snapshot <length>" and ends.
//
// A test starts from the same bytes as every other one: the whole memory of the interpreter is put back before it. What
// lies outside of that memory are files, which are removed, and nothing else that a program can reach.
import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const CONTROL = 3;
const ANSWER = 4;
const STDERR_TAIL = 4096;
const FILE_MB = 16;
const MOST_FILES = 4096;
const HERE = dirname(fileURLToPath(import.meta.url));
const IO = ["stdin", "stdout", "stderr", "result", "payload", "program", "code"];
/** WebAssembly counts errors in its own way: ENOSYS, ENOSPC, EFBIG. */
const [NO_CALL, NO_SPACE, TOO_BIG] = [52, 51, 22];

const { readSync, writeSync, readFileSync } = fs;
const cpuUsage = process.cpuUsage.bind(process);
const exit = process.reallyExit.bind(process);

// --- frames ------------------------------------------------------------------------------------------------------------

function readLine() {
  let line = "";
  const byte = Buffer.alloc(1);
  while (!line.endsWith("\n")) {
    if (readSync(CONTROL, byte, 0, 1, null) === 0) exit(0);
    line += byte.toString("latin1");
  }
  return line.slice(0, -1).split(" ");
}

function readBytes(length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const count = readSync(CONTROL, bytes, at, length - at, null);
    if (count === 0) exit(0);
    at += count;
  }
  return bytes;
}

function answer(line, payloads = []) {
  const length = payloads.reduce((sum, one) => sum + one.length, 0);
  let data = Buffer.concat([Buffer.from(`${line} ${length}\n`), ...payloads]);
  while (data.length > 0) data = data.subarray(writeSync(ANSWER, data));
}

// --- rights: of this process, should a program ever reach it -----------------------------------------------------------

function refuse() {
  throw new Error("this is closed");
}

function close(object, names) {
  for (const name of names)
    Object.defineProperty(object, name, { value: refuse, writable: false, configurable: false });
}

function closeProcess() {
  close(net.Socket.prototype, ["connect"]);
  close(net.Server.prototype, ["listen"]);
  close(dgram.Socket.prototype, ["send", "bind", "connect"]);
  close(process, ["binding", "_linkedBinding", "dlopen", "kill", "chdir", "getBuiltinModule", "abort"]);
  close(
    globalThis,
    ["fetch", "WebSocket", "EventSource", "Worker"].filter((name) => name in globalThis),
  );
}

// --- imports: all that WebAssembly can call ----------------------------------------------------------------------------

/** Calls that a program makes by running: files in memory, clocks, its own memory and end. Every other one is refused. */
const OPEN =
  /^(invoke_\w+|fd_\w+|clock_\w+|environ_\w+|random_get|exit|proc_exit|_abort_js|__assert_fail|_(tz|mk|gm|local|timegm)\w*_js|_(munmap|msync|mmap)_js|emscripten_(resize_heap|get_heap_max|date_now|get_now|runtime_keepalive_\w+)|_emscripten_(runtime_keepalive_clear|get_progname|log_formatted|lookup_name)|_Py(EM)?_\w+|_(try|maybe)_\w+|__call_sighandler|__syscall_(umask_js|getuid32_js|ioctl|fcntl64|openat|faccessat|chdir|fchdir|dup|dup3|fdatasync|f?l?stat64|newfstatat|ftruncate64|truncate64|getcwd|getdents64|mkdirat|poll|fadvise64|fallocate|readlinkat|unlinkat|rmdir|renameat|f?statfs64|symlinkat|utimensat))$/;
/** Answered by doing nothing: rights of files are the same for everybody in here, and nothing waits for JavaScript. */
const IDLE = /^(__syscall_f?ch(mod|own)\w*|can_run_sync_js)$/;
/** Answered by an error, as on a machine that has none of it. */
const ABSENT = /^(__syscall_\w+|_dlopen_js|_dlsym_js|_emscripten_dlopen_js|_setitimer_js|_emscripten_system)$/;

let isLocked = false;
const parent = process.ppid;

/** Called from time to time by whatever runs: a program does not outlive the harness. */
function checkHarness() {
  if (process.ppid !== parent) exit(0);
  return 0;
}

function closeImports(limitBytes) {
  const instantiate = WebAssembly.instantiate;
  WebAssembly.instantiate = (source, imports) => {
    const guarded = Object.fromEntries(
      Object.entries(imports).map(([module, functions]) =>
        module.startsWith("GOT") ? [module, functions] : [module, guard(functions)],
      ),
    );
    return instantiate.call(WebAssembly, source, guarded);
  };
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * 65536 > limitBytes) throw new RangeError("the limit of memory is reached");
    return grow.call(this, pages);
  };
}

function guard(functions) {
  return new Proxy(functions, {
    get(target, name) {
      if (name === "_Py_CheckEmscriptenSignals_Helper") return checkHarness;
      const real = target[name];
      if (typeof real !== "function" || typeof name !== "string" || OPEN.test(name)) return real;
      const closed = IDLE.test(name) ? 0 : name.startsWith("_dl") ? 0 : -NO_CALL;
      const isQuiet = IDLE.test(name) || ABSENT.test(name);
      return Object.assign((...all) => (!isLocked ? real(...all) : isQuiet ? closed : refuse()), { sig: real.sig });
    },
  });
}

// --- files: in memory, and of those only /box and the streams can be written ---------------------------------------------

let room = { bytes: 0, files: 0 };

function limitFiles(FS, diskMb) {
  const { MEMFS } = FS.filesystems;
  const take = (node, size) => {
    if (!isLocked) return;
    if (size > FILE_MB << 20) throw new FS.ErrnoError(TOO_BIG);
    const more = Math.max(0, size - node.contents.length);
    if (room.bytes + more > diskMb << 20) throw new FS.ErrnoError(NO_SPACE);
    room.bytes += more;
  };
  const { expandFileStorage, resizeFileStorage, createNode } = MEMFS;
  MEMFS.expandFileStorage = (node, size) => (take(node, size), expandFileStorage.call(MEMFS, node, size));
  MEMFS.resizeFileStorage = (node, size) => (take(node, size), resizeFileStorage.call(MEMFS, node, size));
  const file = MEMFS.ops_table.file.stream;
  const { write } = file;
  file.write = (stream, buffer, offset, length, position, canOwn) => {
    take(stream.node, position + length);
    return write.call(file, stream, buffer, offset, length, position, canOwn);
  };
  MEMFS.createNode = (...all) => {
    if (isLocked && room.files++ >= MOST_FILES) throw new FS.ErrnoError(NO_SPACE);
    return createNode.apply(MEMFS, all);
  };
}

function makeFiles(FS) {
  for (const folder of ["/io", "/box"]) FS.mkdirTree(folder);
  for (const name of IO) FS.writeFile(`/io/${name}`, "");
}

/** The streams of a test are files; those that Pyodide made would reach this process's own. */
function replaceStreams(FS) {
  pyodide.setStdin({ stdin: () => null });
  for (const set of [pyodide.setStdout, pyodide.setStderr]) set({ write: (bytes) => bytes.length });
  for (const stream of FS.streams) if (stream) FS.close(stream);
  for (const name of ["tty", "tty1", "stdin", "stdout", "stderr"])
    if (FS.analyzePath(`/dev/${name}`).exists) FS.unlink(`/dev/${name}`);
  for (const name of ["stdin", "stdout", "stderr"]) {
    FS.symlink(`/io/${name}`, `/dev/${name}`);
    FS.open(`/io/${name}`, name === "stdin" ? "r" : "r+");
  }
}

/** From here on names stay as they are, outside of /box. */
function protectFiles(FS) {
  const protect = (path) => {
    if (path === "/box" || path.startsWith("/dev") || path.startsWith("/proc")) return;
    const { mode } = FS.lstat(path);
    if (FS.isLink(mode)) return;
    FS.chmod(path, FS.isDir(mode) ? 0o555 : path.startsWith("/io/") ? 0o666 : 0o444);
    if (FS.isDir(mode))
      for (const name of FS.readdir(path))
        if (name !== "." && name !== "..") protect(path === "/" ? `/${name}` : `${path}/${name}`);
  };
  protect("/");
  for (const folder of ["/dev", "/dev/shm", "/dev/shm/tmp"]) FS.chmod(folder, 0o555);
  FS.ignorePermissions = false;
}

function empty(FS, folder) {
  for (const name of FS.readdir(folder)) {
    if (name === "." || name === "..") continue;
    const path = `${folder}/${name}`;
    if (FS.isDir(FS.lstat(path).mode)) {
      empty(FS, path);
      FS.rmdir(path);
    } else FS.unlink(path);
  }
}

/** Where the tests of mode "asserts" call functions of another sandbox: written once, then read to its end. */
function makeCalls(FS) {
  let reply = Buffer.alloc(0);
  const device = FS.makedev(64, 0);
  FS.registerDevice(device, {
    write(_stream, buffer, offset, length) {
      answer("call", [Buffer.from(buffer.subarray(offset, offset + length))]);
      reply = readBytes(Number(readLine().at(-1)));
      return length;
    },
    read(_stream, buffer, offset, length) {
      const part = reply.subarray(0, length);
      reply = reply.subarray(part.length);
      buffer.set(part, offset);
      return part.length;
    },
  });
  FS.mkdev("/dev/calls", 0o666, device);
}

// --- tests ---------------------------------------------------------------------------------------------------------------

class Interpreter {
  #module;
  #fs;
  /** Runs the source at an address of the interpreter's memory. */
  #runSource;
  #free;
  /** Address of the source that runs a test. */
  #run;
  #mode;
  /** The memory that every test starts from. */
  #start;

  constructor(module) {
    this.#module = module;
    this.#fs = module.FS;
    ({ _PyRun_SimpleString: this.#runSource, _free: this.#free } = module);
  }

  python(source) {
    const text = this.#module.stringToNewUTF8(source);
    const code = this.#runSource(text);
    this.#free(text);
    if (code !== 0) throw new Error(`Python refused: ${source}`);
  }

  load(mode, name, source) {
    const FS = this.#fs;
    this.#mode = mode;
    if (mode === "asserts") makeCalls(FS);
    FS.writeFile("/io/program", source);
    FS.writeFile("/io/result", "");
    this.python(`import pyodide_guest; pyodide_guest.load(${JSON.stringify(mode)}, ${JSON.stringify(name)})`);
    const says = FS.readFile("/io/result");
    if (says.length > 0) return answer("loaded compile-error", [Buffer.from(says)]);
    FS.writeFile("/io/program", "");
    this.#run = this.#module.stringToNewUTF8("pyodide_guest.run()");
    isLocked = true;
    protectFiles(FS);
    this.#start = this.#module.HEAPU8.slice();
    answer("loaded ok");
  }

  test(nonce, cap, payload) {
    const FS = this.#fs;
    this.#prepare(payload);
    const before = cpuUsage();
    let failure;
    try {
      this.#runSource(this.#run);
    } catch (error) {
      failure = error;
    }
    const { user, system } = cpuUsage(before);
    const files = ["stdout", "stderr", "result"].map((name) => Buffer.from(FS.readFile(`/io/${name}`)));
    const code = failure === undefined ? Number(Buffer.from(FS.readFile("/io/code")).toString() || 1) : codeOf(failure);
    if (failure !== undefined && failure.name !== "ExitStatus")
      files[1] = Buffer.concat([files[1], Buffer.from(`\n${failure}\n`)]);
    const sent = files.map((file, index) => (index === 1 ? file.subarray(-STDERR_TAIL) : file.subarray(0, cap)));
    const numbers = [
      code,
      user + system,
      Math.round(this.#module.HEAPU8.length / 1024),
      ...files.map((file) => file.length),
      ...sent.map((one) => one.length),
    ];
    // An interpreter that was left in the middle of something is none for another test.
    answer(`${failure === undefined ? "done" : "last"} ${nonce} ${numbers.join(" ")}`, sent);
    if (failure !== undefined) exit(0);
  }

  #prepare(payload) {
    const FS = this.#fs;
    const memory = this.#module.HEAPU8;
    memory.set(this.#start);
    memory.fill(0, this.#start.length);
    for (const stream of FS.streams) if (stream) FS.close(stream);
    room = { bytes: 0, files: 0 };
    FS.chdir("/");
    empty(FS, "/box");
    const isRead = this.#mode === "stdin";
    for (const name of IO) FS.writeFile(`/io/${name}`, name === (isRead ? "stdin" : "payload") ? payload : "");
    FS.chdir("/box");
    for (const [number, name] of ["stdin", "stdout", "stderr"].entries())
      if (FS.open(`/io/${name}`, number === 0 ? "r" : "r+").fd !== number) exit(3);
    // Whoever writes without a stream of its own appends, as a program does that prints in two ways.
  }
}

/** An exit code, or minus the number of the signal that a real process would have ended by. */
function codeOf(failure) {
  if (failure.name === "ExitStatus") return failure.status & 0xff;
  return failure instanceof RangeError ? -11 : -6;
}

// --- from boot to end ----------------------------------------------------------------------------------------------------

const folder = process.argv[2];
const [word, memoryMb, diskMb, length] = readLine();
if (word !== "boot" || !process.permission || process.permission.has("fs.write")) {
  throw new Error("Cannot run without the rights taken from it");
}
const snapshot = readBytes(Number(length));
// Pyodide asks for constants of the system, which the permission model does not give.
process.binding = () => ({ constants: {}, fs: {} });
closeImports(Number(memoryMb) << 20);
const { loadPyodide } = await import(pathToFileURL(join(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({
  indexURL: folder,
  env: { HOME: "/box", LANG: "C.UTF-8", PYTHONHASHSEED: "0" },
  jsglobals: Object.create(null),
  ...(snapshot.length > 0 ? { _loadSnapshot: snapshot } : { _makeSnapshot: true }),
});
const { _module: webAssembly } = pyodide;
const { FS } = webAssembly;
const interpreter = new Interpreter(webAssembly);
if (snapshot.length === 0) {
  makeFiles(FS);
  FS.mkdir("/guest");
  for (const name of ["value_codec.py", "judged_program.py", "pyodide_guest.py"])
    FS.writeFile(`/guest/${name}`, readFileSync(join(HERE, name)));
  interpreter.python("import sys; sys.path.insert(0, '/guest'); import pyodide_guest; sys.path.remove('/guest')");
  answer("snapshot", [Buffer.from(pyodide.makeMemorySnapshot())]);
} else {
  makeFiles(FS);
  replaceStreams(FS);
  limitFiles(FS, Number(diskMb));
  interpreter.python("import pyodide_guest; pyodide_guest.close_ways_out()");
  closeProcess();
  // Whatever the interpreter asks checkHarness() for, it asks only when it expects interrupts.
  pyodide.setInterruptBuffer(new Uint8Array(1));
  answer("ready");
  for (;;) {
    const [kind, ...words] = readLine();
    const payload = readBytes(Number(words.at(-1)));
    if (kind === "program") interpreter.load(words[0], words[1], payload);
    else interpreter.test(words[0], Number(words[2]), payload);
  }
}
