import { describe, expect, test } from "vitest";
import { makeSendable, snapshot } from "../../../core/src/actors/sendable.js";

const about = { address: "a", type: "t" };

describe("makeSendable()", () => {
  test("cuts small views out of their buffers and leaves the message as it was", () => {
    const large = new ArrayBuffer(1 << 20);
    const message = {
      deep: [{ view: new Float32Array(large, 16, 4) }, "text"],
      view: new DataView(large, 8, 8),
      pooled: Buffer.from("ab"),
    };
    const sent = makeSendable(message, [], about) as typeof message; // The same shape comes back.
    expect(sent.deep[0]).toEqual(message.deep[0]);
    expect((sent.deep[0] as { view: Float32Array }).view.buffer.byteLength).toBe(16); // The first item is the object.
    expect(sent.view.buffer.byteLength).toBe(8);
    expect(sent.pooled.buffer.byteLength).toBe(2);
    expect(message.view.buffer).toBe(large);
    expect(sent).not.toBe(message);
  });

  test("gives the message itself when nothing needs to be cut", () => {
    const buffer = new ArrayBuffer(64);
    const shared = new SharedArrayBuffer(1 << 16);
    const message = {
      whole: new Uint8Array(buffer),
      most: new Uint8Array(buffer, 0, 60),
      shared: new Uint8Array(shared, 0, 1),
      empty: new Uint8Array(0),
    };
    expect(makeSendable(message, [], about)).toBe(message);
    const moving = { view: new Uint8Array(buffer, 0, 1) };
    expect(makeSendable(moving, [buffer], about)).toBe(moving);
  });

  test("throws BUFFER_DETACHED when a buffer was moved before", () => {
    const view = new Uint8Array(8);
    structuredClone(view, { transfer: [view.buffer] });
    for (const [message, transfer] of [
      [{ view }, []],
      [view.buffer, []],
      [null, [view.buffer]],
    ] as const) {
      expect(() => makeSendable(message, transfer, about)).toThrow(
        expect.objectContaining({ code: "BUFFER_DETACHED" }),
      );
    }
  });

  test("ends when a message contains itself", () => {
    const message: Record<string, unknown> = { small: new Uint8Array(new ArrayBuffer(64), 0, 1) };
    message["self"] = message;
    expect(structuredClone(makeSendable(message, [], about))).toBeDefined();
  });
});

describe("snapshot()", () => {
  test("stays the same when the sender changes its own, and takes the buffers that move", () => {
    const moved = new Uint8Array([1, 2]);
    const message = { list: [1], moved };
    const taken = snapshot(message, [moved.buffer], about);
    message.list.push(2);
    expect(taken).toEqual({ list: [1], moved: new Uint8Array([1, 2]) });
    expect(moved.byteLength).toBe(0);
  });

  test("throws MESSAGE_NOT_CLONEABLE when the message holds a function", () => {
    expect(() => snapshot({ call: () => 1 }, [], about)).toThrow(
      expect.objectContaining({ code: "MESSAGE_NOT_CLONEABLE" }),
    );
  });
});
