"""Runs one untrusted program on one test after another: process 2 of a sandbox, and never anything else.

The interpreter starts ahead of time; a program is compiled once; each test runs in a fork of its own, so that no test
sees what another one left in memory. Frames on descriptor 3 come from the harness, frames on descriptor 4 go to it: a
line of words, the last of which is the number of bytes that follow.

    program <mode> <function name, or -> <length>     source          -> loaded ok 0 | loaded compile-error <length>
    test <nonce> <cpu seconds> <output cap> <length>  input           -> see report()

The input of mode "stdin" is what the program reads, of mode "function" the arguments as JSON, and of mode "calls" an
object {fn, args, kwargs}. In mode "asserts" the input is the source of a test, and the program what it builds on: it calls
functions of another sandbox, each call a frame "call <length>" that is answered by "return <length>".

Nothing that is worth stealing is ever in here: expected outputs stay with the harness, and so does the clock.
"""

import atexit
import gc
import posix
import sys

import resource

CONTROL, ANSWER = 3, 4
GUEST = sys.path[0]
# Where an exception inside the program shows: not in the lines of this file.
PROGRAM = "program.py"
FILES = ("stdin", "stdout", "stderr", "result")
# What programs written for judges that import everything take for granted, by the module that has it.
GRANTED = {
    "typing": "List Dict Set Tuple Optional Union Any Callable Iterable Iterator Deque DefaultDict".split(),
    "collections": "Counter OrderedDict defaultdict deque namedtuple".split(),
    "functools": "cache cmp_to_key lru_cache reduce".split(),
    "itertools": "accumulate chain combinations count cycle groupby pairwise permutations product repeat".split(),
    "heapq": "heapify heappop heappush heappushpop heapreplace nlargest nsmallest".split(),
    "bisect": "bisect_left bisect_right insort".split(),
    "math": "ceil comb floor gcd inf isqrt sqrt".split(),
}
MODULES = ("bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "random", "re", "string",
           "sys", "typing")


