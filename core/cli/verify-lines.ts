import { createReadStream } from "node:fs";
import { systemClock } from "../src/actors/clock.js";
import { readLines } from "../src/store/read-lines.js";
import { judgeLines } from "../src/verify/judge-lines.js";
import type { OpenJudge } from "../src/verify/open-judge.js";
import { openOutput } from "./open-output.js";

/**
 * `troupe verify NAME --jsonl FILE`: a verdict line for every line, in order; a malformed line gets an error line with
 * its number. Sets exit code 4 at the end when there was one.
 *
 * @param file a path, or "-" for standard input
 * @throws LINES_UNREADABLE
 */
export async function verifyLines(
  judge: OpenJudge,
  file: string,
  options: { readonly explain: boolean },
): Promise<void> {
  const source = file === "-" ? "standard input" : file;
  const lines = readLines(file === "-" ? process.stdin : createReadStream(file, { highWaterMark: 2 ** 18 }), source);
  const output = openOutput(process.stdout);
  let refused = 0;
  for await (const found of judgeLines(judge, lines, { ...options, source, clock: systemClock })) {
    if ("error" in found) {
      refused++;
      const { code, message, hint } = found.error;
      await output.line({ line: found.line, error: { code, message, hint } });
    } else {
      await output.line(found);
    }
    if (output.isClosed) return;
  }
  await output.end();
  if (refused === 0) return;
  process.stderr.write(
    `${refused} ${refused === 1 ? "line was no case" : "lines were no cases"}; each has its error line\n`,
  );
  process.exitCode = 4;
}
