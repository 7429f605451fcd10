import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../../core/src/actors/byte-reader.js";
import { ByteWriter } from "../../../core/src/actors/byte-writer.js";
import { FrameReader, FrameWriter } from "../../../core/src/actors/frame-stream.js";
import type { Received } from "../../../core/src/actors/link-frame.js";
import { settle } from "../../support/manual-clock.js";

const about = { address: "a", type: "t" };

function carried(value: unknown): unknown {
  const writer = new ByteWriter();
  writer.value(value, about);
  const reader = new ByteReader(writer.take());
  const read = reader.value();
  expect(reader.isAtEnd).toBe(true);
  return read;
}

describe("ByteWriter and ByteReader", () => {
  test("carry what structured clone carries, as it does", () => {
    const value = fc.anything({ withTypedArray: true, withBigInt: true, withDate: true, withMap: true, withSet: true });
    fc.assert(
      fc.property(value, (one) => {
        expect(carried(one)).toEqual(structuredClone(one));
      }),
      { numRuns: 500 },
    );
  });

  test("carry texts of every kind, -0, NaN, holes, buffers, views within buffers, and cycles", () => {
    const texts = ["", "x".repeat(63), "x".repeat(64), "ünï".repeat(50), "漢字", "\ud800", "\u0000", "__proto__"];
    expect(carried(texts)).toEqual(texts);
    expect(carried([-0, NaN, Infinity, 2 ** 31, -(2 ** 31), 0.1])).toEqual([
      -0,
      NaN,
      Infinity,
      2 ** 31,
      -(2 ** 31),
      0.1,
    ]);
    expect(carried(new Float32Array(new ArrayBuffer(64), 16, 4))).toEqual(new Float32Array(4));
    expect(carried(Buffer.from("ab"))).toEqual(new Uint8Array([97, 98]));
    expect(carried(new ArrayBuffer(3))).toEqual(new ArrayBuffer(3));
    const proto = carried(JSON.parse('{"__proto__": {"polluted": true}}')) as object; // An object went in.
    expect(Object.getPrototypeOf(proto)).toBe(Object.prototype);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(carried(cycle)).toEqual(cycle);
  });

  test("refuse what cannot leave the process, and hold nothing of it", () => {
    const writer = new ByteWriter();
    const moved = new Uint8Array(4);
    structuredClone(moved, { transfer: [moved.buffer] });
    for (const [value, problem] of [
      [{ call: () => 1 }, { message: expect.stringContaining("could not be cloned") }],
      [Symbol("s"), { message: expect.stringContaining("could not be cloned") }],
      [new Uint8Array(new SharedArrayBuffer(8)), { code: "MEMORY_NOT_SHARED" }],
      [[moved], { code: "BUFFER_DETACHED" }],
    ] as const) {
      expect(() => writer.value(value, about)).toThrow(expect.objectContaining(problem));
      expect(writer.length).toBe(0);
    }
  });

  test("fail and ask for no memory when bytes are cut or made up", () => {
    const writer = new ByteWriter();
    writer.value({ list: [1, "two", new Float64Array(3)], text: "ünï".repeat(40) }, about);
    const bytes = writer.take();
    for (let length = 0; length < bytes.length; length += 1)
      expect(() => new ByteReader(Buffer.from(bytes.subarray(0, length))).value()).toThrow();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (random) => {
        try {
          new ByteReader(Buffer.from(random)).value();
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

describe("FrameWriter and FrameReader", () => {
  const cancel = (id: number) => ({ kind: "cancel", id }) as const;
  const deliver = (id: number, message: unknown) =>
    ({ kind: "deliver", delivery: { id, type: "t", message, asks: true, isUrgent: false } }) as const;

  test("keep each lane's order and lose nothing however the bytes are cut", async () => {
    const arrives = fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(arrives, fc.integer({ min: 500, max: 70_000 }), async (sizes, cut) => {
        const chunks: Buffer[] = [];
        const writer = new FrameWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) > 0 });
        for (const [id, size] of sizes.entries()) {
          writer.send("user", 7, deliver(id, new Uint8Array(size).fill(id)), about);
          writer.send("system", 7, cancel(id), about);
        }
        await settle();
        const heard: Received[] = [];
        const reader = new FrameReader((received) => heard.push(received));
        const bytes = Buffer.concat(chunks);
        for (let at = 0; at < bytes.length; at += cut) reader.push(bytes.subarray(at, at + cut));
        expect(writer.queuedBytes).toBe(0);
        expect(heard.slice(0, sizes.length)).toEqual(sizes.map((_, id) => ({ channel: 7, frame: cancel(id) })));
        for (const [id, { frame }] of heard.slice(sizes.length).entries()) {
          // One deliver frame for each size, in order.
          const { delivery } = frame as ReturnType<typeof deliver>;
          const bytes = delivery.message as Uint8Array; // As it was sent.
          expect([delivery.id, bytes.length, Buffer.alloc(bytes.length, id).equals(bytes)]).toEqual([
            id,
            sizes[id],
            true,
          ]);
        }
      }),
      { numRuns: 10 },
    );
  });

  test("messages share frames, and arrive as they were sent, one that cannot travel left out", async () => {
    const sent = fc.record({
      channel: fc.integer({ min: 1, max: 2 }),
      type: fc.constantFrom("a", "b"),
      asks: fc.boolean(),
      skipped: fc.integer({ min: 0, max: 1 }),
      message: fc.oneof(
        { weight: 2, arbitrary: fc.jsonValue() },
        // Of few shapes, also within each other: names are written once.
        {
          weight: 4,
          arbitrary: fc.array(fc.record({ id: fc.nat(), in: fc.record({ x: fc.nat() }, { requiredKeys: [] }) })),
        },
        { weight: 1, arbitrary: fc.constant([{ id: 1, out: 2 }, { bad: { x: () => 1 } }]) },
        { weight: 1, arbitrary: fc.constant(() => 1) },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { maxLength: 60 }), async (all) => {
        const chunks: Buffer[] = [];
        const writer = new FrameWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) > 0 });
        const wanted: Received[] = [];
        // Ids wrap around in the middle.
        let id = 2 ** 31 - 30;
        for (const { channel, type, asks, skipped, message } of all) {
          id = (id + 1 + skipped) | 0;
          const frame = { kind: "deliver", delivery: { id, type, message, asks, isUrgent: false } } as const;
          if (JSON.stringify(message, (_, part) => (typeof part === "function" ? "no" : part)).includes('"no"')) {
            expect(() => writer.send("user", channel, frame, about)).toThrow();
            continue;
          }
          writer.send("user", channel, frame, about);
          wanted.push({ channel, frame });
        }
        await settle();
        const heard: Received[] = [];
        new FrameReader((received) => heard.push(received)).push(Buffer.concat(chunks));
        expect(heard).toEqual(wanted);
        expect(writer.queuedBytes).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("a turn's messages of one type to one actor travel in a few frames", async () => {
    const chunks: Buffer[] = [];
    const writer = new FrameWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) > 0 });
    for (let id = 1; id <= 1000; id += 1) writer.send("user", 3, deliver(id, id), about);
    await settle();
    // Five bytes a message, where a frame of its own would take twenty more.
    expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(5_100);
    const heard: Received[] = [];
    new FrameReader((received) => heard.push(received)).push(Buffer.concat(chunks));
    expect(heard).toEqual(
      Array.from({ length: 1000 }, (_, index) => ({ channel: 3, frame: deliver(index + 1, index + 1) })),
    );
  });

  test("handled messages are reported as they are", async () => {
    const chunks: Buffer[] = [];
    const writer = new FrameWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) > 0 });
    const frame = { kind: "done", ids: [1, -5, 2 ** 31 - 1, -(2 ** 31)] } as const;
    writer.send("user", 9, frame, about);
    await settle();
    const heard: Received[] = [];
    new FrameReader((received) => heard.push(received)).push(Buffer.concat(chunks));
    expect(heard).toEqual([{ channel: 9, frame }]);
  });

  test("system frames overtake a large message that the stream has no room for", async () => {
    const chunks: Buffer[] = [];
    const writer = new FrameWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) === 0 });
    const heard: string[] = [];
    const reader = new FrameReader(({ frame }) => heard.push(frame.kind));
    writer.send("user", 1, deliver(1, new Uint8Array(1 << 20)), about);
    await settle();
    writer.send("system", 1, cancel(1), about);
    while (writer.queuedBytes > 0) writer.drained();
    for (const bytes of chunks) reader.push(bytes);
    expect(heard).toEqual(["cancel", "deliver"]);
    expect(chunks.length).toBeGreaterThan(10);
  });

  test("a frame of nonsense is refused", () => {
    const reader = new FrameReader(() => {});
    expect(() => reader.push(Buffer.from([1, 0, 0, 0, 99]))).toThrow(
      expect.objectContaining({ code: "FRAME_NOT_VALID" }),
    );
  });
});
