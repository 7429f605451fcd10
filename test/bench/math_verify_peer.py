"""Judges cases from stdin, a JSON list of {gold, answer}, with Math-Verify; prints what it accepts and how long each took."""

import json
import logging
import sys
import time
from importlib.metadata import version

from math_verify import parse, verify

logging.disable(logging.CRITICAL)


def accepts(case):
    # The library asks for golds between delimiters, and finds an answer in its box.
    gold = parse("$" + case["gold"] + "$")
    return bool(verify(gold, parse("So it is $\\boxed{" + case["answer"] + "}$.")))


def main():
    cases = json.load(sys.stdin)
    accepts({"gold": "1", "answer": "1"})
    accepted, times = [], []
    for case in cases:
        start = time.perf_counter()
        try:
            accepted.append(accepts(case))
        except Exception:
            accepted.append(False)
        times.append(1000 * (time.perf_counter() - start))
    json.dump({"version": version("math-verify"), "accepted": accepted, "ms": times}, sys.stdout)


main()
