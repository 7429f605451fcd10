import { deriveKey, TroupeError, type Split, type Task, type Taskset } from "@troupe/core/sdk";
import { resolve } from "node:path";
import { errors } from "../errors.js";
import { readRowAt, type Span } from "../math/read-rows.js";
import { codeProblemOf, readCodeTasks, type CodeProblem } from "./read-code-tasks.js";
import type { Settings } from "./settings.js";

/** A taskset that knows what became of the rows of its file. */
export interface CodeTaskset extends Taskset {
  /** Usable rows, both splits together. */
  readonly rows: number;
  /** Rows left out because `data.onBadRow` is "skip". */
  readonly skipped: number;
}

interface Place {
  readonly row: number;
  readonly span: Span;
}

/**
 * One split of a file of programming problems. Problems of a JSON Lines file stay on disk and are read again by `at`.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN, PROBLEM_ROW_INVALID, PROBLEM_SET_EMPTY
 */
export async function codeTaskset(settings: Settings, split: Split, baseDirectory: string): Promise<CodeTaskset> {
  const file = resolve(baseDirectory, settings.data.path);
  const { onBadRow, limit = Infinity, heldOut } = settings.data;
  const places: (CodeProblem | Place)[] = [];
  let rows = 0;
  let skipped = 0;
  const located = readCodeTasks(file, settings, (error) => {
    if (onBadRow === "stop") throw error;
    skipped++;
  });
  for await (const { problem, row, span } of located) {
    rows++;
    if (splitOf(problem.id, heldOut) === split) places.push(span === undefined ? problem : { row, span });
    if (rows >= limit) break;
  }
  if (places.length === 0) throw errors.problemSetEmpty({ file, split, rows: rows + skipped, skipped });
  const at = (index: number): Task => {
    // Whoever asks for an index has checked it against the size.
    const place = places[index] as CodeProblem | Place;
    const problem =
      "span" in place
        ? codeProblemOf(readRowAt(file, place.span), { file, row: place.row, goodRows: index }, settings)
        : place;
    if (problem instanceof TroupeError) throw problem;
    return taskOf(problem, settings);
  };
  return { size: places.length, at, rows, skipped };
}

/** The split of an id: the same for every seed, so nothing held out is ever trained on. */
function splitOf(id: string, heldOut: number): Split {
  return deriveKey(0, "code/split", id)[0] / 2 ** 32 < heldOut ? "eval" : "train";
}

function taskOf({ id, prompt, language, prelude, tests, difficulty }: CodeProblem, settings: Settings): Task {
  return {
    id,
    domain: "code",
    prompt: [{ role: "user", content: `${prompt}\n\n${settings.instruction ?? instructionFor(language, tests)}` }],
    reference: JSON.stringify({ language, prelude, tests }),
    meta: { language, ...(difficulty === undefined ? {} : { difficulty }) },
  };
}

function instructionFor(language: CodeProblem["language"], tests: CodeProblem["tests"]): string {
  const name = language === "python" ? "Python" : "JavaScript";
  const what =
    tests.mode === "stdin"
      ? `a ${name} program that reads standard input and writes standard output`
      : `the function ${tests.functionName} in ${name}`;
  return `Write ${what}. Put all of it into one block that begins with \`\`\`${language} and ends with \`\`\`.`;
}
