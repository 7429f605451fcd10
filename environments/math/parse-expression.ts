// One grammar in one file: its rules call each other in a circle, so that a split would only scatter them.
import { errors } from "../errors.js";
import {
  childrenOf,
  substituted,
  type ConstantName,
  type Expression,
  type FunctionName,
  type NumberNode,
  type RelationOperator,
} from "./expression.js";
import { determinant } from "./matrix-arithmetic.js";
import { divide, multiply, rational } from "./rational.js";
import { numberOf } from "./read-number.js";
import { withoutDots } from "./sequence.js";
import { tokenize, type Token } from "./tokenize.js";
import { canonicalWords, INVERSES, isMathWord, NUMBER_WORDS, RELATIONS } from "./vocabulary.js";
import { unitScale } from "./unit-scales.js";
import { unitOf } from "./units.js";
import { SIZE_LIMITS, type WorkBudget } from "./work-budget.js";

/**
 * Every sensible reading of an answer; more than one only where "1,234" may be a number or a list of two.
 *
 * @throws MATH_UNPARSABLE, MATH_WORK_EXCEEDED
 * @example
 * parseExpression("\\frac{1}{2}", new WorkBudget()); // [{ kind: "quotient", over: 1, under: 2 }], numbers in short
 */
export function parseExpression(source: string, budget: WorkBudget): readonly Expression[] {
  const spelled = NUMBER_WORDS.indexOf(source.trim().toLowerCase());
  if (spelled >= 0) return [{ kind: "number", value: rational(BigInt(spelled)) }];
  if (isWords(source)) return [textOf(source)];
  const first = tokenize(source, true);
  const readings = [new Parser(first.tokens, budget).parse()];
  if (first.hasJoinedCommas) readings.push(new Parser(tokenize(source, false).tokens, budget).parse());
  return readings;
}

const MINUS_ONE: NumberNode = { kind: "number", value: rational(-1n) };
const INFINITY: Expression = { kind: "constant", name: "infinity" };
const REAL_LINE: Expression = {
  kind: "tuple",
  open: "(",
  close: ")",
  items: [{ kind: "product", factors: [MINUS_ONE, INFINITY] }, INFINITY],
};
const CLOSERS: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["\\{", "\\}"],
  ["{", "}"],
]);
const END: Token = { type: "mark", value: "end of text", at: -1 };

/**
 * list := relation (("," | ";") relation)*           relation := region (("=" | "<" | …) region)*
 * region := sum (("∪" | "∖") sum)*                   sum := ["+" | "-" | "±"] term (("+" | "-" | "±") term)*
 * term := power (("*" | "/" | ":" | nothing) power | unit)*   power := primary "!"* ["^" power]
 */
class Parser {
  /** A copy: reading "\\frac12" splits a token in place. */
  readonly #tokens: Token[];
  readonly #budget: WorkBudget;
  #next = 0;
  #depth = 0;
  /** Bars and set braces that are open, innermost last: there a "|" closes or divides and does not open. */
  readonly #open: string[] = [];

  constructor(tokens: readonly Token[], budget: WorkBudget) {
    this.#tokens = [...tokens];
    this.#budget = budget;
  }

  parse(): Expression {
    const expression = this.#list();
    if (this.#next < this.#tokens.length) throw this.#unexpected();
    return expression;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? END;
  }

  #isMark(...values: readonly string[]): boolean {
    return this.#token.type === "mark" && values.includes(this.#token.value);
  }

  #accept(value: string): boolean {
    if (!this.#isMark(value)) return false;
    this.#next++;
    return true;
  }

  #expect(value: string): void {
    if (!this.#accept(value)) throw this.#unexpected();
  }

