import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader } from "../../../environments/code/guests/frame-reader.js";

describe("FrameReader.push()", () => {
  it("gives the frames of a stream, however it is cut", () => {
    const payload = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 30 })), (payloads, cuts) => {
        const stream = Buffer.concat(
          payloads.flatMap((one, index) => [Buffer.from(`done ${index} ${one.length}\n`), one]),
        );
        const reader = new FrameReader(100);
        const found = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % Math.max(1, cuts.length)] ?? 7);
          found.push(...(reader.push(stream.subarray(at, end)) ?? []));
          at = end;
        }
        expect(found.map(({ words, payload }) => [words[1], [...payload]])).toEqual(
          payloads.map((one, index) => [String(index), [...one]]),
        );
      }),
    );
  });

  it.each(["done x\n", "done -1\n", "done 1.5\n", "done 101\n", "x".repeat(300), "\n"])("refuses %j", (text) => {
    const found = new FrameReader(100).push(Buffer.from(text));
    // An empty line is a frame without words; all that follows it is measured by the next head.
    expect(text === "\n" ? found?.[0]?.words : found).toEqual(text === "\n" ? [""] : undefined);
  });
});
