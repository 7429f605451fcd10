import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { parquetWriteFile } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { readParquet, type ParquetRow } from "../../../core/src/store/parquet-rows.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

async function all(file: string, columns?: readonly string[]): Promise<ParquetRow[]> {
  const rows: ParquetRow[] = [];
  for await (const row of readParquet(file, columns)) rows.push(row);
  return rows;
}

/** A frame of Zstandard (RFC 8878) with one block that is not compressed. */
function zstdFrame(bytes: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4 + 1 + 4 + 3);
  head.writeUInt32LE(0xfd2fb528, 0);
  // The size of the content follows, in four bytes, and there is no window.
  head.writeUInt8(0xa0, 4);
  head.writeUInt32LE(bytes.length, 5);
  head.writeUIntLE((bytes.length << 3) | 1, 9, 3);
  return Buffer.concat([head, bytes]);
}

describe("readParquet()", () => {
  it("gives rows as JSON has them, group after group, of the columns that are asked for", async () => {
    const file = path("rows.parquet");
    const size = 250;
    parquetWriteFile({
      filename: file,
      rowGroupSize: 100,
      columnData: [
        { name: "text", data: Array.from({ length: size }, (_, index) => `row ${index}`) },
        { name: "count", data: Array.from({ length: size }, (_, index) => BigInt(index)) },
        { name: "large", data: Array.from({ length: size }, () => 2n ** 60n + 1n) },
        { name: "share", data: Array.from({ length: size }, (_, index) => (index === 1 ? NaN : 0.5)) },
        { name: "when", data: Array.from({ length: size }, () => new Date(0)) },
        { name: "held", data: Array.from({ length: size }, (_, index) => ({ list: [index, null] })), type: "JSON" },
      ],
    });
    const rows = await all(file);
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: size }, (_, index) => index + 1));
    expect(rows[1]?.value).toEqual({
      text: "row 1",
      count: 1,
      large: "1152921504606846977",
      share: null,
      when: "1970-01-01T00:00:00.000Z",
      held: { list: [1, null] },
    });
    expect(rows.at(-1)?.value["text"]).toBe("row 249");
    const some = await all(file, ["text", "none"]);
    expect(some[101]?.value).toEqual({ text: "row 101" });
    // Only the first names what else there is.
    expect(Object.keys(some[0]?.value ?? {}).toSorted()).toEqual(["count", "held", "large", "share", "text", "when"]);
    expect(JSON.stringify(some[0]?.value)).toBe('{"text":"row 0"}');
  });

  it.each(["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD"] as const)("reads columns in %s", async (codec) => {
    const file = path(`${codec}.parquet`);
    const compressors = {
      GZIP: (bytes: Uint8Array) => gzipSync(bytes),
      BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
      ZSTD: zstdFrame,
    };
    const data = Array.from({ length: 50 }, (_, index) => `answer ${index % 7}`);
    parquetWriteFile({ filename: file, codec, compressors, columnData: [{ name: "answer", data }] });
    expect((await all(file)).map(({ value }) => value["answer"])).toEqual(data);
  });

  it("rejects with LINES_UNREADABLE, which names the file, when it is missing, cut or no Parquet", async () => {
    const whole = path("whole.parquet");
    const data = Array.from({ length: 5000 }, (_, index) => `${index}`);
    parquetWriteFile({ filename: whole, codec: "UNCOMPRESSED", columnData: [{ name: "answer", data }] });
    const bytes = readFileSync(whole);
    writeFileSync(path("cut.parquet"), bytes.subarray(0, bytes.length - 100));
    writeFileSync(path("empty.parquet"), "");
    writeFileSync(path("text.parquet"), '{"answer": 1}\n'.repeat(9));
    // The footer is whole, and what it points to is not.
    writeFileSync(path("holed.parquet"), Buffer.concat([bytes.subarray(0, 8), bytes.subarray(2000)]));
    for (const name of ["cut", "empty", "text", "holed", "missing"])
      await expect(all(path(`${name}.parquet`)), name).rejects.toMatchObject({
        code: "LINES_UNREADABLE",
        message: expect.stringContaining(`${name}.parquet`),
      });
  });
});
