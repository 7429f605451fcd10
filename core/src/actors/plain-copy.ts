/** What `plainCopy` gives for anything that only structured clone can copy, or refuse. */
export const NOT_PLAIN = Symbol("not plain");

/** As deep as messages are looked through for views. */
const MAX_DEPTH = 8;

/**
 * A copy of plain data as it is now: primitives, plain objects, arrays, and views, whose buffers are copied and added to
 * `owned`. Gives NOT_PLAIN for everything else. A message that waits to be sent with others must not change meanwhile.
 */
export function plainCopy(value: unknown, owned: ArrayBuffer[], depth = 0): unknown {
  if (typeof value !== "object" || value === null)
    return typeof value === "function" || typeof value === "symbol" ? NOT_PLAIN : value;
  if (depth > MAX_DEPTH) return NOT_PLAIN;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const item = plainCopy(value[index], owned, depth + 1);
      if (item === NOT_PLAIN) return NOT_PLAIN;
      copy.push(item);
    }
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return objectCopy(value, owned, depth);
  return ArrayBuffer.isView(value) ? viewCopy(value, owned) : NOT_PLAIN;
}

function objectCopy(value: object, owned: ArrayBuffer[], depth: number): unknown {
  const copy = { ...value } as Record<string, unknown>; // A plain object.
  for (const key in copy) {
    const field = copy[key];
    if (typeof field === "function" || typeof field === "symbol") return NOT_PLAIN;
    if (typeof field !== "object" || field === null) continue;
    const kept = plainCopy(field, owned, depth + 1);
    if (kept === NOT_PLAIN) return NOT_PLAIN;
    copy[key] = kept;
  }
  return copy;
}

function viewCopy(view: ArrayBufferView, owned: ArrayBuffer[]): unknown {
  const { buffer } = view;
  // An empty buffer may be a detached one, which is refused elsewhere.
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return NOT_PLAIN;
  const own = buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  owned.push(own);
  // Structured clone makes a Uint8Array of a Buffer anyway.
  if (view instanceof Uint8Array) return new Uint8Array(own);
  // Every other view's constructor takes a buffer.
  const View = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new View(own);
}
