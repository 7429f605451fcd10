import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { collect } from "../../support/collect.js";
import { readLines, type Line } from "../../../core/src/store/read-lines.js";

async function linesOf(chunks: readonly string[]): Promise<Line[]> {
  return collect(readLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), "a stream"));
}

describe("readLines()", () => {
  it("gives every line with its number, wherever the chunks end", async () => {
    const text = "\uFEFFone\n\ntwo\r\n  \nthrée\nlast";
    const wanted = [
      { number: 1, text: "one" },
      { number: 3, text: "two" },
      { number: 5, text: "thrée" },
      { number: 6, text: "last" },
    ];
    expect(await linesOf([text])).toMatchObject(wanted);
    const bytes = Buffer.from(text);
    const split = Readable.from(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)));
    expect(await collect(readLines(split, "a stream"))).toMatchObject(wanted);
  });

  it("says where the bytes of a line are", async () => {
    const text = "é\n\nlast";
    const [first, last] = await linesOf([text]);
    expect(first).toMatchObject({ start: 0, bytes: 2 });
    expect(Buffer.from(text).subarray(last?.start).toString()).toBe("last");
  });

  it("gives nothing for an empty stream", async () => {
    expect(await linesOf([])).toEqual([]);
    expect(await linesOf(["\n\n"])).toEqual([]);
  });

  it("rejects with LINES_UNREADABLE when the stream fails", async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from("one\n");
      throw new Error("gone");
    }
    const lines = readLines(broken(), "a stream");
    expect(await lines.next()).toMatchObject({ value: { text: "one" } });
    await expect(lines.next()).rejects.toMatchObject({
      code: "LINES_UNREADABLE",
      message: expect.stringContaining("gone"),
    });
  });

  it("rejects with LINES_UNREADABLE at a line that no file of lines has", async () => {
    const chunk = Buffer.alloc(2 ** 20, "x");
    const endless = Readable.from(Array.from({ length: 40 }, () => chunk));
    await expect(readLines(endless, "a stream").next()).rejects.toMatchObject({
      code: "LINES_UNREADABLE",
      message: expect.stringContaining("line 1 has more than"),
    });
  });
});
