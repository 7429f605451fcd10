"""Values of built-in types as JSON, exactly: 1 and 1.0 stay apart, tuples, sets and keys that are no text are tagged.

    (1, 2)   {"$": "tuple", "v": [1, 2]}        {1: 2}   {"$": "dict", "v": [[1, 2]]}
    {1, 2}   {"$": "set", "v": [1, 2]}          nan      {"$": "float", "v": "nan"}
    b"a"     {"$": "bytes", "v": [97]}          1j       {"$": "complex", "v": [0.0, 1.0]}

Only the built-in types themselves will do: a subclass could be equal to everything.
"""

import json
from math import isfinite

PLAIN = (str, bool, int, type(None))
SEQUENCES = {tuple: "tuple", set: "set", frozenset: "set", bytes: "bytes", bytearray: "bytes"}
DEEPEST = 1000


class NotPlain(TypeError):
    """A value that is of no built-in type."""


def encode(value):
    return json.dumps(pack(value, 0), ensure_ascii=True, allow_nan=False)


def encode_opaque(value):
    """A value of which a test may only ask whether it is true: a match, a generator. It is equal to nothing."""
    return json.dumps({"$": "opaque", "v": [bool(value)]})


class Opaque:
    def __init__(self, truth):
        self.truth = truth

    def __bool__(self):
        return self.truth

    def __eq__(self, other):
        return False

    __hash__ = None


def pack(value, depth):
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth > DEEPEST:
        raise NotPlain("a value is nested too deeply")
    if kind is float:
        return value if isfinite(value) else {"$": "float", "v": repr(value)}
    if kind is list:
        return [pack(item, depth + 1) for item in value]
    if kind in SEQUENCES:
        return {"$": SEQUENCES[kind], "v": [pack(item, depth + 1) for item in value]}
    if kind is dict:
        if "$" not in value and all(type(key) is str for key in value):
            return {key: pack(item, depth + 1) for key, item in value.items()}
        return {"$": "dict", "v": [[pack(key, depth + 1), pack(item, depth + 1)] for key, item in value.items()]}
    if kind is complex:
        return {"$": "complex", "v": [pack(value.real, 0), pack(value.imag, 0)]}
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return pack(value.tolist(), depth)
    if kind.__module__ == "collections" and isinstance(value, (dict, list)):
        return pack(dict(value), depth)
    if kind.__module__ == "collections" and kind.__name__ == "deque":
        return pack(list(value), depth)
    raise NotPlain("a value of type %s.%s is no value of a built-in type" % (kind.__module__, kind.__qualname__))


def decode(text):
    return unpack(json.loads(text))


def unpack(value):
    if type(value) is list:
        return [unpack(item) for item in value]
    if type(value) is not dict:
        return value
    if "$" not in value:
        return {key: unpack(item) for key, item in value.items()}
    kind, inner = value["$"], value["v"]
    if kind == "float":
        return float(inner)
    if kind == "dict":
        return {unpack(key): unpack(item) for key, item in inner}
    items = [unpack(item) for item in inner]
    if kind == "opaque":
        return Opaque(items[0])
    return {"tuple": tuple, "set": set, "bytes": bytes, "complex": lambda both: complex(*both)}[kind](items)
