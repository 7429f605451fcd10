import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../../core/src/records/run-event.js";
import { isStored, openEvents, readEvents } from "../../../core/src/store/events.js";
import { hashTokens } from "../../../core/src/store/ledger.js";

describe("openEvents()", () => {
  it("keeps what isStored() lets through", async () => {
    const folder = await mkdtemp(join(tmpdir(), "troupe-store-"));
    const file = join(folder, "events.jsonl");
    const events: readonly RunEvent[] = [
      { type: "started", part: "rlvr", detail: "two arms" },
      {
        type: "sample",
        part: "rlvr",
        step: 1,
        sample: { id: "1/0/0", prompt: "p", response: "r", verdict: "pass", reason: "exact", reward: 1, tokens: 3 },
      },
      { type: "notice", part: "rlvr", step: 1, message: "slow", level: "warning" },
    ];
    const log = await openEvents(file);
    for (const event of events) if (isStored(event)) log.append({ ...event, wallSeconds: 2 });
    await log.close();
    expect((await readEvents(file)).lines).toEqual([
      { ...events[0], wallSeconds: 2 },
      { ...events[2], wallSeconds: 2 },
    ]);
    await rm(folder, { recursive: true });
  });
});

describe("hashTokens()", () => {
  it("is the head of the SHA-256 of the little-endian bytes, also of a view into a larger buffer", () => {
    expect(hashTokens(new Int32Array([1, 2]))).toBe("34fb5c825de7ca4a");
    expect(hashTokens(new Int32Array([0, 1, 2, 3]).subarray(1, 3))).toBe("34fb5c825de7ca4a");
    expect(hashTokens(new Int32Array([2, 1]))).not.toBe("34fb5c825de7ca4a");
  });
});
