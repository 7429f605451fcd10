import { describe, expect, it } from "vitest";
import { parseVerifyRequest } from "../../../core/src/rpc/verify-message.js";

const item = { sample_id: "a", verifier: "math", response: "1", ground_truth: "1" };
const problemOf = (value: unknown): string => {
  try {
    parseVerifyRequest(value);
  } catch (error) {
    return String(error);
  }
  return "";
};

describe("parseVerifyRequest()", () => {
  it("takes the whole shape, and fills in what may be left out", () => {
    const whole = {
      run_id: "run",
      idempotency_key: "key",
      deadline_ms: 100.5,
      items: [
        {
          ...item,
          group_id: "g",
          verifier_version: "1.0.0",
          prompt: [{ role: "user", content: "1+0?" }],
          response_token_count: 4,
          ground_truth: { tests: [null, 1] },
          meta: { options: { percent: "value" } },
        },
      ],
    };
    expect(parseVerifyRequest(whole)).toEqual(whole);
    expect(parseVerifyRequest({ items: [item] })).toEqual({ run_id: "", items: [{ ...item, prompt: "", meta: {} }] });
  });

  it.each([
    [{ items: [item, { ...item, sample_id: "b" }, item] }, 'items[2].sample_id is "a", as items[0]\'s is'],
    [{ items: [{ ...item, sample_id: "" }] }, "items[0].sample_id: "],
    [{ items: [{ ...item, sample_id: undefined }] }, "items[0].sample_id: "],
    [{ items: [item, { ...item, sample_id: "b", response: 7 }] }, 'items[1].response (sample "b"): '],
    [{ items: [{ ...item, ground_truth: undefined }] }, 'items[0].ground_truth (sample "a"): is missing'],
    [{ items: [{ ...item, groundtruth: "1" }] }, '"groundtruth"'],
    [{ items: [{ ...item, meta: [] }] }, 'items[0].meta (sample "a"): '],
    [{ items: [] }, "items: "],
    [{ items: [item], deadline_ms: 0 }, "deadline_ms: "],
    [{ items: [item], deadline: 5 }, '"deadline"'],
    ["text", "an object is wanted"],
    [null, "an object is wanted"],
  ])("names item and field when it is given %j", (value, problem) => {
    expect(problemOf(value)).toContain("Cannot judge this request: ");
    expect(problemOf(value)).toContain(problem);
  });

  it("lists the first problems and counts the others", () => {
    const items = Array.from({ length: 9 }, (_, index) => ({ ...item, sample_id: String(index), response: 1 }));
    expect(problemOf({ items })).toMatch(/items\[4\]\.response \(sample "4"\): [^;]+; and 4 problems more$/);
  });
});
