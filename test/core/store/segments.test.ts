import { appendFile, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonlWriter, readJsonl, truncateAfterStep } from "../../../core/src/store/jsonl.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-segments-"));
  file = join(folder, "ledger.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const asIs = (value: unknown): unknown => value;

/** Writes lines {step} one flush each; {"step":1} has 11 bytes with its newline. */
async function write(from: number, to: number, options = { segmentBytes: 30, compress: false }): Promise<void> {
  const writer = await JsonlWriter.open<{ step: number }>(file, options);
  for (let step = from; step <= to; step++) {
    writer.append({ step });
    await writer.flush();
  }
  await writer.close();
}

async function steps(): Promise<readonly unknown[]> {
  return (await readJsonl(file, asIs)).lines.map((line) => (line as { step: number }).step); // As written above.
}

function upTo(step: number): readonly number[] {
  return Array.from({ length: step }, (_, i) => i + 1);
}

describe("JsonlWriter with segments", () => {
  it("closes a file that has grown to the size, between two lines, and reads back all of them in order", async () => {
    await write(1, 8);
    expect(await readdir(folder)).toEqual(["ledger.000001.jsonl", "ledger.000002.jsonl", "ledger.jsonl"]);
    expect(await readFile(join(folder, "ledger.000002.jsonl"), "utf8")).toBe('{"step":4}\n{"step":5}\n{"step":6}\n');
    expect(await steps()).toEqual(upTo(8));
  });

  it("compresses what is closed, and goes on behind it", async () => {
    await write(1, 4, { segmentBytes: 30, compress: true });
    await write(5, 8, { segmentBytes: 30, compress: true });
    expect(await readdir(folder)).toEqual(["ledger.000001.jsonl.gz", "ledger.000002.jsonl.gz", "ledger.jsonl"]);
    expect(await steps()).toEqual(upTo(8));
  });

  it("loses no line and doubles none, wherever a kill falls between the end of a segment and the next", async () => {
    await write(1, 5);
    const segment = join(folder, "ledger.000001.jsonl");
    const text = await readFile(segment);
    const moments: readonly (() => Promise<void>)[] = [
      // The file has its number, the next one is not there.
      () => rename(file, join(folder, "ledger.000002.jsonl")),
      // Half a compressed form stands beside it.
      () => writeFile(`${segment}.gz.tmp-123`, gzipSync(text).subarray(0, 10)),
      // The whole compressed form does.
      () => writeFile(`${segment}.gz`, gzipSync(text)),
      // Only that one.
      () => rm(segment),
    ];
    for (const moment of moments) {
      await moment();
      expect(await steps()).toEqual(upTo(5));
    }
    await write(6, 9);
    expect(await steps()).toEqual(upTo(9));
  });

  it("survives a torn last line behind closed segments", async () => {
    await write(1, 5);
    await appendFile(file, '{"step":6');
    expect(await readJsonl(file, asIs)).toMatchObject({ tornBytes: 9 });
    await write(6, 7);
    expect(await steps()).toEqual(upTo(7));
  });

  it("keeps every line at any size of segments and any length of lines", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        fc.array(fc.array(fc.string({ maxLength: 20 }), { maxLength: 4 }), { maxLength: 8 }),
        async (segmentBytes, compress, flushes) => {
          for (const name of await readdir(folder)) await rm(join(folder, name));
          const writer = await JsonlWriter.open<{ text: string }>(file, { segmentBytes, compress });
          for (const texts of flushes) {
            for (const text of texts) writer.append({ text });
            await writer.flush();
          }
          await writer.close();
          expect((await readJsonl(file, asIs)).lines).toEqual(flushes.flat().map((text) => ({ text })));
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("truncateAfterStep()", () => {
  it.each([false, true])("moves later lines of closed segments aside too (compressed: %s)", async (compress) => {
    await write(1, 8, { segmentBytes: 30, compress });
    expect(await truncateAfterStep(file, 2, 3)).toBe(6);
    expect(await steps()).toEqual([1, 2]);
    const moved = (await readFile(`${file}.aside-3`, "utf8")).trimEnd().split("\n");
    expect(moved.map((line) => JSON.parse(line).step).toSorted()).toEqual([3, 4, 5, 6, 7, 8]);
    await write(3, 8, { segmentBytes: 30, compress });
    expect(await steps()).toEqual(upTo(8));
  });

  it("names the segment and line that is no record", async () => {
    await write(1, 5);
    const segment = join(folder, "ledger.000001.jsonl");
    await truncate(segment, 15);
    await appendFile(segment, "\n{}\n");
    await expect(readJsonl(file, asIs)).rejects.toMatchObject({
      code: "LINE_UNREADABLE",
      details: { file: segment, line: 2 },
    });
  });
});
