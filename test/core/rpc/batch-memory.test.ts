import { describe, expect, it } from "vitest";
import { BatchMemory } from "../../../core/src/rpc/batch-memory.js";
import { VerifyBatch } from "../../../core/src/rpc/verify-batch.js";
import { parseVerifyRequest, type VerifyReply } from "../../../core/src/rpc/verify-message.js";
import { ManualClock } from "../../support/manual-clock.js";

const reply: VerifyReply = {
  sample_id: "0",
  verdict: "abstain",
  reason: "",
  verifier: "v",
  verifier_version: "1",
  cached: false,
  ms: 0,
};
const request = (key: string | undefined, { run = "", items = 1, response = "x", deadline = 5 } = {}) =>
  parseVerifyRequest({
    run_id: run,
    ...(key === undefined ? {} : { idempotency_key: key }),
    deadline_ms: deadline,
    items: Array.from({ length: items }, (_, index) => ({
      sample_id: String(index),
      verifier: "v",
      response,
      ground_truth: "",
    })),
  });
const open = (replies = 10) => {
  const clock = new ManualClock();
  return { clock, memory: new BatchMemory({ replies, ms: 1000, clock }) };
};
const finished = (size: number): VerifyBatch => {
  const batch = new VerifyBatch(size);
  for (let index = 0; index < size; index++) batch.add(reply);
  return batch;
};

describe("BatchMemory.find()", () => {
  it("gives the batch of the same key and run when the items are the same, whatever the deadline", () => {
    const { memory } = open();
    const batch = finished(1);
    memory.put(request("a"), batch);
    expect(memory.find(request("a", { deadline: 99 }))).toBe(batch);
    expect(memory.find(request("b"))).toBeUndefined();
    expect(memory.find(request("a", { run: "other" }))).toBeUndefined();
    expect(memory.find(request(undefined))).toBeUndefined();
  });

  it("rejects with KEY_REUSED when the items are others", () => {
    const { memory } = open();
    memory.put(request("a"), finished(1));
    expect(() => memory.find(request("a", { response: "y" }))).toThrow(expect.objectContaining({ code: "KEY_REUSED" }));
  });

  it("forgets what was asked for least recently when there are too many replies", () => {
    const { memory } = open(4);
    memory.put(request("a", { items: 2 }), finished(2));
    memory.put(request("b", { items: 2 }), finished(2));
    memory.find(request("a", { items: 2 }));
    memory.put(request("c", { items: 2 }), finished(2));
    expect(memory.find(request("b", { items: 2 }))).toBeUndefined();
    expect(memory.find(request("a", { items: 2 }))).toBeDefined();
  });

  it("forgets after its time, but nothing that is under way", async () => {
    const { clock, memory } = open();
    const running = new VerifyBatch(1);
    memory.put(request("running"), running);
    memory.put(request("done"), finished(1));
    await clock.advance(1001);
    expect(memory.find(request("done"))).toBeUndefined();
    expect(memory.find(request("running"))).toBe(running);
  });
});
