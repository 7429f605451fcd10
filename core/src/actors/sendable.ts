import type { Movable } from "./movable.js";
import { errors } from "../errors.js";

/** Structured clone takes deeper messages too; this deep they are looked through for views. */
const MAX_DEPTH = 8;

/**
 * A message as it should be cloned. Structured clone copies the whole buffer behind a view, and on Node 20 sends a
 * detached buffer as an empty one: views of at most half their buffer are cut out, and detached buffers are refused.
 * Only plain objects and arrays are looked into; the message itself is never changed.
 *
 * @param transfer buffers that will move, so their views stay as they are
 * @throws BUFFER_DETACHED
 */
export function makeSendable(
  message: unknown,
  transfer: readonly Movable[],
  about: { address: string; type: string },
): unknown {
  for (const one of transfer) if (one instanceof ArrayBuffer) refuseDetached(one, about);
  return cutViews(message, transfer, about, 0);
}

/**
 * A copy of a message as it is now; buffers in `transfer` move into it.
 *
 * @throws BUFFER_DETACHED, MESSAGE_NOT_CLONEABLE
 */
export function snapshot(
  message: unknown,
  transfer: readonly Movable[],
  about: { address: string; type: string },
): unknown {
  const sendable = makeSendable(message, transfer, about);
  try {
    return structuredClone(sendable, { transfer: [...transfer] });
  } catch (cause) {
    throw errors.messageNotCloneable({ ...about, problem: String(cause), outcome: "not-run" }, cause);
  }
}

function cutViews(
  value: unknown,
  transfer: readonly Movable[],
  about: { address: string; type: string },
  depth: number,
): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (ArrayBuffer.isView(value)) {
    const { buffer } = value;
    if (!(buffer instanceof ArrayBuffer) || transfer.includes(buffer)) return value;
    refuseDetached(buffer, about);
    return value.byteLength <= buffer.byteLength / 2 && buffer.byteLength > 0 ? cutOut(value, buffer) : value;
  }
  if (value instanceof ArrayBuffer) {
    refuseDetached(value, about);
    return value;
  }
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];
      const kept = cutViews(item, transfer, about, depth + 1);
      if (kept !== item) (copy ??= [...value])[index] = kept;
    }
    return copy ?? value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const fields = value as Readonly<Record<string, unknown>>; // A plain object.
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields)) {
    const item = fields[key];
    const kept = cutViews(item, transfer, about, depth + 1);
    if (kept !== item) (copy ??= { ...fields })[key] = kept;
  }
  return copy ?? value;
}

function cutOut(view: ArrayBufferView, buffer: ArrayBuffer): ArrayBufferView {
  const own = buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  // Structured clone makes a Uint8Array of a Buffer anyway.
  if (view instanceof Uint8Array) return new Uint8Array(own);
  // Every other view's constructor takes a buffer.
  const View = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new View(own);
}

/** @throws BUFFER_DETACHED when the buffer was moved away */
export function refuseDetached(buffer: ArrayBuffer, about: { address: string; type: string }): void {
  if (buffer.byteLength > 0) return;
  try {
    // Node 20 has no `detached`; a view over a detached buffer cannot be made.
    new Uint8Array(buffer);
  } catch (cause) {
    throw errors.bufferDetached({ ...about, outcome: "not-run" }, cause);
  }
}
