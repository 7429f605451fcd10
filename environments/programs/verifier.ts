import { apply, parseProblem, type Problem } from "../arithmetic/problem.js";
import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";

/** Operations that an answer may have. */
const MAX_OPERATIONS = 1;

/**
 * Runs the boxed program beside the given one, on every input below the modulus; it passes when all results agree.
 *
 * Reasons of a fail of its own: unparsable, too-many-operations, and wrong-output with the first test that failed.
 */
export const programVerifier = boxedVerifier("programs", "1.0.0", ({ reference }) => {
  const [, given = "", modulusText = ""] = /^(.*) mod (\d+)$/.exec(reference) ?? [];
  const [want, modulus] = [programOf(given), Number(modulusText)];
  if (want === undefined || modulus < 2) return undefined;
  return (answer) => {
    const program = programOf(answer);
    if (program === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    if (program.length > MAX_OPERATIONS)
      return wrong(`too-many-operations: ${program.length}, at most ${MAX_OPERATIONS} is wanted`);
    for (let input = 0; input < modulus; input++) {
      const [got, expected] = [run(program, input, modulus), run(want, input, modulus)];
      if (got !== expected) return wrong(`wrong-output: f(${input}) is ${got}, want ${expected}`);
    }
    return EQUAL;
  };
});

/** What a program does to its input: "x+4-2" is plus 4, minus 2; undefined when the text is none. */
function programOf(text: string): Problem["rest"] | undefined {
  // A digit for the input makes it a problem of arithmetic.
  return text.startsWith("x") ? parseProblem(`0${text.slice(1)}`)?.rest : undefined;
}

function run(program: Problem["rest"], input: number, modulus: number): number {
  return program.reduce((value, [operation, operand]) => apply(value, operation, operand, modulus), input);
}
