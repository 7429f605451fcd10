import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";

interface Residue {
  readonly value: number;
  readonly modulus: number | undefined;
}

/**
 * Checks a result against the reference, "3 mod 13". The modulus may stand behind it: `3`, `3 mod 13`, `3 \bmod 13`,
 * `3 \pmod{13}`.
 *
 * Reasons of a fail of its own: unparsable, wrong-modulus, not-reduced, wrong-answer.
 */
export const chainVerifier = boxedVerifier("modular-sums", "1.0.0", ({ reference }) => {
  const { value: want, modulus } = parse(reference) ?? {};
  if (want === undefined || modulus === undefined || want < 0 || want >= modulus) return undefined;
  return (answer) => {
    const given = parse(answer);
    if (given === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    if (given.modulus !== undefined && given.modulus !== modulus)
      return wrong(`wrong-modulus: got ${given.modulus}, want ${modulus}`);
    if (given.value === want) return EQUAL;
    const isCongruent = (given.value - want) % modulus === 0;
    return wrong(
      isCongruent
        ? `not-reduced: got ${given.value}, want it from 0 to ${modulus - 1}`
        : `wrong-answer: got ${given.value}, want ${want}`,
    );
  };
});

function parse(text: string): Residue | undefined {
  const match = /^\s*([+-]?\d{1,15})\s*(?:(?:\\[bp]?mod|mod)(?:\s*\{\s*(\d{1,6})\s*\}|\s+(\d{1,6})))?\s*$/.exec(text);
  if (match === null) return undefined;
  const [, value, braced, plain] = match;
  const modulus = braced ?? plain;
  return { value: Number(value), modulus: modulus === undefined ? undefined : Number(modulus) };
}
