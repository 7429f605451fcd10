/**
 * What in a plugin's state JSON would lose in silence: a resumed run would go on with another state than the one that was
 * saved. A property that is undefined is left out, which is the same on both sides.
 *
 * @param state without cycles
 * @returns the first such place and what was found there; undefined when the state is plain data
 */
export function notPlain(state: unknown, place = "the state"): string | undefined {
  if (state === null || typeof state === "string" || typeof state === "boolean" || Number.isFinite(state))
    return undefined;
  if (Array.isArray(state)) return firstOf(state.map((item, index) => [`${place}[${index}]`, item]));
  if (typeof state !== "object" || !isPlainObject(state))
    return `${place} is ${nameOf(state)}, which JSON cannot hold: plain data is wanted`;
  const held = Object.entries(state).filter(([, item]) => item !== undefined);
  return firstOf(held.map(([key, item]) => [`${place}.${key}`, item]));
}

function firstOf(parts: readonly (readonly [place: string, part: unknown])[]): string | undefined {
  for (const [place, part] of parts) {
    const found = notPlain(part, place);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function nameOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "object" && value !== null ? `a ${value.constructor.name}` : `a ${typeof value}`;
}
