"""Compiles one untrusted program and runs one test of it, in whatever interpreter: the guests of tier A and B share it.

What a test prints lies in descriptors 0 to 2, what a function returns in the file that execute() is given. In mode
"asserts" the test is a program itself, which calls functions that lie in another sandbox: `ask` carries those calls.
"""

import gc
import sys

import value_codec

# Where an exception inside the program shows: not in the lines of this file.
PROGRAM = "program.py"
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


class Broken(Exception):
    """A source that cannot be compiled; its text says why."""


def read_program(mode, name, source):
    """Compiles a program, and readies the interpreter for many tests that start from here."""
    try:
        code = compile(source, PROGRAM, "exec", dont_inherit=True)
    except BaseException as error:
        raise Broken(one_line(error)) from None
    names = granted(code) if mode not in ("stdin", "asserts") else {}
    gc.collect()
    gc.freeze()
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


def open_streams():
    """Lays the streams of tests over descriptors 0 to 2, once for all tests: each has a fresh copy of them."""
    sys.stdin = sys.__stdin__ = open(0, "r", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = open(2, "w", errors="backslashreplace", closefd=False)


def execute(program, payload, keep, ask):
    """One test, to its exit code.

    keep(data) takes the encoded result of a call; ask(data) carries a call to another sandbox and returns its answer.
    """
    import atexit

    code = 1
    mode, name, body, names = program
    try:
        module = type(sys)("__main__" if mode == "stdin" else "program")
        module.__dict__.update(names)
        sys.modules[module.__name__] = module
        sys.argv = [PROGRAM]
        gc.enable()
        exec(body, module.__dict__)
        if mode == "asserts":
            run_asserts(module, name, payload.decode(), ask)
        elif mode != "stdin":
            call(module, name, payload, keep)
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
    return code & 0xFF


def call(module, name, payload, keep):
    """Calls a function, or the method of a class Solution, and keeps what it returns as a value of built-in types."""
    arguments = value_codec.decode(payload.decode())
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
        keep(value_codec.encode(value).encode())
    except value_codec.NotPlain:
        if not is_call:
            raise
        keep(value_codec.encode_opaque(value).encode())


def run_asserts(module, function, source, ask):
    """Runs a test. Names that nobody defines stand for functions of the program, which is in another sandbox."""
    import builtins

    code = compile(source, "test.py", "exec", dont_inherit=True)
    for name in names_in(code):
        if name not in module.__dict__ and not hasattr(builtins, name):
            module.__dict__[name] = Solution(ask) if name == "Solution" else Remote(name, ask)
    module.__dict__["candidate"] = module.__dict__[function] = Remote(function, ask)
    exec(code, module.__dict__)


class Remote:
    """A function that runs elsewhere."""

    def __init__(self, name, ask):
        self.name = name
        self.ask = ask

    def __call__(self, *arguments, **keywords):
        import builtins

        data = value_codec.encode({"fn": self.name, "args": list(arguments), "kwargs": keywords}).encode()
        reply = value_codec.decode(self.ask(data).decode())
        if "value" in reply:
            return reply["value"]
        kind, _, says = reply["error"].partition(": ")
        error = getattr(builtins, kind, None)
        raise (error if isinstance(error, type) and issubclass(error, Exception) else RuntimeError)(says or kind)


class Solution:
    """A class whose objects have methods that run elsewhere."""

    def __init__(self, ask):
        self._ask = ask

    def __call__(self):
        return self

    def __getattr__(self, name):
        return Remote(name, self._ask)
