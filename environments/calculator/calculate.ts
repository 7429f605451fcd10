/** Digits of an operand that are read; nothing in a problem comes near. */
const CALL = /^\s*(-?\d{1,15})\s*([-+*])\s*(-?\d{1,15})\s*$/;

/** What the tool says to a call that it cannot read. */
export const UNREADABLE = "error: one operation on two whole numbers is wanted, such as <calc>2+3</calc>";

/** The last call in a text, without its tags; undefined when there is none. */
export function lastCall(text: string): string | undefined {
  const end = text.lastIndexOf("</calc>");
  const start = end < 0 ? -1 : text.lastIndexOf("<calc>", end);
  return start < 0 ? undefined : text.slice(start + "<calc>".length, end);
}

/** One operation on two whole numbers, exactly. */
export function calculate(call: string): string {
  const [, left, operation, right] = CALL.exec(call) ?? [];
  if (left === undefined || right === undefined) return UNREADABLE;
  const [a, b] = [BigInt(left), BigInt(right)];
  return String(operation === "+" ? a + b : operation === "-" ? a - b : a * b);
}
