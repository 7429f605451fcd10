import { add, divide, multiply, rational, rationalOfDecimal, type Rational } from "../math/rational.js";

/** One of the four operations, as it is written. */
export type Operation = "+" | "-" | "*" | "/";

/** A calculation with whole numbers. */
export type Expression =
  | { readonly number: string }
  | { readonly operation: Operation; readonly left: Expression; readonly right: Expression };

const OPERATIONS: Readonly<Record<Operation, (left: Rational, right: Rational) => Rational | undefined>> = {
  "+": add,
  "-": (left, right) => add(left, { ...right, numerator: -right.numerator }),
  "*": multiply,
  "/": divide,
};

/** The exact value; undefined where something is divided by 0. */
export function valueOf(expression: Expression): Rational | undefined {
  if ("number" in expression) return rationalOfDecimal(expression.number);
  const [left, right] = [valueOf(expression.left), valueOf(expression.right)];
  return left && right && OPERATIONS[expression.operation](left, right);
}

/** Every number that stands in it, from left to right, without leading zeros. */
export function numbersOf(expression: Expression): string[] {
  if ("number" in expression) return [expression.number.replace(/^0+(?=\d)/, "")];
  return [...numbersOf(expression.left), ...numbersOf(expression.right)];
}

/** How it is written, parentheses around every inner calculation: "(3+5)*7". */
export function textOf(expression: Expression): string {
  if ("number" in expression) return expression.number;
  const inner = (part: Expression): string => ("number" in part ? part.number : `(${textOf(part)})`);
  return `${inner(expression.left)}${expression.operation}${inner(expression.right)}`;
}

/** How an exact value is written: "56", "7/2". */
export function rationalText({ numerator, denominator }: Rational): string {
  const { numerator: over, denominator: under } = rational(numerator, denominator);
  return over % under === 0n ? String(over / under) : `${over}/${under}`;
}

/** LaTeX and typographic signs → plain ones. */
const PLAIN: readonly (readonly [RegExp, string])[] = [
  [/\\left|\\right|\\[,;:! ]|\$/g, " "],
  [/\\times(?![a-zA-Z])|\\cdot(?![a-zA-Z])|×|·/g, "*"],
  [/\\div(?![a-zA-Z])|÷/g, "/"],
  [/[−–]/g, "-"],
];

/**
 * Reads a calculation with the usual precedence, from left to right; LaTeX's signs and `\frac{}{}` may be in it, signs of
 * numbers and left-out multiplication may not. Undefined when it is none.
 *
 * The depth of what is parsed lies below the length of the text, which the caller bounds.
 */
export function parseExpression(text: string): Expression | undefined {
  const plain = PLAIN.reduce((partly, [pattern, sign]) => partly.replace(pattern, sign), text);
  const tokens = plain.match(/\d+|\\[dt]?frac(?![a-zA-Z])|\S/g) ?? [];
  let next = 0;
  const take = (token: string): boolean => tokens[next] === token && ++next > 0;
  const chain = (operations: readonly string[], part: () => Expression | undefined): Expression | undefined => {
    let left = part();
    while (left !== undefined && operations.includes(tokens[next] ?? "")) {
      // The line above let only operations through.
      const operation = tokens[next++] as Operation;
      const right = part();
      left = right && { operation, left, right };
    }
    return left;
  };
  const between = (open: string, close: string): Expression | undefined => {
    const expression = take(open) ? sum() : undefined;
    return take(close) ? expression : undefined;
  };
  const factor = (): Expression | undefined => {
    const token = tokens[next] ?? "";
    if (/^\d/.test(token)) return { number: tokens[next++] ?? "" };
    if (token === "(") return between("(", ")");
    if (!token.endsWith("frac")) return undefined;
    next++;
    const left = between("{", "}");
    const right = between("{", "}");
    return left && right && { operation: "/", left, right };
  };
  const sum = (): Expression | undefined => chain(["+", "-"], () => chain(["*", "/"], factor));
  const expression = sum();
  return next === tokens.length ? expression : undefined;
}
