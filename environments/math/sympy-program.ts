/**
 * What the Python process runs. It is handed trees, never text: nothing is parsed or evaluated, and a node of an unknown
 * kind ends the question undecided. One JSON line in, one out.
 */
export const SYMPY_PROGRAM = `
import json, sys
import sympy as S

FUNCTIONS = {"sin": S.sin, "cos": S.cos, "tan": S.tan, "cot": S.cot, "sec": S.sec, "csc": S.csc, "arcsin": S.asin,
             "arccos": S.acos, "arctan": S.atan, "sinh": S.sinh, "cosh": S.cosh, "tanh": S.tanh, "ln": S.log,
             "exp": S.exp, "abs": S.Abs, "floor": S.floor, "ceil": S.ceiling, "factorial": S.factorial,
             "binomial": S.binomial}
CONSTANTS = {"pi": S.pi, "e": S.E, "i": S.I, "infinity": S.oo}

class Unknown(Exception):
    pass

def build(node):
    kind = node["kind"]
    if kind == "number":
        return S.Rational(int(node["value"]["numerator"]), int(node["value"]["denominator"]))
    if kind == "constant":
        return CONSTANTS[node["name"]]
    if kind == "symbol":
        return S.Symbol(node["name"])
    if kind == "sum":
        return S.Add(*map(build, node["terms"]))
    if kind == "product":
        return S.Mul(*map(build, node["factors"]))
    if kind == "quotient":
        return build(node["over"]) / build(node["under"])
    if kind == "power":
        return build(node["base"]) ** build(node["exponent"])
    if kind == "root":
        return S.root(build(node["radicand"]), build(node["degree"]))
    if kind == "call":
        inputs = [build(one) for one in node["inputs"]]
        if node["name"] == "log":
            return S.log(inputs[0], inputs[1] if len(inputs) > 1 else 10)
        if node["name"] not in FUNCTIONS:
            raise Unknown(node["name"])
        return FUNCTIONS[node["name"]](*inputs)
    if kind == "quantity" and node["unit"] in ("%", "°"):
        return build(node["value"]) * (S.Rational(1, 100) if node["unit"] == "%" else S.pi / 180)
    if kind == "series":
        return series(node)
    raise Unknown(kind)

def series(node):
    variable, body = S.Symbol(node["variable"]), build(node["body"])
    low, high = (build(node[end]) if end in node else None for end in ("from", "to"))
    if node["operator"] == "limit":
        return S.limit(body, variable, low)
    if low is None or high is None:
        raise Unknown("bounds")
    if node["operator"] == "integral":
        return S.integrate(body, (variable, low, high))
    return (S.summation if node["operator"] == "sum" else S.product)(body, (variable, low, high))

def same(gold, answer):
    difference = S.simplify(build(gold) - build(answer))
    if difference == 0 or difference.equals(0):
        return True
    return False if difference.is_number or difference.is_zero is False else None

print(json.dumps({"sympy": S.__version__}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    try:
        print(json.dumps({"same": same(question["gold"], question["answer"])}), flush=True)
    except Exception as problem:
        print(json.dumps({"same": None, "problem": type(problem).__name__}), flush=True)
`;
