import type { FunctionName, RelationOperator } from "./expression.js";

/** Every spelling of a function, with or without a backslash. */
export const FUNCTIONS: ReadonlyMap<string, FunctionName> = new Map<string, FunctionName>([
  ["sin", "sin"],
  ["cos", "cos"],
  ["tan", "tan"],
  ["tg", "tan"],
  ["cot", "cot"],
  ["ctg", "cot"],
  ["sec", "sec"],
  ["csc", "csc"],
  ["cosec", "csc"],
  ["arcsin", "arcsin"],
  ["asin", "arcsin"],
  ["arccos", "arccos"],
  ["acos", "arccos"],
  ["arctan", "arctan"],
  ["atan", "arctan"],
  ["sinh", "sinh"],
  ["cosh", "cosh"],
  ["tanh", "tanh"],
  ["ln", "ln"],
  ["log", "log"],
  ["lg", "log"],
  ["exp", "exp"],
  ["cis", "cis"],
  ["abs", "abs"],
  ["floor", "floor"],
  ["ceil", "ceil"],
]);

/** The inverse that sin^{-1} and its like mean. */
export const INVERSES: ReadonlyMap<FunctionName, FunctionName> = new Map<FunctionName, FunctionName>([
  ["sin", "arcsin"],
  ["cos", "arccos"],
  ["tan", "arctan"],
]);

/** Names of variables that take more than one letter. */
export const GREEK: ReadonlySet<string> = new Set([
  "alpha",
  "beta",
  "gamma",
  "delta",
  "epsilon",
  "varepsilon",
  "zeta",
  "eta",
  "theta",
  "vartheta",
  "iota",
  "kappa",
  "lambda",
  "mu",
  "nu",
  "xi",
  "rho",
  "sigma",
  "tau",
  "upsilon",
  "phi",
  "varphi",
  "chi",
  "psi",
  "omega",
  "Gamma",
  "Delta",
  "Theta",
  "Lambda",
  "Xi",
  "Pi",
  "Sigma",
  "Phi",
  "Psi",
  "Omega",
  "ell",
]);

/** Commands and words that stand for one operator or mark of the grammar. */
export const MARKS: ReadonlyMap<string, string> = new Map([
  ["cdot", "*"],
  ["times", "*"],
  ["ast", "*"],
  ["div", "/"],
  ["pm", "±"],
  ["mp", "∓"],
  ["le", "≤"],
  ["leq", "≤"],
  ["leqslant", "≤"],
  ["ge", "≥"],
  ["geq", "≥"],
  ["geqslant", "≥"],
  ["lt", "<"],
  ["gt", ">"],
  ["ne", "≠"],
  ["neq", "≠"],
  ["approx", "≈"],
  ["simeq", "≈"],
  ["in", "∈"],
  ["cup", "∪"],
  ["cap", "∩"],
  ["setminus", "∖"],
  ["smallsetminus", "∖"],
  ["equiv", "≡"],
  ["pmod", "mod"],
  ["bmod", "mod"],
  ["mod", "mod"],
  ["to", "→"],
  ["rightarrow", "→"],
  ["backslash", "∖"],
  ["circ", "°"],
  ["degree", "°"],
  ["colon", ":"],
  ["mid", "mid"],
  ["lvert", "|("],
  ["rvert", "|)"],
  ["vert", "|"],
  ["lfloor", "⌊"],
  ["rfloor", "⌋"],
  ["lceil", "⌈"],
  ["rceil", "⌉"],
  ["langle", "("],
  ["rangle", ")"],
  ["lbrace", "\\{"],
  ["rbrace", "\\}"],
  ["lbrack", "["],
  ["rbrack", "]"],
  ["lparen", "("],
  ["rparen", ")"],
  ["prime", "'"],
  ["land", ","],
  ["lor", ","],
  ["wedge", ","],
  ["vee", ","],
]);

/** Commands that also count when the backslash is missing. */
export const BARE_COMMANDS: ReadonlySet<string> = new Set([
  "frac",
  "dfrac",
  "tfrac",
  "cfrac",
  "sqrt",
  "cbrt",
  "binom",
  "infty",
  "cdot",
  "times",
  "cup",
  "pm",
  "leq",
  "geq",
  "neq",
  "mod",
]);

