"""Starts guests as forks of one warm interpreter, each behind the boundary before it is told anything.

    python3 fork_server.py LIBRARY, then what native/fork-server.cc says

No untrusted byte reaches this process: it obeys the harness alone, and what it forks never comes back.
"""

import ctypes
import gc
import sys

# What programs import most is paid for once.
import bisect, collections, copy, functools, heapq, itertools, json, math, operator, random, re, string, typing  # noqa: E401,F401

import python_guest


def serve():
    # The lock of the interpreter is held all the while, so that guests start with it.
    library = ctypes.PyDLL(sys.argv[1])
    words = [word.encode() for word in sys.argv[1:]]
    arguments = (ctypes.c_char_p * len(words))(*words)
    gc.collect()
    gc.freeze()
    library.troupe_serve(len(words), arguments)


serve()
python_guest.main()
