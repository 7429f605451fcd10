"""The Python half of the Pyodide guest: it is part of every memory that a test starts from, and runs in no other place."""

import posix
import sys

import judged_program

# What programs import most lies in the memory already.
import bisect, collections, copy, datetime, decimal, fractions, functools, heapq, io, itertools, json, math  # noqa: E401
import operator, os, random, re, statistics, string, textwrap, threading, time, traceback, typing  # noqa: E401
import _thread

CALLS = "/dev/calls"
loaded = None


def no_threads(*_arguments, **_keywords):
    raise RuntimeError("can't start new thread: this sandbox, Python in WebAssembly, has none")


def close_ways_out():
    """Takes out what reaches for JavaScript. The walls are elsewhere: this only makes the message short."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("_pyodide")]
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("js", "pyodide_js", "pyodide", "_pyodide", "_pyodide_core"):
            del sys.modules[name]
    _thread.start_new_thread = _thread.start_joinable_thread = no_threads
    threading._start_joinable_thread = no_threads
    judged_program.open_streams()
    sys.setrecursionlimit(200_000)
    sys.set_int_max_str_digits(0)
    sys.dont_write_bytecode = True


def load(mode, name):
    global loaded
    with open("/io/program", encoding="utf-8", errors="surrogatepass") as file:
        source = file.read()
    try:
        loaded = judged_program.read_program(mode, name, source)
    except judged_program.Broken as error:
        with open("/io/result", "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(str(error))


def run():
    payload = b""
    if loaded[0] != "stdin":
        with open("/io/payload", "rb") as file:
            payload = file.read()
    code = judged_program.execute(loaded, payload, keep, ask)
    with open("/io/code", "w") as file:
        file.write(str(code))


def keep(data):
    with open("/io/result", "wb") as file:
        file.write(data)


def ask(data):
    """Carries a call to the sandbox where the function lies: one write, one read of what came back."""
    calls = posix.open(CALLS, posix.O_RDWR)
    posix.write(calls, data)
    parts = []
    while part := posix.read(calls, 1 << 16):
        parts.append(part)
    posix.close(calls)
    return b"".join(parts)