/** Commands that only change how things look. */
export const LAYOUT: ReadonlySet<string> = new Set([
  "left",
  "right",
  "middle",
  "big",
  "Big",
  "bigg",
  "Bigg",
  "bigl",
  "bigr",
  "Bigl",
  "Bigr",
  "biggl",
  "biggr",
  "displaystyle",
  "textstyle",
  "scriptstyle",
  "limits",
  "quad",
  "qquad",
  "thinspace",
  "enspace",
  "space",
  "hspace",
  "hfill",
  "rm",
  "bf",
  "it",
  "mathstrut",
  "boldsymbol",
  "bm",
  "mathbin",
  "mathrel",
  "mathord",
  "strut",
  "phantom",
  "nonumber",
  "hline",
  "centering",
  "boxed",
  "fbox",
  "underline",
  "angle",
  "checkmark",
  "triangle",
]);

/** Commands whose argument is words. */
export const TEXT_COMMANDS: ReadonlySet<string> = new Set([
  "text",
  "textbf",
  "textit",
  "textrm",
  "textsf",
  "texttt",
  "textnormal",
  "mbox",
  "hbox",
  "mathrm",
  "operatorname",
  "mathsf",
  "mathit",
]);

/** Commands that turn a letter into another variable: a vector, a segment, a set. */
export const ACCENTS: ReadonlySet<string> = new Set([
  "mathbf",
  "vec",
  "hat",
  "bar",
  "overline",
  "overrightarrow",
  "tilde",
  "widehat",
  "mathcal",
  "mathfrak",
  "mathscr",
  "mathbb",
  "dot",
]);

export const RELATIONS: ReadonlySet<string> = new Set<RelationOperator>(["=", "≠", "<", ">", "≤", "≥", "≈", "∈"]);

/** Words that join the items of a list. */
export const CONNECTIVES: ReadonlySet<string> = new Set(["and", "or", "und", "oder"]);

/** Whether letters without a backslash name something of mathematics: "theta", "infinity", "sinx", "and". */
export function isMathWord(word: string): boolean {
  if (FUNCTIONS.has(word) || GREEK.has(word) || BARE_COMMANDS.has(word) || CONNECTIVES.has(word) || word === "infinity")
    return true;
  return splitFunction(word) !== undefined;
}

/** "cotx" → ["cot", "x"], "pir" → ["pi", "r"]: a known name with at most two variables behind it. */
export function splitFunction(word: string): readonly [head: string, rest: string] | undefined {
  for (let length = word.length - 1; length >= Math.max(2, word.length - 2); length--) {
    const head = word.slice(0, length);
    if (FUNCTIONS.has(head) || head === "pi") return [head, word.slice(length)];
  }
  return undefined;
}

/** Whole numbers that are often spelled out; the index is the value. */
export const NUMBER_WORDS: readonly string[] =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(
    " ",
  );

/** Words for powers of ten behind a number: "3 million". */
export const SCALE_WORDS: ReadonlyMap<string, string> = new Map([
  ["hundred", "100"],
  ["thousand", "1000"],
  ["million", "1000000"],
  ["billion", "1000000000"],
  ["trillion", "1000000000000"],
]);

const SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "no solution": [
      "no solutions",
      "no real solution",
      "no real solutions",
      "none",
      "no such number exists",
      "empty set",
    ],
    "infinitely many": ["infinitely many solutions", "infinite", "infinite solutions", "infinity"],
    "does not exist": ["dne", "doesn't exist"],
  }).flatMap(([meaning, spellings]) => spellings.map((spelling) => [spelling, meaning] as const)),
);

/** Words in one spelling: lower case, single spaces, no full stop, and one phrase for what is said in several. */
export function canonicalWords(words: string): string {
  const plain = words
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[.\s]+$/, "")
    .replace(/^there (?:is|are) /, "");
  return SYNONYMS.get(plain) ?? plain;
}
