import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deriveKey, Random } from "@troupe/core/sdk";

/** One input of the fuzzer: the same for the same seed and index. */
export interface FuzzInput {
  readonly gold: string;
  readonly response: string;
}

/** Pieces of answers, whole and broken. */
const PIECES = [
  ..."{ } ( ) [ ] \\{ \\} ^ _ + - * / = < > , ; : | ! % & \\\\ ' . .. ... $ # @ ~ \" ` ? 0 1 2 7 9 10 23 0.5 .5 1,000 1{,}000 1e9 1e-9 x y z n a b c d e i pi".split(
    " ",
  ),
  ..."\\frac \\dfrac \\sqrt \\sqrt[3] \\cbrt \\binom \\sin \\cos \\tan \\arcsin \\log \\ln \\exp \\log_2 \\pi \\infty \\pm \\mp \\cdot \\times \\div".split(
    " ",
  ),
  ..."\\le \\ge \\ne \\in \\cup \\cap \\setminus \\emptyset \\mathbb{R} \\mathbb \\ldots \\cdots \\sum \\prod \\int \\lim \\to \\pmod \\equiv mod".split(
    " ",
  ),
  ..."\\begin{pmatrix} \\end{pmatrix} \\begin{vmatrix} \\end{vmatrix} \\begin{array}{cc} \\end{array} \\left \\right \\left( \\right) \\overline{3} \\circ".split(
    " ",
  ),
  ..."\\text{ \\text{cm} \\text{and} \\text{or} \\mathrm \\mathbf{i} \\vec{v} \\operatorname{cis} \\boxed{ \\boxed \\fbox <think> </think> <answer> </answer> ####".split(
    " ",
  ),
  ..."½ ² √ ∑ ∫ π ∞ ≤ ° … − × ﬁ １ 𝟙 \u0000 \u200d \ud800 \u202e".split(" "),
  " ",
  "\n",
  "the answer is ",
  " million",
  " p.m.",
  "10:30",
  "_{16}",
  "FF_{16}",
  "k=1",
  "dx",
  "^T",
  "^{100}",
  "^{10^{10}}",
  "100!",
];

const calibration = fileURLToPath(new URL("../../../environments/math/calibration.jsonl", import.meta.url));

/** Golds and answers of the calibration set: what mutation starts from. */
export function seedTexts(): readonly string[] {
  const texts = new Set<string>();
  for (const line of readFileSync(calibration, "utf8").trimEnd().split("\n")) {
    // The calibration set is our own; its form is tested.
    const { gold, answer, response } = JSON.parse(line) as Record<string, string | string[]>;
    for (const text of [gold, answer, response].flat()) if (text !== undefined) texts.add(text);
  }
  return [...texts];
}

/** The input of this index. */
export function fuzzInput(seed: number, index: number, seeds: readonly string[]): FuzzInput {
  const random = new Random(deriveKey(seed, "fuzz/math", String(index)));
  const text = (): string => {
    const way = random.integer(0, 10);
    if (way < 4) return mutated(random, random.pick(seeds), seeds);
    if (way < 8) return Array.from({ length: random.integer(1, 24) }, () => random.pick(PIECES)).join("");
    if (way < 9) return nested(random);
    return Array.from({ length: random.integer(1, 40) }, () => String.fromCodePoint(random.integer(1, 0xd7ff))).join(
      "",
    );
  };
  const gold = random.integer(0, 3) === 0 ? text() : random.pick(seeds);
  // What is nearly the reference gets further than what is not.
  const answer = random.integer(0, 2) === 0 ? mutated(random, gold, seeds) : text();
  const isBoxed = random.integer(0, 4) > 0;
  return {
    gold,
    response: isBoxed ? `${random.integer(0, 6) === 0 ? text() : ""}\\boxed{${answer}}` : answer,
  };
}

/** A text with a few places cut, doubled, swapped or filled from elsewhere. */
function mutated(random: Random, text: string, seeds: readonly string[]): string {
  let result = text;
  for (let changes = random.integer(1, 4); changes > 0; changes--) {
    const at = random.integer(0, result.length + 1);
    const end = Math.min(result.length, at + random.integer(0, 6));
    const [head, cut, tail] = [result.slice(0, at), result.slice(at, end), result.slice(end)];
    const way = random.integer(0, 5);
    if (way === 0) result = head + tail;
    else if (way === 1) result = head + cut.repeat(random.integer(2, 12)) + tail;
    else if (way === 2) result = head + random.pick(PIECES) + tail;
    else if (way === 3) result = tail + cut + head;
    else result = head + random.pick(seeds) + tail;
  }
  return result.slice(0, 3000);
}

/** One piece inside itself, many times. */
function nested(random: Random): string {
  const [open, close] = random.pick([
    ["(", ")"],
    ["\\sqrt{", "}"],
    ["\\frac{1}{", "}"],
    ["x^{", "}"],
    ["\\sin(", ")"],
    ["|", "|"],
    ["\\{", "\\}"],
    ["\\sum_{k=1}^{9}(", ")"],
    ["\\begin{pmatrix}", "\\end{pmatrix}"],
    ["-", ""],
    ["2^", ""],
    ["\\boxed{", "}"],
  ] as const);
  const depth = random.integer(1, 120);
  return open.repeat(depth) + random.pick(PIECES) + close.repeat(Math.max(0, depth - random.integer(0, 2)));
}
