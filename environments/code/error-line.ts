const NAMED = /^(\w[\w.]*)?(Error|Exception|Interrupt|Exit|Iteration)\b/;

/** What a program complained about, of all that it wrote to stderr: the line that names an error, or the last one. */
export function errorIn(stderr: string): string {
  const lines = stderr.trimEnd().split("\n");
  return (lines.findLast((line) => NAMED.test(line)) ?? lines.at(-1) ?? "").slice(0, 200);
}

/** The answer to a call that failed. */
export function answeredError(says: string): string {
  return JSON.stringify({ error: says });
}
