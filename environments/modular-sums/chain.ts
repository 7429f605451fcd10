import type { Random } from "@troupe/core/sdk";

/** One sum of a chain: its own summands, to which all sums but the first add the result before. */
export interface Link {
  readonly summands: readonly number[];
  readonly modulus: number;
}

/** Sums in a row, each but the first built on the one before; at least one. */
export type Chain = readonly Link[];

/** How large the numbers of a chain are. */
export interface ChainLimits {
  readonly summands: number;
  readonly maxSummand: number;
  readonly maxModulus: number;
}

/** Names of the results; a chain is no longer. */
export const NAMES = "abcdefghijkl";

/** A chain of `length` sums, every number of it equally likely. */
export function drawChain(random: Random, length: number, limits: ChainLimits): Chain {
  return Array.from({ length }, (_, index) => ({
    // Every sum has the same number of summands, the result before among them.
    summands: Array.from({ length: index === 0 ? limits.summands : limits.summands - 1 }, () =>
      random.integer(1, limits.maxSummand + 1),
    ),
    modulus: random.integer(2, limits.maxModulus + 1),
  }));
}

/** How a chain is written in a task: "17+25%13 31%9". */
export function textOf(chain: Chain): string {
  return chain.map(({ summands, modulus }) => `${summands.join("+")}%${modulus}`).join(" ");
}

/** Reads a chain's text; undefined when it is none. */
export function parseChain(text: string): Chain | undefined {
  if (!/^(\d{1,6}(\+\d{1,6})*%\d{1,6}( |$)){1,12}$/.test(text) || text.endsWith(" ")) return undefined;
  const chain = text.split(" ").map((link) => {
    const [sum = "", modulus] = link.split("%");
    return { summands: sum.split("+").map(Number), modulus: Number(modulus) };
  });
  return chain.every(({ modulus }) => modulus >= 2) ? chain : undefined;
}

/** The sums of a chain, in words of arithmetic: "(17 + 25) mod 13", "(a + 31) mod 9". */
export function sumsOf(chain: Chain): readonly string[] {
  return chain.map(({ summands, modulus }, index) => {
    const before = index === 0 ? [] : [NAMES.charAt(index - 1)];
    return `(${[...before, ...summands].join(" + ")}) mod ${modulus}`;
  });
}

/** The sum of one link before it is reduced. */
export function sumOf({ summands }: Link, before: number): number {
  return summands.reduce((sum, summand) => sum + summand, before);
}

/** The result of a chain, in [0, its last modulus). */
export function resultOf(chain: Chain): number {
  return chain.reduce((before, link) => sumOf(link, before) % link.modulus, 0);
}
