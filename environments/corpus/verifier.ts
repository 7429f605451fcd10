import { placeOf, type Task, type Trajectory, type Verdict, type Verifier } from "@troupe/core/sdk";
import { matches, predictionOf } from "./prediction.js";

/**
 * Compares the boxed prediction with the text itself, byte for byte, nothing stripped.
 *
 * pass or fail; error only for a task that stands in no text. `parts.exact` and `parts.prefix` are both found whichever of
 * them passes. Reasons of a fail: no-think-close, no-box, unbalanced-braces, empty-box, wrong-token.
 *
 * @param match what passes
 */
export function corpusVerifier(match: "exact" | "prefix"): Verifier {
  const identity = { verifier: `next-token-${match}`, version: "1.0.0" };
  return {
    name: identity.verifier,
    version: identity.version,
    // The verifier actor measures the time.
    verify: (task, trajectory) => ({ ...judge(task, trajectory, match), ...identity, ms: 0 }),
  };
}

function judge(
  task: Task,
  trajectory: Trajectory,
  match: "exact" | "prefix",
): Pick<Verdict, "kind" | "score" | "reason" | "parts"> {
  const place = placeOf(task);
  const ends_K = endsOf(task);
  if (!place || ends_K === undefined)
    return { kind: "error", reason: `unusable-reference: task "${task.id}" stands in no text` };
  const found = predictionOf(trajectory);
  if (found.text === undefined) return { kind: "fail", score: 0, reason: found.reason, parts: { exact: 0, prefix: 0 } };
  const hits = matches(found.text, Buffer.from(place.text).subarray(place.start), ends_K);
  const parts = { prediction: found.text.slice(0, 200), ...hits };
  if (hits[match] === 1) return { kind: "pass", score: 1, reason: match, parts };
  if (found.text === "") return { kind: "fail", score: 0, reason: "empty-box", parts };
  const shown = JSON.stringify(found.text.slice(0, 40));
  return { kind: "fail", score: 0, reason: `wrong-token: got ${shown}, want ${JSON.stringify(task.reference)}`, parts };
}

/** Ends of the continuation's tokens, as the taskset wrote them. */
function endsOf({ meta }: Task): readonly number[] | undefined {
  const ends = meta["ends"];
  return Array.isArray(ends) ? ends.filter((end) => typeof end === "number") : undefined;
}
