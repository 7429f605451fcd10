import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createRing, RingReader, RingWriter } from "../../../core/src/actors/shared-ring.js";
import { settle } from "../../support/manual-clock.js";

test("a ring gives every record once, in order, as it was written, when it wraps and fills up", async () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(lengths, async (sizes) => {
      const ends = createRing(128);
      const heard: string[] = [];
      const reader = new RingReader(ends.reader, (record) => heard.push(Buffer.from(record).toString("latin1")));
      const writer = new RingWriter(ends.writer);
      const records = sizes.map((size, index) => Buffer.from(String.fromCharCode(33 + (index % 90)).repeat(size)));
      for (const record of records) while (!writer.write(record)) await writer.room();
      while (heard.length < records.length) await settle();
      reader.close();
      expect(heard).toEqual(records.map((record) => record.toString("latin1")));
    }),
    { numRuns: 30 },
  );
});

test("a ring carries 200 000 records to another thread while its writer is slowed down to the reader's pace", async () => {
  const { writer: end, reader } = createRing(1 << 14);
  const built = new URL("../../../core/dist/src/actors/shared-ring.js", import.meta.url).href;
  const source = `
    import { parentPort, workerData } from "node:worker_threads";
    import { RingReader } from "${built}";
    let count = 0;
    let sum = 0;
    const reader = new RingReader(workerData, (record) => {
      count += 1;
      sum = (sum * 31 + record[0] + record.length) | 0;
      if (count < 200000) return;
      parentPort.postMessage({ count, sum });
      reader.close();
    });`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: reader,
    transferList: [reader.port],
  });
  const answer = new Promise((resolve) => worker.once("message", resolve));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  const writer = new RingWriter(end);
  let sum = 0;
  for (let n = 0; n < 200_000; n += 1) {
    const record = new Uint8Array(1 + (n % 97)).fill(n);
    sum = (sum * 31 + (n & 255) + record.length) | 0;
    while (!writer.write(record)) await writer.room();
  }
  expect(await answer).toEqual({ count: 200_000, sum });
  expect(await ended).toBe(0);
});

test("write() refuses a record that could never fit", () => {
  const { writer, reader } = createRing(64);
  const small = new RingWriter(writer);
  expect(() => small.write(new Uint8Array(33))).toThrow(expect.objectContaining({ code: "RECORD_TOO_LARGE" }));
  expect(small.write(new Uint8Array(28))).toBe(true);
  reader.port.close();
});
