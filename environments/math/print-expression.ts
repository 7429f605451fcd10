import { substituted, type Expression } from "./expression.js";

/** How tightly a notation binds: a part that binds less than its surroundings gets brackets. */
const BINDS = { list: 0, relation: 1, region: 2, sum: 3, product: 4, power: 5, atom: 6 } as const;

/**
 * An expression in plain notation, for people: "(x + 1)^2", "[0, 1) ∪ {5}". The parser reads it back as something equal.
 *
 * @example
 * printExpression({ kind: "sum", terms: [{ kind: "symbol", name: "x" }, { kind: "constant", name: "pi" }] }); // "x + pi"
 */
export function printExpression(node: Expression): string {
  return print(node, BINDS.list);
}

function print(node: Expression, within: number): string {
  const [text, binds] = written(node);
  return binds < within ? `(${text})` : text;
}

function written(node: Expression): readonly [text: string, binds: number] {
  const list = (items: readonly Expression[]) => items.map((item) => print(item, BINDS.relation)).join(", ");
  switch (node.kind) {
    case "number": {
      const { numerator, denominator } = node.value;
      const isWhole = denominator === 1n;
      const binds = numerator < 0n ? BINDS.sum : isWhole ? BINDS.atom : BINDS.product;
      return [isWhole ? short(numerator) : `${short(numerator)}/${short(denominator)}`, binds];
    }
    case "constant":
      return [node.name, BINDS.atom];
    case "symbol":
      return [node.name, BINDS.atom];
    case "text":
      return [`\\text{${node.words}}`, BINDS.atom];
    case "based":
      return [`${node.digits}_${node.base}`, BINDS.atom];
    case "sum":
      return [node.terms.map((term) => print(term, BINDS.product)).join(" + "), BINDS.sum];
    case "product":
      return [node.factors.map((factor) => print(factor, BINDS.power)).join(" * "), BINDS.product];
    case "quotient":
      return [`${print(node.over, BINDS.power)} / ${print(node.under, BINDS.power)}`, BINDS.product];
    case "power":
      return [`${print(node.base, BINDS.atom)}^{${print(node.exponent, BINDS.list)}}`, BINDS.power];
    case "root": {
      const degree = print(node.degree, BINDS.list);
      return [`\\sqrt${degree === "2" ? "" : `[${degree}]`}{${print(node.radicand, BINDS.list)}}`, BINDS.atom];
    }
    case "plus-minus":
      return [`${node.upperSign === 1 ? "±" : "∓"} ${print(node.term, BINDS.product)}`, BINDS.sum];
    case "call":
      return called(node.name, node.inputs);
    case "quantity":
      return [`${print(node.value, BINDS.atom)} ${/[a-z]/i.test(node.unit) ? `\\text{${node.unit}}` : node.unit}`, 4];
    case "ratio":
      return [node.items.map((item) => print(item, BINDS.power)).join(" : "), BINDS.sum];
    case "list":
      return [list(node.items), BINDS.list];
    case "tuple":
      return [`${node.open}${list(node.items)}${node.close}`, BINDS.atom];
    case "set":
      return [`\\{${list(node.items)}\\}`, BINDS.atom];
    case "union":
      return [node.parts.map((part) => print(part, BINDS.sum)).join(" ∪ "), BINDS.region];
    case "intersection":
      return [node.parts.map((part) => print(part, BINDS.sum)).join(" ∩ "), BINDS.region];
    case "congruence": {
      const of = node.of === undefined ? "" : `${print(node.of, BINDS.sum)} ≡ `;
      return [`${of}${print(node.value, BINDS.sum)} (mod ${print(node.modulus, BINDS.sum)})`, BINDS.relation];
    }
    case "series":
      return [seriesText(node), BINDS.product];
    case "difference":
      return [`${print(node.from, BINDS.sum)} ∖ ${print(node.without, BINDS.sum)}`, BINDS.region];
    case "matrix":
      return [
        `\\begin{pmatrix}${node.rows.map((row) => row.map((entry) => print(entry, BINDS.relation)).join(" & ")).join(" \\\\ ")}\\end{pmatrix}`,
        BINDS.atom,
      ];
    case "relation":
      return [
        node.sides.map((side, i) => `${print(side, BINDS.region)} ${node.operators[i] ?? ""}`.trim()).join(" "),
        BINDS.relation,
      ];
  }
}

const SIGNS = { sum: "\\sum", product: "\\prod", integral: "\\int", limit: "\\lim" } as const;

/** Bound variables are called k1, k2 and so on. */
function seriesText({ operator, variable, from, to, body }: Extract<Expression, { readonly kind: "series" }>): string {
  const name = `k_${variable.slice(1)}`;
  const [low, high, inner] = [from, to, substituted(body, variable, { kind: "symbol", name })].map(
    (part) => part && print(part, BINDS.list),
  );
  const above = high === undefined ? "" : `^{${high}}`;
  if (operator === "integral") return `\\int${low === undefined ? "" : `_{${low}}`}${above} (${inner}) d ${name}`;
  return `${SIGNS[operator]}_{${name} ${operator === "limit" ? "\\to" : "="} ${low}}${above} (${inner})`;
}

function called(name: string, inputs: readonly Expression[]): readonly [string, number] {
  const [first, second] = inputs.map((input) => print(input, BINDS.list));
  if (name === "factorial") return [`(${first})!`, BINDS.power];
  if (name === "binomial") return [`\\binom{${first}}{${second}}`, BINDS.atom];
  if (name === "floor") return [`⌊${first}⌋`, BINDS.atom];
  if (name === "ceil") return [`⌈${first}⌉`, BINDS.atom];
  if (name === "log" && second !== undefined) return [`\\log_{${second}}(${first})`, BINDS.atom];
  return [`${name}(${first})`, BINDS.atom];
}

/** An integer; the middle of one that nobody reads to its end is left out. */
function short(value: bigint): string {
  const digits = String(value);
  return digits.length <= 60 ? digits : `${digits.slice(0, 24)}…${digits.slice(-24)}`;
}
