import type { Verdict } from "../../src/records/verdict.js";
import { oneLine } from "./printable.js";

/** A verdict for people: its finding, and with a trace a line for each step. */
export function verdictText({ kind, reason, parts, verifier, version, ms }: Verdict): string {
  const trace = Array.isArray(parts?.["trace"]) ? parts["trace"] : [];
  const steps = trace.flatMap((step) => {
    if (typeof step !== "object" || step === null || !("step" in step) || !("says" in step)) return [];
    const rest = Object.entries(step).filter(([key]) => key !== "step" && key !== "says");
    const took = rest.map(([key, value]) => `${key} ${String(value)}`).join(", ");
    return [`  ${String(step["step"]).padEnd(10)} ${oneLine(String(step["says"]))}${took === "" ? "" : `  (${took})`}`];
  });
  return [`${kind}  ${oneLine(reason)}  (${verifier} ${version}, ${ms.toFixed(1)} ms)`, ...steps].join("\n");
}
