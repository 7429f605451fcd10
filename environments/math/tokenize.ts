// One scanner in one file: its rules share where they stand and what came before.
import { errors } from "../errors.js";
import { foldCharacters } from "./fold-characters.js";
import {
  ACCENTS,
  BARE_COMMANDS,
  CONNECTIVES,
  FUNCTIONS,
  GREEK,
  LAYOUT,
  MARKS,
  splitFunction,
  SCALE_WORDS,
  TEXT_COMMANDS,
} from "./vocabulary.js";
import { isUnitWord } from "./units.js";
import { SIZE_LIMITS } from "./work-budget.js";

export interface Token {
  /** `based` is digits with letters among them and their base, "FF_16"; `mark` is an operator, bracket or separator; `words` is text that is no mathematics, a unit for example. */
  readonly type: "number" | "based" | "symbol" | "constant" | "function" | "command" | "mark" | "words";
  readonly value: string;
  /** Where it begins, in characters of the folded text. */
  readonly at: number;
}

export interface Tokens {
  readonly tokens: readonly Token[];
  /** Whether a comma between digits was read as a thousands separator although it could separate a list. */
  readonly hasJoinedCommas: boolean;
}

const GROUP_GAP = String.raw`(?:\{,\}|,\\!|\\!,|\\[,;: ]|[ ~\u2009\u202f\u00a0])`;
const PATTERNS = {
  repeating: /(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{(\d+)\}/y,
  repeatingInBrackets: /(\d*)\.()\((\d+)\)/y,
  dotted: /(\d{0,60})\.(\d{1,60})(?:\.\.+|\\(?:ldots|dots|cdots)(?![A-Za-z]))/y,
  based: /(?:\d[0-9A-Fa-f]*|[0-9A-F]{2,}|[0-9a-f]{2,})_(?:16(?!\d)|\{16\})/y,
  commaGroups: /[1-9]\d{0,2}(?:,\d{3})+(?![\d,]*\d)(?:\.\d+)?/y,
  spacedGroups: new RegExp(String.raw`[1-9]\d{0,2}(?:${GROUP_GAP}\d{3})+(?!\d)(?:\.\d+)?`, "y"),
  number: /\d+(?:\.\d+)?|\.\d+/y,
  exponent: /[eE][+-]?\d{1,4}(?![\d.])/y,
  letters: /[A-Za-z\u00c0-\u024f\u0400-\u04ff]+/y,
  command: /\\([A-Za-z]+)/y,
  space: /(?:[\s~$"`]|\\[,;:! >$\n]|\\(?:left|right)\s*\.)+/y,
  degree: /\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\}|\\degree(?![A-Za-z])|\{\s*\\degree\s*\})/y,
  accented: /\s*(?:\{\s*([A-Za-z]{1,3})\s*\}|([A-Za-z]))/y,
  environment: /\s*\{([a-zA-Z]+\*?)\}/y,
  colour: /\s*\{[a-zA-Z]+\}/y,
  columns: /\s*\{[clr|\s]*\}/y,
  dots: /\.\.\.+/y,
  marks: /\*\*|<=|>=|!=|==|\\\\|\\[{}|%&#]|[-+*/^_=<>()[\]{},;:!|'&%]/y,
} as const;

const SPELLED_MARKS: ReadonlyMap<string, string> = new Map([
  ["**", "^"],
  ["<=", "≤"],
  [">=", "≥"],
  ["!=", "≠"],
  ["==", "="],
  ["\\|", "|"],
  ["\\%", "%"],
  ["\\&", "&"],
]);

/**
 * Cuts an answer into tokens: LaTeX, plain notation and units alike.
 *
 * "1,000" is one number outside brackets when `joinCommas` is set, and otherwise two; "1{,}000" and "1 000" are one
 * number always.
 *
 * @throws MATH_WORK_EXCEEDED when the text is longer than `SIZE_LIMITS.characters`
 * @throws MATH_UNPARSABLE at a character that has no meaning
 */
export function tokenize(source: string, joinCommas: boolean): Tokens {
  if (source.length > SIZE_LIMITS.characters) {
    throw errors.mathWorkExceeded({ what: `it has ${source.length} characters`, limit: SIZE_LIMITS.characters });
  }
  const scanner = new Scanner(foldCharacters(source), joinCommas);
  scanner.scan();
  return { tokens: scanner.tokens, hasJoinedCommas: scanner.hasJoinedCommas };
}

class Scanner {
  readonly tokens: Token[] = [];
  hasJoinedCommas = false;
  readonly #text: string;
  readonly #joinCommas: boolean;
  #at = 0;
  #brackets = 0;

  constructor(text: string, joinCommas: boolean) {
    this.#text = text;
    this.#joinCommas = joinCommas;
  }

  scan(): void {
    while (this.#at < this.#text.length) {
      const start = this.#at;
      if (this.#take(PATTERNS.space) !== undefined) continue;
      if (this.#number(start) || this.#letters(start) || this.#mark(start) || this.#command(start)) continue;
      throw this.#unexpected(start);
    }
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  #push(type: Token["type"], value: string, at: number): true {
    this.tokens.push({ type, value, at });
    return true;
  }

  #number(at: number): boolean {
    const based = this.#take(PATTERNS.based)?.[0].split("_")[0];
    if (based !== undefined) return this.#push("based", `${based.toUpperCase()}_16`, at);
    const repeating = this.#take(PATTERNS.repeating) ?? this.#take(PATTERNS.repeatingInBrackets);
    if (repeating !== undefined) return this.#push("number", `${repeating[1]}.${repeating[2]}(${repeating[3]})`, at);
    if (this.#dotted(at)) return true;
    const mayJoin = this.#joinCommas && this.#brackets === 0;
    const commas = mayJoin ? this.#take(PATTERNS.commaGroups) : undefined;
    if (commas !== undefined) this.hasJoinedCommas = true;
    const match = commas ?? this.#take(PATTERNS.spacedGroups) ?? this.#take(PATTERNS.number);
    if (match === undefined) return false;
    const digits = match[0].replace(/[^\d.]/g, "");
    return this.#push("number", digits + (this.#exponent(digits) ?? ""), at);
  }

  /** 0.1666… and 0.1212…: one digit thrice or a group twice, and dots. Other digits before dots show no rule. */
  #dotted(at: number): boolean {
    const [, whole = "", digits = ""] = this.#take(PATTERNS.dotted) ?? [];
    const [, fixed = "", one, group] = /^(\d*?)(?:(\d)\2\2+|(\d{2,6}?)\3+)$/.exec(digits) ?? [];
    const period = one ?? group;
    if (period !== undefined) return this.#push("number", `${whole}.${fixed}(${period})`, at);
    this.#at = at;
    return false;
  }

  /** "1.5e3" is one number; "2e-5" stays 2e − 5, as a person would write it. */
  #exponent(digits: string): string | undefined {
    const start = this.#at;
    const exponent = this.#take(PATTERNS.exponent)?.[0];
    if (exponent === undefined) return undefined;
    if (digits.includes(".") || digits === "1" || exponent.startsWith("E") || /^e\d/.test(exponent))
      return exponent.toLowerCase();
    this.#at = start;
    return undefined;
  }

  #letters(at: number): boolean {
    const word = this.#take(PATTERNS.letters)?.[0];
    if (word === undefined) return false;
    if (CONNECTIVES.has(word)) return this.#push("mark", ",", at);
    if (this.#scale(word, at)) return true;
    const continuesWords = this.tokens.at(-1)?.type === "words" && word.length > 1;
    if ((continuesWords || (this.#followsValue() && isUnitWord(word))) && !this.#isKnown(word)) {
      return this.#push("words", word, at);
    }
    return this.#word(word, at) || this.#push("words", word, at);
  }

  /** "3 million" is 3 · 1000000. */
  #scale(word: string, at: number): boolean {
    const scale = this.tokens.at(-1)?.type === "number" ? SCALE_WORDS.get(word.toLowerCase()) : undefined;
    return scale !== undefined && this.#push("mark", "*", at) && this.#push("number", scale, at);
  }

  #isKnown(word: string): boolean {
    return (
      (FUNCTIONS.has(word) && word !== "sec") ||
      GREEK.has(word) ||
      BARE_COMMANDS.has(word) ||
      ["infinity", "infty"].includes(word)
    );
  }

  /** A word without a backslash: a name that is known, or up to three variables. */
  #word(word: string, at: number): boolean {
    if (BARE_COMMANDS.has(word)) return this.#named(word, at);
    return this.#known(word, at) || (word.length <= 3 && this.#variables(word, at));
  }

  /** A name with a meaning, with or without a backslash; "cotx" is cot x. */
  #known(word: string, at: number): boolean {
    const name = FUNCTIONS.get(word);
    if (name !== undefined) return this.#push("function", name, at);
    if (word === "pi") return this.#push("constant", "pi", at);
    if (["infinity", "infty", "inf", "oo"].includes(word.toLowerCase())) return this.#push("constant", "infinity", at);
    if (GREEK.has(word)) return this.#push("symbol", word, at);
    const [head, rest] = splitFunction(word) ?? [];
    return head !== undefined && rest !== undefined && this.#known(head, at) && this.#variables(rest, at + head.length);
  }

  #variables(letters: string, at: number): true {
    for (const [offset, letter] of [...letters].entries()) this.#variable(letter, at + offset);
    return true;
  }

  #variable(letter: string, at: number): true {
    return this.#push(letter === "e" || letter === "i" ? "constant" : "symbol", letter, at);
  }

  #mark(at: number): boolean {
    if (this.#take(PATTERNS.degree) !== undefined) return this.#push("mark", "°", at);
    if (this.#take(PATTERNS.dots) !== undefined) return this.#push("symbol", "…", at);
    const spelled = this.#take(PATTERNS.marks)?.[0];
    if (spelled === undefined) return false;
    const mark = SPELLED_MARKS.get(spelled) ?? spelled;
    this.#countBracket(mark);
    return this.#push("mark", mark, at);
  }

  #countBracket(mark: string): void {
    if (mark === "(" || mark === "[" || mark === "\\{") this.#brackets++;
    if (mark === ")" || mark === "]" || mark === "\\}") this.#brackets = Math.max(0, this.#brackets - 1);
  }

  #command(at: number): boolean {
    const name = this.#take(PATTERNS.command)?.[1];
    if (name === undefined) return false;
    if (name === "left" || name === "right") {
      const bar = /\s*(?:\\?\||\\[lr]?vert(?![a-z]))/y;
      return this.#take(bar) === undefined || this.#push("mark", name === "left" ? "|(" : "|)", at);
    }
    if (LAYOUT.has(name)) return true;
    if (name === "color" || name === "textcolor") return this.#take(PATTERNS.colour) !== undefined;
    if (TEXT_COMMANDS.has(name)) return this.#textCommand(at);
    if (ACCENTS.has(name)) return this.#accent(name, at);
    if (name === "begin" || name === "end") {
      const environment = this.#take(PATTERNS.environment)?.[1];
      if (environment === undefined) throw this.#unexpected(at);
      if (name === "begin" && environment === "array") this.#take(PATTERNS.columns);
      return this.#push("command", `${name} ${environment.replace("*", "")}`, at);
    }
    if (!this.#named(name, at)) throw this.#unexpected(at);
    return true;
  }

  #named(name: string, at: number): boolean {
    const mark = MARKS.get(name);
    if (mark !== undefined) {
      this.#countBracket(mark);
      return this.#push("mark", mark, at);
    }
    if (["frac", "dfrac", "tfrac", "cfrac"].includes(name)) return this.#push("command", "frac", at);
    if (["binom", "dbinom", "tbinom"].includes(name)) return this.#push("command", "binom", at);
    if (["sqrt", "cbrt", "sum", "prod", "int", "lim"].includes(name)) return this.#push("command", name, at);
    if (name === "top") return this.#push("symbol", "T", at);
    if (name === "infty") return this.#push("constant", "infinity", at);
    if (name === "emptyset" || name === "varnothing") return this.#push("command", "emptyset", at);
    if (["ldots", "dots", "cdots", "dotsc"].includes(name)) return this.#push("symbol", "…", at);
    return this.#known(name, at);
  }

  /** \text{…}: digits and single letters inside it are mathematics, a connective is a comma, all else is words. */
  #textCommand(at: number): boolean {
    const open = /\s*\{/y;
    if (this.#take(open) === undefined) return true;
    const start = this.#at;
    let depth = 1;
    while (depth > 0) {
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#unexpected(at);
      if (character === "{") depth++;
      if (character === "}") depth--;
      this.#at++;
    }
    const content = this.#text
      .slice(start, this.#at - 1)
      .replace(/[\s~]+/g, " ")
      .trim();
    const bare = content.replace(/^,\s*|[\s,]+$/g, "");
    if (bare === "") return content === "" || this.#push("mark", ",", at);
    if (CONNECTIVES.has(bare)) return this.#push("mark", ",", at);
    const [head = "", ...tail] = bare.split(" ");
    if (this.#scale(head, at)) return tail.length === 0 || this.#push("words", tail.join(" "), at);
    const name = FUNCTIONS.get(bare);
    if (name !== undefined && bare !== "sec") return this.#push("function", name, at);
    const isLetter = /^\(?[A-Za-z]\)?\.?$/.test(content) && (!this.#followsValue() || /^[ei]$/.test(content));
    if (/\d/.test(content) || isLetter) {
      const inner = new Scanner(content.replace(/\.$/, ""), this.#joinCommas && this.#brackets === 0);
      inner.scan();
      this.hasJoinedCommas ||= inner.hasJoinedCommas;
      for (const token of inner.tokens) this.tokens.push({ ...token, at: token.at + start });
      return true;
    }
    return this.#push("words", content.replace(/\\[,;: ]/g, " ").trim(), at);
  }

  #followsValue(): boolean {
    const last = this.tokens.at(-1);
    return (
      last !== undefined && (last.type === "number" || last.type === "words" || [")", "}", "]"].includes(last.value))
    );
  }

  #accent(name: string, at: number): boolean {
    const match = this.#take(PATTERNS.accented);
    const letters = match?.[1] ?? match?.[2];
    // A line over two points is the segment between them, which is also written without it.
    if (letters !== undefined && letters.length > 1 && name === "overline") return this.#variables(letters, at);
    if (letters !== undefined) return this.#push("symbol", `${name} ${letters}`, at);
    // Bold digits and bold expressions mean what they show.
    if (name === "mathbf") return true;
    throw this.#unexpected(at);
  }

  #unexpected(at: number): Error {
    return errors.mathUnparsable({ found: `"${this.#text.slice(at, at + 12)}"`, position: at });
  }
}