  #unexpected(): Error {
    const { value, at } = this.#token;
    return errors.mathUnparsable({ found: `"${value}"`, position: at < 0 ? (this.#tokens.at(-1)?.at ?? 0) + 1 : at });
  }

  /** Runs a rule one level deeper, within the limit of nesting. */
  #nested<Result>(rule: () => Result): Result {
    if (++this.#depth > SIZE_LIMITS.depth)
      throw errors.mathWorkExceeded({ what: "it nests too deeply", limit: SIZE_LIMITS.depth });
    this.#budget.spend(4);
    const result = rule();
    this.#depth--;
    return result;
  }

  #list(): Expression {
    const items = withoutDots(this.#items(), this.#budget);
    return items.length === 1 && items[0] !== undefined ? items[0] : { kind: "list", items };
  }

  #items(): Expression[] {
    const items = [this.#relation()];
    while (this.#accept(",") || this.#accept(";")) {
      // "1, 2, and 3" has two separators in a row; an answer may also end in one.
      while (this.#accept(",")) continue;
      if (this.#next >= this.#tokens.length) break;
      items.push(this.#relation());
      if (items.length > SIZE_LIMITS.items)
        throw errors.mathWorkExceeded({ what: "it has too many items", limit: SIZE_LIMITS.items });
    }
    return items;
  }

  #relation(): Expression {
    // "≈ 50" says no more than 50.
    this.#accept("≈");
    const sides = [this.#region()];
    const operators: RelationOperator[] = [];
    if (this.#accept("≡")) return this.#congruence(this.#region(), sides[0]);
    if (this.#isModulus() && sides[0] !== undefined) return this.#congruence(sides[0]);
    while (this.#token.type === "mark" && RELATIONS.has(this.#token.value)) {
      // RELATIONS holds the operators and nothing else.
      operators.push(this.#token.value as RelationOperator);
      this.#next++;
      sides.push(this.#region());
    }
    return operators.length === 0 && sides[0] !== undefined ? sides[0] : { kind: "relation", sides, operators };
  }

  /** Whether "mod 7" or "(mod 7)" follows. */
  #isModulus(): boolean {
    const follows = this.#tokens[this.#next + 1];
    return this.#isMark("mod") || (this.#isMark("(") && follows?.type === "mark" && follows.value === "mod");
  }

  #congruence(value: Expression, of?: Expression): Expression {
    const isBracketed = this.#accept("(");
    this.#expect("mod");
    const modulus = this.#group(() => this.#sum());
    if (isBracketed) this.#expect(")");
    return { kind: "congruence", value, modulus, ...(of === undefined ? {} : { of }) };
  }

  #region(): Expression {
    let region = this.#sum();
    while (this.#isMark("∪", "∩", "∖")) {
      const mark = this.#token.value;
      this.#next++;
      const right = this.#sum();
      const kind = mark === "∪" ? "union" : "intersection";
      region =
        mark === "∖"
          ? { kind: "difference", from: region, without: right }
          : { kind, parts: [...(region.kind === kind ? region.parts : [region]), right] };
    }
    return region;
  }

  #sum(): Expression {
    return this.#nested(() => {
      const terms: Expression[] = [];
      do {
        const sign = this.#sign();
        const term = this.#term();
        terms.push(
          sign === "±" || sign === "∓"
            ? { kind: "plus-minus", term, upperSign: sign === "±" ? 1 : -1 }
            : sign === "-"
              ? negate(term)
              : term,
        );
      } while (this.#isMark("+", "-", "±", "∓"));
      const [only] = terms;
      if (terms.length === 1 && only !== undefined) return only;
      return hoistUnit(withoutDots(terms, this.#budget));
    });
  }

  #sign(): string {
    let sign = "+";
    while (this.#isMark("+", "-", "±", "∓")) {
      const { value } = this.#token;
      sign = value === "+" ? sign : value === "-" ? (sign === "+" ? "-" : sign === "-" ? "+" : sign) : value;
      this.#next++;
    }
    return sign;
  }

  #term(): Expression {
    let product: Expression[] = [];
    let isLastPlainNumber = false;
    let ratio: Expression[] | undefined;
    let quotients = 0;
    for (;;) {
      this.#budget.spend(2);
      if (product.length === 0 || this.#accept("*")) {
        product.push(this.#signedPower());
      } else if (this.#accept("/")) {
        if (++quotients > SIZE_LIMITS.depth)
          throw errors.mathWorkExceeded({ what: "it nests too deeply", limit: SIZE_LIMITS.depth });
        product = [{ kind: "quotient", over: productOf(product), under: this.#signedPower() }];
      } else if (this.#isMark(":") && !this.#open.includes("\\{")) {
        this.#next++;
        (ratio ??= []).push(productOf(product));
        product = [];
        continue;
      } else if (this.#isUnit()) {
        product = [quantityOf(product, this.#unit())];
      } else if (this.#startsPrimary()) {
        const mixed = isLastPlainNumber ? this.#mixedFraction(product.at(-1)) : undefined;
        if (mixed !== undefined) product[product.length - 1] = mixed;
        else if (isLastPlainNumber && this.#token.type === "number") throw this.#unexpected();
        else product.push(this.#power());
      } else {
        break;
      }
      const last = product.at(-1);
      isLastPlainNumber = last?.kind === "number" && this.#tokens[this.#next - 1]?.type === "number";
    }
    return ratio === undefined ? productOf(product) : { kind: "ratio", items: [...ratio, productOf(product)] };
  }

  /** After an integer: "\frac{1}{2}" or "1/2", a proper fraction of digits, makes a mixed number. */
  #mixedFraction(whole: Expression | undefined): Expression | undefined {
    if (whole?.kind !== "number" || whole.decimals !== undefined) return undefined;
    const start = this.#next;
    let fraction: Expression | undefined;
    if (this.#token.type === "command" && this.#token.value === "frac") fraction = this.#primary();
    else if (
      this.#token.type === "number" &&
      this.#tokens[start + 1]?.value === "/" &&
      this.#tokens[start + 2]?.type === "number"
    ) {
      const over = this.#number();
      this.#next++;
      fraction = { kind: "quotient", over, under: this.#number() };
    }
    if (fraction?.kind === "quotient" && isDigits(fraction.over) && isDigits(fraction.under)) {
      const { over, under } = fraction;
      const isProper = over.value.numerator > 0n && over.value.numerator < under.value.numerator;
      if (isProper) return { kind: "sum", terms: [whole, fraction] };
    }
    this.#next = start;
    return undefined;
  }

  #isUnit(): boolean {
    return this.#token.type === "words" || this.#isMark("%", "°");
  }

  #unit(): string {
    let written = "";
    while (this.#isUnit()) {
      written += `${written.endsWith("/") ? "" : " "}${this.#token.value}`;
      this.#next++;
      if (!written.endsWith("%") && !written.endsWith("°") && this.#accept("^")) {
        written += `^${this.#group(() => this.#number()).value.numerator}`;
      }
      const follows = this.#tokens[this.#next + 1];
      if (follows?.type === "words" && this.#accept("/")) written += "/";
    }
    // "2 hours and 30 minutes": what follows is the smaller part.
    if (this.#token.type === "number") written = written.replace(/ and$/, "");
    // "3 or so" and "5 if n is even" are no quantities.
    if (/\b(?:or|and|not|but|if|when|where)\b/i.test(written)) throw this.#unexpected();
    return unitOf(written);
  }

  /** What a rule reads, with or without braces around it. */
  #group<Result>(rule: () => Result): Result {
    if (!this.#accept("{")) return rule();
    const result = rule();
    this.#expect("}");
    return result;
  }

  #startsPrimary(): boolean {
    const { type, value } = this.#token;
    if (this.#isModulus()) return false;
    if (type === "number" || type === "based" || type === "symbol" || type === "constant" || type === "function")
      return true;
    if (type === "command") return !value.startsWith("end ");
    if (value === "|") return this.#open.at(-1) !== "|" && this.#open.at(-1) !== "\\{";
    return type === "mark" && ["(", "[", "{", "|(", "⌊", "⌈"].includes(value);
  }

  #signedPower(): Expression {
    const sign = this.#sign();
    const power = this.#power();
    return sign === "+"
      ? power
      : sign === "-"
        ? negate(power)
        : { kind: "plus-minus", term: power, upperSign: sign === "±" ? 1 : -1 };
  }

  #power(): Expression {
    let base = this.#primary();
    for (;;) {
      if (this.#isMark("!") && this.#tokens[this.#next + 1]?.value === "!") throw this.#unexpected();
      if (this.#accept("!")) base = { kind: "call", name: "factorial", inputs: [base] };
      else if (this.#isMark("'") && base.kind === "symbol" && base.name.length > 40) throw this.#unexpected();
      else if (this.#accept("'")) base = base.kind === "symbol" ? { kind: "symbol", name: `${base.name}'` } : base;
      else break;
    }
    if (!this.#accept("^")) return base;
    const exponent = this.#nested(() => this.#exponent());
    const power: Expression = { kind: "power", base, exponent };
    return this.#accept("!") ? { kind: "call", name: "factorial", inputs: [power] } : power;
  }

  #exponent(): Expression {
    if (this.#isMark("{")) return this.#power();
    return this.#signedPower();
  }

  #primary(): Expression {
    return this.#nested(() => {
      const { type, value } = this.#token;
      if (type === "number") return this.#numberInBase();
      if (type === "mark") return this.#bracketed(value);
      this.#next++;
      switch (type) {
        case "symbol":
          if (value === "mathbb R") return REAL_LINE;
          return { kind: "symbol", name: value + this.#subscript() };
        case "constant":
          // The scanner makes constants of these four names only.
          return { kind: "constant", name: value as ConstantName };
        case "function":
          // The scanner takes the names of functions from a table of them.
          return this.#call(value as FunctionName);
        case "based": {
          const [digits = "", base] = value.split("_");
          return { kind: "based", digits: digits.replace(/^0+(?=.)/, ""), base: Number(base) };
        }
        case "words":
          return textOf(this.#words(value));
        case "command":
          return this.#command(value);
      }
    });
  }

  #words(first: string): string {
    const words = [first];
    while (
      this.#token.type === "words" ||
      (this.#token.type === "symbol" && words.length > 0 && this.#token.value.length === 1)
    ) {
      words.push(this.#token.value);
      this.#next++;
    }
    return words.join(" ");
  }

  #subscript(): string {
    if (!this.#accept("_")) return "";
    return this.#group(() => {
      let name = "_";
      while (["number", "symbol", "constant", "words"].includes(this.#token.type) && name.length < 20) {
        name += this.#token.value;
        this.#next++;
        if (!this.#isMark("}")) break;
      }
      return name;
    });
  }

  #number(): NumberNode {
    const { type, value } = this.#token;
    if (type !== "number") throw this.#unexpected();
    this.#next++;
    this.#budget.spend(1 + value.length / 16);
    return numberOf(value);
  }

  /** A number with the base that a subscript gives it; base 10 is no base. */
  #numberInBase(): Expression {
    const { value: digits, at } = this.#token;
    const number = this.#number();
    if (!this.#accept("_")) return number;
    const base = Number(this.#group(() => this.#number()).value.numerator);
    const isReadable =
      base >= 2 && base <= 36 && /^\d+$/.test(digits) && [...digits].every((digit) => Number(digit) < base);
    if (!isReadable) throw errors.mathUnparsable({ found: `"${digits}" in base ${base}`, position: at });
    return base === 10 ? number : { kind: "based", digits: digits.replace(/^0+(?=.)/, ""), base };
  }

  #bracketed(open: string): Expression {
    if (open === "|" || open === "|(") return this.#absolute(open === "|" ? "|" : "|)");
    this.#next++;
    if (open === "⌊" || open === "⌈") {
      const input = this.#sum();
      this.#expect(open === "⌊" ? "⌋" : "⌉");
      return { kind: "call", name: open === "⌊" ? "floor" : "ceil", inputs: [input] };
    }
    if (!CLOSERS.has(open)) {
      this.#next--;
      throw this.#unexpected();
    }
    this.#open.push(open);
    const result = open === "{" ? this.#braced() : open === "\\{" ? this.#set() : this.#tuple(open === "[" ? "[" : "(");
    this.#open.pop();
    return result;
  }

  #absolute(close: string): Expression {
    this.#next++;
    this.#open.push("|");
    const input = this.#sum();
    this.#open.pop();
    if (!this.#accept(close) && !this.#accept("|")) throw this.#unexpected();
    return { kind: "call", name: "abs", inputs: [input] };
  }

  #braced(): Expression {
    const inner = this.#list();
    this.#expect("}");
    return inner;
  }

  /** A set by its members, or by a condition on one variable, which stands for it: { x | x > 3 } is x > 3. */
  #set(): Expression {
    if (this.#accept("\\}")) return { kind: "set", items: [] };
    const items = withoutDots(this.#items(), this.#budget);
    const [member] = items;
    if (items.length === 1 && member !== undefined && (this.#accept("mid") || this.#accept("|") || this.#accept(":"))) {
      const condition = this.#list();
      this.#expect("\\}");
      return condition;
    }
    this.#expect("\\}");
    return { kind: "set", items };
  }

  #tuple(open: "(" | "["): Expression {
    const items = withoutDots(this.#items(), this.#budget);
    const { value } = this.#token;
    if (value !== ")" && value !== "]") throw this.#unexpected();
    this.#next++;
    const [only] = items;
    if (items.length === 1 && only !== undefined && CLOSERS.get(open) === value) return only;
    if (items.length === 1)
      throw errors.mathUnparsable({ found: `brackets "${open}${value}" around one item`, position: this.#token.at });
    return { kind: "tuple", open, close: value, items };
  }

  #call(name: FunctionName): Expression {
    let called = name;
    const inputs: Expression[] = [];
    let exponent: Expression | undefined;
    if (this.#accept("_")) inputs.push(this.#scriptArgument());
    if (this.#accept("^")) {
      exponent = this.#exponent();
      const inverse = INVERSES.get(name);
      const isInverse = exponent.kind === "number" && exponent.value.numerator === -exponent.value.denominator;
      if (isInverse && inverse !== undefined) [called, exponent] = [inverse, undefined];
    }
    const call: Expression = { kind: "call", name: called, inputs: [this.#argument(), ...inputs] };
    return exponent === undefined ? call : { kind: "power", base: call, exponent };
  }

  /** The base of a logarithm. Without braces it is one digit when an argument follows at once: \log_28 is log₂ 8. */
  #scriptArgument(): Expression {
    if (this.#token.type !== "number") return this.#primary();
    const follows = this.#tokens[this.#next + 1];
    const isFollowed =
      follows !== undefined && (follows.type !== "mark" || ["(", "{", "[", "|"].includes(follows.value));
    return isFollowed ? this.#number() : this.#digit();
  }

  /** One digit of a number, the rest of which stays to be read: \frac12 is ½. */
  #digit(): Expression {
    const { type, value, at } = this.#token;
    if (type !== "number" || value.length === 1 || !/^\d+$/.test(value)) return this.#number();
    const rest: Token = { type: "number", value: value.slice(1), at: at + 1 };
    this.#tokens[this.#next] = rest;
    return numberOf(value.charAt(0));
  }

  /** What a function applies to: a bracket, or all that is multiplied up to the next function or operator. */
  #argument(): Expression {
    if (this.#isMark("(", "[", "{", "|", "|(")) return this.#primary();
    const factors: Expression[] = [];
    const isUsable = () => this.#startsPrimary() && (factors.length === 0 || this.#token.type !== "function");
    while (isUsable()) factors.push(this.#power());
    if (factors.length === 0) throw this.#unexpected();
    const argument = productOf(factors);
    if (this.#accept("°")) return { kind: "quantity", value: argument, unit: "°" };
    return argument;
  }

  #command(name: string): Expression {
    if (name === "frac") return { kind: "quotient", over: this.#commandInput(), under: this.#commandInput() };
    if (name === "binom") return binomial(this.#commandInput(), this.#commandInput());
    if (name === "emptyset") return { kind: "set", items: [] };
    if (name === "sum" || name === "prod" || name === "int" || name === "lim") return this.#series(name);
    if (name === "sqrt" || name === "cbrt") {
      let degree: Expression = { kind: "number", value: rational(name === "sqrt" ? 2n : 3n) };
      if (this.#accept("[")) {
        degree = this.#sum();
        this.#expect("]");
      }
      return { kind: "root", radicand: this.#primary(), degree };
    }
    if (name === "begin vmatrix") {
      const matrix = this.#matrix("vmatrix");
      return (matrix.kind === "matrix" ? determinant(matrix.rows) : undefined) ?? matrix;
    }
    if (/^begin [pbBV]?matrix$|^begin (?:array|smallmatrix)$/.test(name))
      return this.#matrix(name.slice("begin ".length));
    this.#next--;
    throw this.#unexpected();
  }

  #series(command: "sum" | "prod" | "int" | "lim"): Expression {
    const operator = SERIES_OPERATORS[command];
    let name: string | undefined;
    let from: Expression | undefined;
    let to: Expression | undefined;
    while (this.#isMark("_", "^")) {
      if (this.#accept("^")) to = this.#exponent();
      else if (this.#accept("_") && command === "int")
        from = this.#isMark("{") ? this.#group(() => this.#sum()) : this.#primary();
      else
        [name, from] = this.#group(() => {
          const variable = this.#variableName();
          this.#expect(command === "lim" ? "→" : "=");
          return [variable, this.#sum()];
        });
    }
    if (command === "int") return this.#integral(from, to);
    if (name === undefined) throw this.#unexpected();
    return seriesOf(operator, name, this.#term(), from, to);
  }

  /** What stands between the sign and its "dx", and what is added behind that. */
  #integral(from: Expression | undefined, to: Expression | undefined): Expression {
    const body = this.#sum();
    const terms = body.kind === "sum" ? body.terms : [body];
    const at = terms.findIndex((term) => differentialOf(term) !== undefined);
    const last = terms[at];
    const differential = last && differentialOf(last);
    if (differential === undefined) throw this.#unexpected();
    const [factor, name] = differential;
    const integral = seriesOf("integral", name, { kind: "sum", terms: [...terms.slice(0, at), factor] }, from, to);
    return at === terms.length - 1 ? integral : { kind: "sum", terms: [integral, ...terms.slice(at + 1)] };
  }

  #variableName(): string {
    const { type, value } = this.#token;
    if (type !== "symbol" && type !== "constant") throw this.#unexpected();
    this.#next++;
    return value + this.#subscript();
  }

  #commandInput(): Expression {
    return this.#token.type === "number" ? this.#digit() : this.#primary();
  }

  #matrix(environment: string): Expression {
    const rows: Expression[][] = [[]];
    let count = 0;
    for (;;) {
      if (this.#token.type === "command" && this.#token.value === `end ${environment}`) break;
      if (this.#accept("\\\\")) {
        rows.push([]);
        continue;
      }
      if (this.#accept("&")) continue;
      rows.at(-1)?.push(this.#relation());
      if (++count > SIZE_LIMITS.items)
        throw errors.mathWorkExceeded({ what: "it has too many entries", limit: SIZE_LIMITS.items });
    }
    this.#next++;
    return { kind: "matrix", rows: rows.filter((row) => row.length > 0) };
  }
}

/** What stands before a unit, with it; "6 feet 2 inches" is 74 inches. */
function quantityOf(before: readonly Expression[], unit: string): Expression {
  const [large, small] = before;
  if (before.length === 2 && large?.kind === "quantity" && small?.kind === "number") {
    const [from, to] = [unitScale(large.unit), unitScale(unit)];
    const ratio = from !== undefined && from.dimension === to?.dimension ? divide(from.scale, to.scale) : undefined;
    if (ratio !== undefined) {
      const whole: Expression = { kind: "product", factors: [{ kind: "number", value: ratio }, large.value] };
      return { kind: "quantity", value: { kind: "sum", terms: [whole, small] }, unit };
    }
  }
  return { kind: "quantity", value: productOf(before), unit };
}

const SERIES_OPERATORS = { sum: "sum", prod: "product", int: "integral", lim: "limit" } as const;

/** A series over a variable that is told from every other by how many series lie inside its body. */
function seriesOf(
  operator: "sum" | "product" | "integral" | "limit",
  name: string,
  body: Expression,
  from: Expression | undefined,
  to: Expression | undefined,
): Expression {
  const variable = `#${depthOfSeries(body) + 1}`;
  return {
    kind: "series",
    operator,
    variable,
    body: substituted(body, name, { kind: "symbol", name: variable }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function depthOfSeries(node: Expression): number {
  const inner = Math.max(0, ...childrenOf(node).map(depthOfSeries));
  return node.kind === "series" ? inner + 1 : inner;
}

/** "x² d x" as x² and x: the factors before a d and the variable that follows it. */
function differentialOf(term: Expression): readonly [factor: Expression, name: string] | undefined {
  if (term.kind !== "product") return undefined;
  const [mark, variable] = term.factors.slice(-2);
  if (mark?.kind !== "symbol" || mark.name !== "d" || variable?.kind !== "symbol") return undefined;
  const rest = term.factors.slice(0, -2);
  return [productOf(rest.length === 0 ? [{ kind: "number", value: rational(1n) }] : rest), variable.name];
}

/** Words as what they mean: no solution is the empty set, infinitely many is infinity; all others stand for themselves. */
function textOf(source: string): Expression {
  const words = canonicalWords(source);
  if (words === "no solution") return { kind: "set", items: [] };
  if (words === "infinitely many") return INFINITY;
  return { kind: "text", words };
}

/** Whether a text is a word or a phrase, "no solution" for example, and no product of variables. */
function isWords(source: string): boolean {
  return (
    /^\s*[A-Za-z][A-Za-z\s'-]*$/.test(source) &&
    source.split(/[\s'-]+/).some((word) => word.length > 3 && !isMathWord(word))
  );
}

function isDigits(node: Expression): node is NumberNode {
  return node.kind === "number" && node.value.denominator === 1n;
}

/** n over a small k as the polynomial n (n − 1) … (n − k + 1) / k!, else as a function that only numbers have. */
function binomial(n: Expression, k: Expression): Expression {
  const count = isDigits(k) ? Number(k.value.numerator) : Infinity;
  if (n.kind === "number" || count > 12) return { kind: "call", name: "binomial", inputs: [n, k] };
  const number = (value: number): Expression => ({ kind: "number", value: rational(BigInt(value)) });
  const factors = Array.from({ length: count }, (_, i): Expression => ({ kind: "sum", terms: [n, number(-i)] }));
  const under = factors.reduce((product, _, i) => product * (i + 1), 1);
  return { kind: "quotient", over: productOf([number(1), ...factors]), under: number(under) };
}

function productOf(factors: readonly Expression[]): Expression {
  const [only] = factors;
  return factors.length === 1 && only !== undefined ? only : { kind: "product", factors };
}

function negate(node: Expression): Expression {
  if (node.kind === "number") return { ...node, value: multiply(node.value, MINUS_ONE.value) };
  if (node.kind === "quantity") return { ...node, value: negate(node.value) };
  return { kind: "product", factors: [MINUS_ONE, node] };
}

/** A unit after a sum belongs to all of it when the terms before it have none: 3 + 2√2 cm. */
function hoistUnit(terms: readonly Expression[]): Expression {
  const last = terms.at(-1);
  const isOnlyLast = last?.kind === "quantity" && terms.slice(0, -1).every((term) => term.kind !== "quantity");
  // A percentage or an angle is itself a summand: 90° − x, 5 + 10 %.
  if (!isOnlyLast || last.unit === "%" || last.unit === "°") return { kind: "sum", terms };
  return { kind: "quantity", value: { kind: "sum", terms: [...terms.slice(0, -1), last.value] }, unit: last.unit };
}
