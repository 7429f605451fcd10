import { describe, expect, it } from "vitest";
import { hasPlateaued } from "../../../plugins/tfpi/plateau.js";

const evaluations = [
  { truncated: 0.4, accuracy: 70.0 },
  { truncated: 0.22, accuracy: 72.0 },
  { truncated: 0.12, accuracy: 73.0 },
  { truncated: 0.11, accuracy: 73.1 },
  { truncated: 0.11, accuracy: 73.1 },
];

describe("hasPlateaued()", () => {
  it.each([
    [2, 5],
    [1, 4],
  ])("with window %i answers yes first when evaluation %i has come in", (window, first) => {
    const rule = { window, truncationTolerance: 0.02, accuracyTolerance: 0.2 };
    const answers = evaluations.map((_, index) => hasPlateaued(evaluations.slice(0, index + 1), rule));
    expect(answers.indexOf(true) + 1).toBe(first);
  });
});
