import type { HostileProgram } from "./hostile-program.js";

const TRY_ALL = `
def attempt(action):
    try:
        action()
    except BaseException:
        pass
`;

/** Looks into every file it can reach for the expected output, and prints what could be it. */
const SEARCH = `
import os
found = set()
for folder, _, files in os.walk("/"):
    for name in files:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read(1 << 16)
        except OSError:
            continue
        at = data.find(b"SECRET-")
        if at >= 0:
            found.add(data[at:at + 39].decode("latin1"))
print("\\n".join(sorted(found)))
`;

/** Programs in Python that try to get out, to stay, to take too much, or to be paid for nothing. */
export const PYTHON_PROGRAMS: readonly HostileProgram[] = [
  // Time and processor.
  { name: "endless loop", program: "while True: pass", want: "time-limit" },
  { name: "sleeps for ever", program: "import time\nwhile True: time.sleep(1000)", want: "time-limit" },
  { name: "huge power", program: "print(len(str(9 ** 9 ** 9)))" },
  { name: "regular expression bomb", program: 'import re\nre.match(r"(a+)+$", "a" * 40 + "b")', want: "time-limit" },
  {
    name: "waits for input that never comes",
    program: "import os\nr, w = os.pipe()\nos.read(r, 1)",
    want: "time-limit",
  },
  {
    name: "ignores every signal",
    program:
      "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nwhile True: pass",
    want: "time-limit",
  },
  { name: "compiles for ever", program: `x = ${"-".repeat(90_000)}1` },
  { name: "nests beyond the compiler", program: `${"(".repeat(5000)}1${")".repeat(5000)}`, want: "compile-error" },
  {
    name: "threads that never end",
    program:
      "import threading\nfor _ in range(8): threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()",
    want: "time-limit",
  },
  {
    name: "deadlock",
    program: "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    want: "time-limit",
  },
  // Memory and processes.
  { name: "memory at once", program: "x = bytearray(8 << 30)", want: "memory-limit" },
  { name: "memory bit by bit", program: "x = []\nwhile True: x.append(bytearray(1 << 20))", want: "memory-limit" },
  {
    name: "memory of many processes",
    program:
      "import os, time\nfor _ in range(20):\n  if os.fork() == 0:\n    x = bytearray(b'1' * (100 << 20))\n    time.sleep(60)\nwhile True: os.wait()",
  },
  { name: "fork bomb", program: "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass" },
  {
    name: "fork bomb that hides its errors",
    program:
      "import os\ndef grow():\n  while True:\n    try:\n      if os.fork() == 0: grow()\n    except OSError: pass\ngrow()",
  },
  {
    name: "thread bomb",
    program: "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1000,)).start()",
  },
  {
    name: "leaves daemons behind",
    program:
      "import os, time\nfor _ in range(10):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n      while True: time.sleep(1)\n    os._exit(0)\nprint(input())",
  },
  { name: "a child holds stdout", program: "import os, time\nif os.fork() == 0:\n  time.sleep(1000)\nprint('no')" },
  {
    name: "a child that writes later",
    program:
      "import os, time\nif os.fork() == 0:\n  os.setsid()\n  while True: os.write(1, b'SECRET-\\n'); time.sleep(0.01)\nos._exit(0)",
  },
  { name: "recursion without end", program: "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()" },
  {
    name: "recursion in C",
    program: "import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**6): x = [x]\nprint(repr(x)[:1])",
  },
  {
    name: "maps memory of its own",
    program:
      "import mmap\nwhile True:\n  m = mmap.mmap(-1, 64 << 20)\n  m.write(b'1' * (64 << 20))\n  globals().setdefault('k', []).append(m)",
    want: "memory-limit",
  },
  // Output and disk.
  { name: "output without end", program: "while True: print('y' * 1000)", want: "output-limit" },
  { name: "one endless line", program: "import sys\nwhile True: sys.stdout.write('y' * 65536)", want: "output-limit" },
  { name: "errors without end", program: "import sys\nwhile True: sys.stderr.write('y' * 65536)" },
  {
    name: "fills the disk",
    program: "i = 0\nwhile True:\n  with open(f'/box/{i}', 'wb') as f: f.write(b'x' * (8 << 20))\n  i += 1",
  },
  { name: "fills the inodes", program: "i = 0\nwhile True:\n  open(f'/box/{i}', 'w').close()\n  i += 1" },
  { name: "one enormous file", program: "with open('/box/f', 'wb') as f:\n  f.truncate(1 << 40)" },
  { name: "folders without bottom", program: "import os\nwhile True:\n  os.mkdir('d')\n  os.chdir('d')" },
  {
    name: "replaces its own streams by folders",
    program:
      "import os\nfor n in ('stdin', 'stdout', 'stderr'):\n  os.unlink('/io/' + n)\n  os.mkdir('/io/' + n)\nprint('no')",
  },
  // Signals.
  { name: "kills what watches it", program: "import os\nos.kill(os.getppid(), 9)", want: "wrong-answer" },
  { name: "stops what watches it", program: "import os\nos.kill(os.getppid(), 19)", want: "wrong-answer" },
  { name: "kills everything", program: "import os\nos.kill(-1, 9)" },
  {
    name: "kills process 1",
    program:
      "import os, time\nfor n in range(1, 65):\n  try: os.kill(1, n)\n  except OSError: pass\nprint('still here')",
    want: "wrong-answer",
  },
  { name: "kills its group", program: "import os\nos.killpg(0, 9)" },
  { name: "asks to be killed", program: "import os\nos.kill(os.getpid(), 11)", want: "runtime-error" },
  // Reading what is none of its business.
  { name: "reads /etc/passwd", program: "print(open('/etc/passwd').read())", want: "runtime-error" },
  {
    name: "reads the harness's files",
    program: (where) => `import os\nprint(os.listdir(${JSON.stringify(where.repository)}))`,
    want: "runtime-error",
  },
  {
    name: "reads a file next to the tests",
    program: (where) => `print(open(${JSON.stringify(where.secretFile)}).read())`,
    want: "runtime-error",
  },
  {
    name: "follows a link out",
    program: (where) =>
      `import os\nos.symlink(${JSON.stringify(where.secretFile)}, '/box/l')\nprint(open('/box/l').read())`,
    want: "runtime-error",
  },
  { name: "walks the whole disk for the answer", limitMs: 10_000, program: SEARCH },
  {
    name: "reads the environment",
    program: "import os\nprint(os.environ.get('TROUPE_HOSTILE_SECRET', 'none'))",
    want: "wrong-answer",
  },
  {
    name: "reads the memory of what watches it",
    program: "import os\nprint(open(f'/proc/{os.getppid()}/mem', 'rb').read(100))",
    want: "runtime-error",
  },
  {
    name: "looks for the answer in /proc",
    program: "import os\nfor p in os.listdir('/proc'): print(open(f'/proc/{p}/cmdline').read())",
    want: "runtime-error",
  },
  {
    name: "mounts a /proc",
    program:
      "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nos.mkdir('/box/p')\nprint(libc.mount(b'proc', b'/box/p', b'proc', 0, None), os.listdir('/box/p'))",
    want: "wrong-answer",
  },
  {
    name: "reads what the descriptors lead to",
    program:
      "import os\nfor n in range(3, 300):\n  try: print(os.read(n, 1000).decode())\n  except OSError: pass\nprint('none')",
    want: "wrong-answer",
  },
  {
    name: "writes to the descriptors",
    program:
      "import os\nfor n in range(3, 300):\n  try: os.write(n, b'done 1 0 0 0 7 0 0 7 0 0 7\\nSECRET-')\n  except OSError: pass\nprint('none')",
    want: "wrong-answer",
  },
  {
    name: "attaches to what watches it",
    program:
      "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())",
    want: "wrong-answer",
  },
  {
    name: "reads memory across processes",
    program:
      "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nbuf = ctypes.create_string_buffer(8)\nclass V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('l', ctypes.c_size_t)]\nl = V(ctypes.addressof(buf), 8)\nprint(libc.process_vm_readv(os.getppid(), ctypes.byref(l), 1, ctypes.byref(l), 1, 0), ctypes.get_errno())",
    want: "wrong-answer",
  },
  // Writing where it should not.
  {
    name: "writes into the system",
    program: `${TRY_ALL}\nimport os\nfor folder in ("/", "/usr/lib", "/guest", "/dev", "/lib"):\n  attempt(lambda: open(folder + "/troupe-hostile", "w").write("x"))\n  print(os.path.exists(folder + "/troupe-hostile"))`,
    want: "wrong-answer",
  },
  {
    name: "writes into the interpreter",
    program: "import json\nopen(json.__file__, 'a').write('x')",
    want: "runtime-error",
  },
  {
    name: "poisons compiled modules",
    program:
      "import os, json\nos.makedirs(os.path.dirname(json.__file__) + '/__pycache__', exist_ok=True)\nopen(os.path.dirname(json.__file__) + '/__pycache__/json.cpython-311.pyc', 'wb').write(b'x')",
    want: "runtime-error",
  },
  {
    name: "writes through a temporary folder",
    program: (where) => `open('/tmp/${where.mark}', 'w').write('x')\nprint(1)`,
    want: "wrong-answer",
  },
  // The surface of the kernel.
  {
    name: "connects to the harness by TCP",
    program: (where) => `import socket\nsocket.create_connection(("127.0.0.1", ${where.port}), 2).sendall(b"x")`,
    want: "runtime-error",
  },
  {
    name: "connects by an abstract socket",
    program: (where) => `import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect("\\0${where.mark}")`,
    want: "runtime-error",
  },
  {
    name: "opens a raw socket",
    program: "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    want: "runtime-error",
  },
  {
    name: "speaks to the machine below",
    program: "import socket\nsocket.socket(40, socket.SOCK_STREAM).connect((2, 1024))",
    want: "runtime-error",
  },
  {
    name: "fetches a page",
    program: "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1/').read())",
  },
  {
    name: "makes namespaces",
    program:
      "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint([libc.unshare(f) for f in (0x10000000, 0x20000000, 0x40000000, 0x00020000)])",
    want: "wrong-answer",
  },
  {
    name: "makes a device",
    program: "import os\nos.mknod('/box/d', 0o60666, os.makedev(8, 0))",
    want: "runtime-error",
  },
  { name: "changes its user", program: "import os\nos.setuid(0)", want: "runtime-error" },
  { name: "leaves its root", program: "import os\nos.chroot('/box')", want: "runtime-error" },
  {
    name: "leaves shared memory",
    program:
      "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.shmget(4242, 4096, 0o1666), libc.msgget(4242, 0o1666), libc.semget(4242, 1, 0o1666))",
    want: "wrong-answer",
  },
  {
    name: "leaves a key",
    program:
      "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.syscall(248, b'user', b'troupe', b'x', 1, -3))",
    want: "wrong-answer",
  },
  {
    name: "types into the terminal",
    program: "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSTI, b'x')",
    want: "runtime-error",
  },
  {
    name: "raises its limits",
    program: "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    want: "runtime-error",
  },
  {
    name: "raises the limits of what watches it",
    program: "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_AS, (-1, -1))",
    want: "runtime-error",
  },
  {
    name: "runs a shell",
    program: "import subprocess\nprint(subprocess.run(['sh', '-c', 'id'], capture_output=True).stdout)",
    want: "runtime-error",
  },
  {
    name: "runs what it wrote",
    program:
      "import os\nopen('/box/x', 'w').write('#!/usr/bin/env python3\\nprint(1)')\nos.chmod('/box/x', 0o755)\nos.execv('/box/x', ['x'])",
    want: "runtime-error",
  },
  {
    name: "loads a module into the kernel",
    program:
      "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint([libc.syscall(n, 0, 0, 0) for n in (175, 313, 321, 298, 323, 425, 246)])",
    want: "wrong-answer",
  },
  // Being paid for nothing.
  { name: "exits with success at once", program: "import sys\nsys.exit(0)", want: "wrong-answer" },
  { name: "exits past every handler", program: "import os\nos._exit(0)", want: "wrong-answer" },
  {
    name: "prints that it passed",
    program: 'print(\'PASSED\\nall tests passed\\n{"kind": "pass", "score": 1}\')',
    want: "wrong-answer",
  },
  { name: "prints a frame", program: "print('done 1 0 100 100 39 0 0 39 0 0 39')", want: "wrong-answer" },
  { name: "prints every number", program: "for i in range(100000): print(i)", want: "wrong-answer" },
  {
    name: "looks for the answer in its frames",
    program:
      "import sys, gc\nframe = sys._getframe()\nwhile frame:\n  print(frame.f_globals.keys(), frame.f_locals.keys())\n  frame = frame.f_back\nprint([o for o in gc.get_objects() if isinstance(o, str) and o.startswith('SECRET-')])",
    want: "wrong-answer",
  },
  {
    name: "looks for the answer in modules",
    program:
      "import sys\nfor m in list(sys.modules.values()):\n  for k, v in list(vars(m).items()):\n    if 'expected' in k.lower() or 'SECRET-' in repr(v)[:2000]: print(k, repr(v)[:100])",
  },
  {
    name: "patches what the guest uses",
    program:
      "import sys, posix, os\nposix.fstat = lambda *_: None\nposix.pread = lambda *_: b'SECRET-'\nposix.wait4 = None\nsys.modules['posix'] = None\nprint('no')",
    want: "wrong-answer",
  },
  {
    name: "prints the right thing for the wrong reason, then crashes",
    kind: "echo",
    program: "print(input())\nraise RuntimeError",
    want: "runtime-error",
  },
  {
    name: "is right, then hangs",
    kind: "echo",
    program: "print(input(), flush=True)\nwhile True: pass",
    want: "time-limit",
  },
  {
    name: "is right, then is killed",
    kind: "echo",
    program: "import os\nprint(input(), flush=True)\nos.kill(os.getpid(), 9)",
    want: "runtime-error",
  },
  {
    name: "is right, then says too much at the end",
    kind: "echo",
    program: "import atexit\natexit.register(lambda: print('x' * 100))\nprint(input())",
    want: "wrong-answer",
  },
  {
    name: "is right in the first test alone",
    kind: "echo",
    program:
      "import os\nline = input()\nseen = os.path.exists('/box/seen')\nopen('/box/seen', 'w').close()\nprint(line if not seen and line.endswith('0') else '')",
    want: "wrong-answer",
  },
  {
    name: "an object that equals everything",
    kind: "call",
    program:
      "class E:\n  def __eq__(self, other): return True\n  def __ne__(self, other): return False\ndef solve(x): return E()",
    want: "runtime-error",
  },
  {
    name: "a text that equals everything",
    kind: "call",
    program:
      "class E(str):\n  def __eq__(self, other): return True\n  __hash__ = str.__hash__\ndef solve(x): return E('a')",
    want: "runtime-error",
  },
  {
    name: "a number that is not one",
    kind: "call",
    program: "def solve(x): return float('nan')",
    want: "wrong-answer",
  },
  {
    name: "patches the codec",
    kind: "call",
    program:
      "import sys\ncodec = sys.modules.get('value_codec')\nif codec: codec.encode = lambda value: '\"SECRET-\"'\ndef solve(x): return x",
    want: "wrong-answer",
  },
  {
    name: "writes a result of its own and leaves",
    kind: "call",
    program:
      "import os\nfor n in range(3, 20):\n  try: os.write(n, b'\"SECRET-\"')\n  except OSError: pass\ndef solve(x): os._exit(0)",
    want: "wrong-answer",
  },
  {
    name: "prints instead of returning",
    kind: "call",
    program: "def solve(x):\n  print('SECRET-')",
    want: "wrong-answer",
  },
  {
    name: "a value nested without end",
    kind: "call",
    program: "def solve(x):\n  v = []\n  for _ in range(10**5): v = [v]\n  return v",
    want: "runtime-error",
  },
  {
    name: "a value that is its own part",
    kind: "call",
    program: "def solve(x):\n  v = []\n  v.append(v)\n  return v",
    want: "runtime-error",
  },
  { name: "an enormous value", kind: "call", program: "def solve(x): return 'y' * (3 << 20)", want: "output-limit" },
  // Honest ones, which must not be refused.
  { name: "honest: echo", kind: "echo", isHonest: true, program: "print(input())" },
  {
    name: "honest: much output",
    kind: "echo",
    isHonest: true,
    program: "import sys\nline = input()\nfor _ in range(10000): sys.stderr.write('note ' * 20)\nprint(line)",
  },
  {
    name: "honest: threads, processes and files",
    kind: "echo",
    isHonest: true,
    program:
      "import threading, os, tempfile\nline = input()\nwith tempfile.NamedTemporaryFile('w+') as f:\n  f.write(line)\n  f.seek(0)\n  box = []\n  t = threading.Thread(target=lambda: box.append(f.read()))\n  t.start()\n  t.join()\nr, w = os.pipe()\nif os.fork() == 0:\n  os.write(w, box[0].encode())\n  os._exit(0)\nos.wait()\nprint(os.read(r, 1000).decode())",
  },
  {
    name: "honest: asyncio and subprocess pipes",
    kind: "echo",
    isHonest: true,
    program:
      "import asyncio\nasync def main():\n  await asyncio.sleep(0)\n  return input()\nprint(asyncio.run(main()))",
  },
  {
    name: "honest: much memory",
    kind: "echo",
    isHonest: true,
    program: "x = bytearray(300 << 20)\nx[::4096] = b'1' * len(x[::4096])\nprint(input())",
  },
  { name: "honest: a function", kind: "call", isHonest: true, program: "def solve(x): return x" },
];
