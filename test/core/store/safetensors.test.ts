import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  readSafetensors,
  TensorReader,
  writeSafetensors,
  type StoredTensor,
  type StreamedTensor,
} from "../../../core/src/store/safetensors.js";

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "troupe-tensors-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const sizes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;

const anyTensor: fc.Arbitrary<StoredTensor> = fc
  .record({
    type: fc.constantFrom("F64", "F32", "F16", "BF16", "I64", "I32", "U8"),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  })
  .chain(({ type, shape }) => {
    const length = sizes[type] * shape.reduce((a, b) => a * b, 1);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ type, shape, bytes }));
  });

describe("writeSafetensors()", () => {
  it("writes what readSafetensors() reads, and leaves no other file", async () => {
    const path = join(folder, "any.safetensors");
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((name) => !name.startsWith("__")),
          anyTensor,
        ),
        fc.dictionary(
          fc.string().filter((name) => !name.startsWith("__")),
          fc.string(),
        ),
        async (tensors, metadata) => {
          await writeSafetensors(path, new Map(Object.entries(tensors)), metadata);
          const read = await readSafetensors(path);
          expect(Object.fromEntries(read.tensors)).toEqual({ ...tensors });
          expect(read.metadata).toEqual({ format: "pt", ...metadata });
          expect((readFileSync(path).readUInt32LE(0) + 8) % 8).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
    expect(readdirSync(folder)).toEqual(["any.safetensors"]);
  });

  it("throws TENSOR_FILE_NOT_VALID naming the tensor when its bytes do not fit its shape", async () => {
    const tensors = new Map([["w", { type: "F32", shape: [2], bytes: new Uint8Array(7) } as const]]);
    await expect(writeSafetensors(join(folder, "bad"), tensors)).rejects.toMatchObject({
      code: "TENSOR_FILE_NOT_VALID",
      message: expect.stringContaining('tensor "w" has 7 bytes, its shape wants 8'),
    });
    expect(readdirSync(folder)).toEqual(["any.safetensors"]);
  });

  it("has large tensors written where they belong, and TensorReader.read() reads parts of them", async () => {
    const path = join(folder, "streamed.safetensors");
    const writeTo = async (descriptor: number, position: number) =>
      void writeSync(descriptor, Uint8Array.of(1, 2, 3, 4, 5, 6), 0, 6, position);
    const last = { type: "U8", shape: [1], bytes: Uint8Array.of(7) } as const;
    const tensors = new Map<string, StoredTensor | StreamedTensor>([["w", { type: "U8", shape: [2, 3], writeTo }]]);
    await writeSafetensors(path, tensors.set("x", last));
    const reader = await TensorReader.open(path);
    expect(await reader.read("w")).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(await reader.read("x")).toEqual(last.bytes);
    expect(await reader.read("w", 2, 4)).toEqual(Uint8Array.of(3, 4));
    await expect(reader.read("v")).rejects.toThrow('tensor "v" is missing');
    await reader.close();
  });
});

describe("readSafetensors()", () => {
  const header = (text: string, data = 0) => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([prefix, Buffer.from(text), Buffer.alloc(data)]);
  };
  const entry = (fields: object) =>
    JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });

  it.each<[string, Buffer]>([
    ["it is shorter than a header", Buffer.alloc(3)],
    ["its header is longer than the file", header("{}").subarray(0, 9)],
    ["its header is not JSON", header("{")],
    ["its header is not an object", header("[]")],
    ['tensor "w" reaches past the end of the file: to byte 70, the file has 69', header(entry({}), 7)],
    ['tensor "w" has no shape', header(entry({ shape: [-1] }), 8)],
    ['tensor "w" has no data offsets', header(entry({ data_offsets: [0] }), 8)],
    ['tensor "w" has element type "F99"', header(entry({ dtype: "F99" }), 8)],
    ['tensor "w" has 8 bytes, its shape wants 12', header(entry({ shape: [3] }), 8)],
  ])("throws TENSOR_FILE_NOT_VALID when %s", async (problem, bytes) => {
    const path = join(folder, "broken");
    writeFileSync(path, bytes);
    await expect(readSafetensors(path)).rejects.toMatchObject({
      code: "TENSOR_FILE_NOT_VALID",
      message: expect.stringContaining(problem),
    });
  });

  it("throws TENSOR_FILE_NOT_VALID when there is no file", async () => {
    await expect(readSafetensors(join(folder, "nowhere"))).rejects.toMatchObject({ code: "TENSOR_FILE_NOT_VALID" });
  });
});