def main():
    # Process 2 of a namespace is never anybody else's process: settle() kills all that it may.
    if posix.getpid() != 2 or posix.getppid() != 1:
        sys.exit("Cannot run outside of a sandbox")
    sys.path.remove(GUEST)
    sys.setrecursionlimit(200_000)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    null = posix.open("/dev/null", posix.O_RDWR)
    posix.dup2(null, 2)
    posix.close(null)
    files = [posix.open("/io/" + name, posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
             for name in FILES]
    import _sitebuiltins
    import builtins

    # What the site module would have set up, which costs more than all the rest here.
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    answer("ready 0")
    program = None
    while True:
        words = read_line().split()
        if not words:
            posix._exit(0)
        payload = read_bytes(int(words[-1]))
        if words[0] == "program":
            program = load(words[1], words[2], payload.decode("utf-8", "surrogatepass"))
        else:
            run_test(program, int(words[1]), int(words[2]), int(words[3]), payload, files)


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        byte = posix.read(CONTROL, 1)
        if not byte:
            posix._exit(0)
        line += byte
    return line.decode()


def read_bytes(length):
    parts = []
    while length > 0:
        part = posix.read(CONTROL, min(length, 1 << 20))
        if not part:
            posix._exit(0)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def answer(line, *payloads):
    data = b"".join([line.encode(), b"\n", *payloads])
    while data:
        data = data[posix.write(ANSWER, data):]


def load(mode, name, source):
    """Compiles a program, and readies the interpreter for forks that share its memory."""
    try:
        code = compile(source, PROGRAM, "exec", dont_inherit=True)
    except BaseException as error:
        text = one_line(error).encode("utf-8", "backslashreplace")
        answer("loaded compile-error %d" % len(text), text)
        return None
    names = {}
    if mode != "stdin":
        sys.path.insert(0, GUEST)
        import value_codec

        sys.path.remove(GUEST)
        names = granted(code) if mode != "asserts" else {}
    gc.collect()
    gc.freeze()
    answer("loaded ok 0")
    return mode, name, code, names


def granted(code):
    """The names that a program uses without a definition, of those that it may take for granted."""
    used = names_in(code)
    found = {}
    for module in MODULES:
        if module in used:
            found[module] = __import__(module)
    for module, names in GRANTED.items():
        for name in used.intersection(names):
            found[name] = getattr(__import__(module), name)
    return found


def names_in(code):
    used = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            used |= names_in(constant)
    return used


def one_line(error):
    place = " at line %s" % error.lineno if isinstance(error, SyntaxError) and error.lineno else ""
    return ("%s: %s%s" % (type(error).__name__, getattr(error, "msg", None) or error, place))[:500]


def run_test(program, nonce, cpu_seconds, cap, payload, files):
    # Arguments travel in memory: a function's stdin is empty.
    is_read = program is not None and program[0] == "stdin"
    for file, content in zip(files, (payload if is_read else b"", b"", b"", b"")):
        posix.ftruncate(file, 0)
        posix.lseek(file, 0, 0)
        while content:
            content = content[posix.write(file, content):]
    posix.lseek(files[0], 0, 0)
    child = posix.fork()
    if child == 0:
        run_child(program, cpu_seconds, payload, files)
    _, status, usage = posix.wait4(child, 0)
    settle()
    report(nonce, status, usage, cap, files)


def settle():
    """Ends whatever a test left running, and empties its folders."""
    try:
        while True:
            posix.kill(-1, 9)
            try:
                while posix.waitpid(-1, posix.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
            posix.sched_yield()
    except ProcessLookupError:
        pass
    for folder in ("/box", "/io"):
        for name in posix.listdir(folder):
            if folder == "/io" and name in FILES:
                continue
            remove(folder + "/" + name, 0)


def remove(path, depth):
    try:
        posix.unlink(path)
    except OSError:
        try:
            posix.chmod(path, 0o700)
            if depth < 100:
                for name in posix.listdir(path):
                    remove(path + "/" + name, depth + 1)
            posix.rmdir(path)
        except OSError:
            # Too deep for this: the harness takes another sandbox for the next test.
            posix._exit(3)


def report(nonce, status, usage, cap, files):
    """done <nonce> <exit code, or minus the signal> <cpu us> <peak KiB> <bytes written to stdout, stderr, result> <bytes
    sent of each> <all bytes sent>"""
    written = [posix.fstat(file).st_size for file in files[1:]]
    sent = [posix.pread(files[1], min(written[0], cap), 0),
            posix.pread(files[2], 4096, max(0, written[1] - 4096)),
            posix.pread(files[3], min(written[2], cap), 0)]
    code = posix.WEXITSTATUS(status) if posix.WIFEXITED(status) else -posix.WTERMSIG(status)
    cpu = int((usage.ru_utime + usage.ru_stime) * 1e6)
    lengths = [len(part) for part in sent]
    numbers = (nonce, code, cpu, usage.ru_maxrss, *written, *lengths, sum(lengths))
    answer("done " + " ".join(map(str, numbers)), *sent)


def run_child(program, cpu_seconds, payload, files):
    """One test, from a fresh copy of the interpreter to its exit code. Never returns."""
    code = 1
    try:
        for number, file in enumerate(files[:3]):
            posix.dup2(file, number)
        mode, name, body, names = program
        if mode != "asserts":
            posix.close(CONTROL)
            posix.close(ANSWER)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
        sys.stdin = sys.__stdin__ = open(0, "r", closefd=False)
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
        sys.stderr = sys.__stderr__ = open(2, "w", errors="backslashreplace", closefd=False)
        module = type(sys)("__main__" if mode == "stdin" else "program")
        module.__dict__.update(names)
        sys.modules[module.__name__] = module
        sys.argv = [PROGRAM]
        gc.enable()
        exec(body, module.__dict__)
        if mode == "asserts":
            run_asserts(module, name, payload.decode())
        elif mode != "stdin":
            call(module, name, payload, files[3])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if code == 1 and error.code != 1:
            print(error.code, file=sys.stderr)
    except BaseException as error:
        sys.__excepthook__(type(error), error, error.__traceback__)
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        code = code or 1
    posix._exit(code & 0xFF)


def call(module, name, payload, result):
    """Calls a function, or the method of a class Solution, and writes what it returns as a value of built-in types."""
    codec = sys.modules["value_codec"]
    arguments = codec.decode(payload.decode())
    keywords = {}
    is_call = name == "*"
    if is_call:
        name, arguments, keywords = arguments["fn"], arguments["args"], arguments["kwargs"]
    solution = module.__dict__.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        function = getattr(solution(), name)
    elif name in module.__dict__:
        function = module.__dict__[name]
    else:
        raise NameError("the program defines no function %r" % name)
    value = function(*arguments, **keywords)
    try:
        data = codec.encode(value).encode()
    except codec.NotPlain:
        if not is_call:
            raise
        data = codec.encode_opaque(value).encode()
    while data:
        data = data[posix.write(result, data):]


def run_asserts(module, function, source):
    """Runs a test. Names that nobody defines stand for functions of the program, which is in another sandbox."""
    code = compile(source, "test.py", "exec", dont_inherit=True)
    import builtins

    for name in names_in(code):
        if name not in module.__dict__ and not hasattr(builtins, name):
            module.__dict__[name] = Solution if name == "Solution" else Remote(name)
    module.__dict__["candidate"] = module.__dict__[function] = Remote(function)
    exec(code, module.__dict__)


class Remote:
    """A function that runs elsewhere."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *arguments, **keywords):
        codec = sys.modules["value_codec"]
        data = codec.encode({"fn": self.name, "args": list(arguments), "kwargs": keywords}).encode()
        answer("call %d" % len(data), data)
        reply = codec.decode(read_bytes(int(read_line().split()[-1])).decode())
        if "value" in reply:
            return reply["value"]
        import builtins

        kind, _, says = reply["error"].partition(": ")
        error = getattr(builtins, kind, None)
        raise (error if isinstance(error, type) and issubclass(error, Exception) else RuntimeError)(says or kind)


class Solution:
    """An object whose methods run elsewhere."""

    def __getattr__(self, name):
        return Remote(name)


main()
