import type { Verifier } from "./environment.js";

/**
 * The verifier of an environment that judges its own episodes: the outcome is the verdict. An episode that ended without
 * one, because a budget was spent, is a fail.
 *
 * @example
 * outcomeVerifier("guess-number", "1.0.0");
 */
export function outcomeVerifier(name: string, version: string): Verifier {
  return {
    name,
    version,
    verify: (_task, { outcome, stopReason }) => ({
      ...(outcome ?? { kind: "fail", score: 0, reason: `unfinished: stopped by ${stopReason}` }),
      verifier: name,
      version,
      ms: 0,
    }),
  };
}
