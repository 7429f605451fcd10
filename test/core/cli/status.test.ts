import { expect, test } from "vitest";
import { statusOf } from "../../../core/cli/render/status.js";

test("statusOf() writes small numbers without the zero before their point, so that they fit their column", () => {
  const metrics = { "entropy/mean": 0.02123, "loss/next_token": 0.2871, "grad/norm": 12.63, "time/bubble": 0 };
  const report = { step: 1, stage: "main", version: 1, trainTokens: 10, metrics };
  expect(statusOf(report, undefined)).toEqual([
    { label: "entropy", value: ".0212" },
    { label: "loss", value: ".287" },
    { label: "grad", value: "12.6" },
    { label: "idle s", value: "0" },
  ]);
});
