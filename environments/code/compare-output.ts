import { equalNumbers } from "./compare-values.js";
import { NumberText } from "./value-codec.js";

/** How stdout is held against what is expected. */
export const OUTPUT_CHECKERS = ["lines", "tokens", "exact"] as const;

/** One of the ways to compare stdout. */
export type OutputChecker = (typeof OUTPUT_CHECKERS)[number];

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * What is different between two outputs, in words; undefined when nothing that counts is.
 *
 * - "exact": white space at the ends of lines and empty lines at the end do not count, everything else does.
 * - "lines": as many lines, and in each of them the same tokens; numbers by their value.
 * - "tokens": the same tokens, wherever lines end.
 *
 * An expected integer is met by an equal number alone; one with a point or an exponent within the tolerance, absolute or
 * relative. Words count with their case.
 *
 * @example
 * outputDifference("1 2 \n", "1 2", "lines", 1e-6); // undefined
 * outputDifference("0.10", "0.1", "lines", 1e-6); // undefined
 * outputDifference("3", "4", "lines", 1e-6); // 'line 1: got "3", want "4"'
 */
export function outputDifference(
  actual: string,
  expected: string,
  checker: OutputChecker,
  tolerance: number,
): string | undefined {
  const [got, want] = [linesOf(actual), linesOf(expected)];
  if (got.length === want.length && got.every((line, index) => line === want[index])) return undefined;
  if (checker === "exact") return lineDifference(got, want, (a, b) => a === b);
  if (checker === "lines") return lineDifference(got, want, (a, b) => equalTokens(tokensOf(a), tokensOf(b), tolerance));
  const [gotTokens, wantTokens] = [tokensOf(actual), tokensOf(expected)];
  if (equalTokens(gotTokens, wantTokens, tolerance)) return undefined;
  const at = wantTokens.findIndex((token, index) => !equalToken(gotTokens[index] ?? "", token, tolerance));
  return at < 0
    ? `got ${gotTokens.length} tokens, want ${wantTokens.length}`
    : `token ${at + 1}: got ${show(gotTokens[at])}, want ${show(wantTokens[at])}`;
}

function lineDifference(
  got: readonly string[],
  want: readonly string[],
  equal: (a: string, b: string) => boolean,
): string | undefined {
  const at = want.findIndex((line, index) => got[index] === undefined || !equal(got[index], line));
  if (at >= 0) return `line ${at + 1}: got ${show(got[at])}, want ${show(want[at])}`;
  return got.length === want.length ? undefined : `got ${got.length} lines, want ${want.length}`;
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trimEnd());
  while (lines.length > 0 && lines.at(-1) === "") lines.pop();
  return lines;
}

function tokensOf(text: string): string[] {
  return text.split(/\s+/).filter((token) => token !== "");
}

function equalTokens(got: readonly string[], want: readonly string[], tolerance: number): boolean {
  return got.length === want.length && want.every((token, index) => equalToken(got[index] ?? "", token, tolerance));
}

function equalToken(got: string, want: string, tolerance: number): boolean {
  if (got === want) return true;
  if (!NUMBER.test(got) || !NUMBER.test(want)) return false;
  const [a, b] = [numberOf(got), numberOf(want)];
  // An integer leaves no room: "3.0" is 3, "3.0000001" is not.
  return equalNumbers(a, b, b.isInteger ? 0 : tolerance);
}

/** A plus sign and zeros in front, or behind the point, do not change a number. */
function numberOf(token: string): NumberText {
  const text = token.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
  return new NumberText(/[eE]/.test(text) ? text : text.replace(/\.0*$/, ""));
}

function show(text: string | undefined): string {
  if (text === undefined) return "nothing";
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
