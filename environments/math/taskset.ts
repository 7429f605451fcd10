import { deriveKey, TroupeError, type Split, type Task, type Taskset } from "@troupe/core/sdk";
import { resolve } from "node:path";
import { errors } from "../errors.js";
import { readCalculation, type Calculation } from "./calculation.js";
import { problemOf, readProblems, type Problem } from "./read-problems.js";
import { readRowAt, type Span } from "./read-rows.js";
import { INSTRUCTION, type Settings } from "./settings.js";

/** A taskset that knows what became of the rows of its file. */
export interface ProblemTaskset extends Taskset {
  /** Usable rows, both splits together. */
  readonly rows: number;
  /** Rows left out because `data.onBadRow` is "skip". */
  readonly skipped: number;
}

/**
 * One split of a problem file. Problems of a JSON Lines file stay on disk: only their places are kept, 16 bytes each, and
 * `at` reads the row again.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN, PROBLEM_ROW_INVALID, PROBLEM_SET_EMPTY
 */
export async function problemTaskset(settings: Settings, split: Split, baseDirectory: string): Promise<ProblemTaskset> {
  const file = resolve(baseDirectory, settings.data.path);
  const { fields, onBadRow, limit = Infinity, heldOut } = settings.data;
  const tasks = settings.view === "problems" ? new ProblemTasks(file, settings) : new CalculationTasks(settings);
  let rows = 0;
  let skipped = 0;
  const located = readProblems(file, fields, (error) => {
    if (onBadRow === "stop") throw error;
    skipped++;
  });
  for await (const { problem, row, span } of located) {
    rows++;
    tasks.add(problem, row, span, (key) => splitOf(key, heldOut) === split);
    if (rows >= limit) break;
  }
  if (tasks.size === 0) throw errors.problemSetEmpty({ file, split, rows: rows + skipped, skipped });
  return { size: tasks.size, at: (index) => tasks.at(index), rows, skipped };
}

/** The split of an id or a calculation: the same for every seed, so nothing held out is ever trained on. */
export function splitOf(key: string, heldOut: number): Split {
  return deriveKey(0, "math/split", key)[0] / 2 ** 32 < heldOut ? "eval" : "train";
}

interface Place {
  readonly row: number;
  readonly span: Span;
}

class ProblemTasks {
  readonly #file: string;
  readonly #settings: Settings;
  readonly #places: (Problem | Place)[] = [];

  constructor(file: string, settings: Settings) {
    this.#file = file;
    this.#settings = settings;
  }

  get size(): number {
    return this.#places.length;
  }

  add(problem: Problem, row: number, span: Span | undefined, isWanted: (key: string) => boolean): void {
    if (isWanted(problem.id)) this.#places.push(span === undefined ? problem : { row, span });
  }

  at(index: number): Task {
    // Whoever asks for an index has checked it against the size.
    const place = this.#places[index] as Problem | Place;
    const problem = "span" in place ? this.#readAgain(place, index) : place;
    if (problem instanceof TroupeError) throw problem;
    return {
      id: problem.id,
      domain: "math",
      prompt: promptOf(problem.problem, this.#settings.instruction ?? INSTRUCTION),
      reference: problem.answer,
      meta: problem.difficulty === undefined ? {} : { difficulty: problem.difficulty },
    };
  }

  #readAgain({ row, span }: Place, goodRows: number): Problem | TroupeError {
    const { fields } = this.#settings.data;
    return problemOf(readRowAt(this.#file, span), { file: this.#file, row, goodRows }, fields);
  }
}

class CalculationTasks {
  readonly #settings: Settings;
  readonly #seen = new Set<string>();
  readonly #calculations: Calculation[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#calculations.length;
  }

  add(problem: Problem, _row: number, _span: Span | undefined, isWanted: (key: string) => boolean): void {
    for (const text of problem.calculations) {
      const calculation = readCalculation(text, this.#settings.calculations);
      if (calculation === undefined || this.#seen.has(calculation.left)) continue;
      this.#seen.add(calculation.left);
      if (isWanted(calculation.left)) this.#calculations.push(calculation);
    }
  }

  at(index: number): Task {
    // Whoever asks for an index has checked it against the size.
    const { left, result, operators } = this.#calculations[index] as Calculation;
    return {
      id: `calculation ${left}`,
      domain: "math",
      prompt: promptOf(left, this.#settings.instruction ?? ""),
      reference: result,
      meta: { difficulty: operators },
    };
  }
}

function promptOf(problem: string, instruction: string): Task["prompt"] {
  return [{ role: "user", content: instruction === "" ? problem : `${problem} ${instruction}` }];
}
