import { TroupeError, z } from "@troupe/core/sdk";
import { basename } from "node:path";
import { errors } from "../errors.js";
import { readRows, type Span } from "../math/read-rows.js";
import { testsSchema, type CodeTests } from "./code-case.js";
import { LANGUAGES, type Language } from "./sandbox.js";
import type { Settings } from "./settings.js";

/** A row that can be used. */
export interface CodeProblem {
  readonly id: string;
  readonly prompt: string;
  readonly language: Language;
  readonly prelude: string;
  readonly tests: CodeTests;
  readonly difficulty?: number;
}

/** A problem and where it stands. */
export interface LocatedCodeProblem {
  readonly row: number;
  readonly problem: CodeProblem;
  readonly span?: Span;
}

/** Where a row stands, for its error. */
export interface RowPlace {
  readonly file: string;
  readonly row: number;
  readonly goodRows: number;
}

/**
 * The problems of a file, one at a time.
 *
 * @param onBadRow called for every row that cannot be used; throwing what it is given ends the reading
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function* readCodeTasks(
  file: string,
  settings: Settings,
  onBadRow: (error: TroupeError) => void,
): AsyncGenerator<LocatedCodeProblem> {
  let goodRows = 0;
  for await (const { number, value, span } of readRows(file, columnsOf(settings))) {
    const problem = codeProblemOf(value, { file, row: number, goodRows }, settings);
    if (problem instanceof TroupeError) {
      onBadRow(problem);
      continue;
    }
    goodRows++;
    yield { row: number, problem, ...(span === undefined ? {} : { span }) };
  }
}

const NAMES = {
  prompt: ["prompt", "question", "problem"],
  tests: ["tests", "calls", "input_output", "test"],
  functionName: ["entry_point", "fn_name"],
} as const;

/** The problem in a row, or PROBLEM_ROW_INVALID with the field that is wrong, what it holds, and what is wanted. */
export function codeProblemOf(row: unknown, place: RowPlace, settings: Settings): CodeProblem | TroupeError {
  const { fields } = settings.data;
  const invalid = (field: string, found: string, wanted: string) =>
    errors.problemRowInvalid({ ...place, field, found, wanted, settings: "prompt, tests, functionName" });
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return invalid(fields.prompt ?? "prompt", "cannot be read, as the line is no JSON object", "a JSON object");
  // A JSON object is a record of unknown values.
  const record = row as Readonly<Record<string, unknown>>;
  const nameOf = (key: keyof typeof NAMES) =>
    fields[key] ?? NAMES[key].find((name) => record[name] !== undefined) ?? NAMES[key][0];
  const prompt = record[nameOf("prompt")];
  if (typeof prompt !== "string" || prompt.trim() === "") return invalid(nameOf("prompt"), describe(prompt), "text");
  const language = record[fields.language] ?? settings.data.language ?? "python";
  if (!isLanguage(language)) return invalid(fields.language, `is ${JSON.stringify(language)}`, LANGUAGES.join(" or "));
  const prelude = fields.prelude === undefined ? "" : record[fields.prelude];
  if (typeof prelude !== "string") return invalid(fields.prelude ?? "prelude", describe(prelude), "text");
  const id = record[fields.id ?? "id"] ?? `${basename(place.file)}:${place.row}`;
  if (typeof id !== "string" && typeof id !== "number")
    return invalid(fields.id ?? "id", describe(id), "text or a number");
  const raw = testsOf(record[nameOf("tests")], record[nameOf("functionName")]);
  if (typeof raw === "string") return invalid(nameOf("tests"), raw, WANTED);
  const imports = record["imports"];
  const setup = Array.isArray(imports) ? imports.join("\n") : "";
  const { time_limit_s: seconds, memory_limit_mb: memory } = record;
  const parsed = testsSchema.safeParse({
    ...raw,
    tests: raw.tests.slice(0, settings.mostTests),
    ...checkerOf(raw.mode, record["checker"]),
    ...(raw.mode === "asserts" ? { setup } : {}),
    limits: {
      ...settings.limits,
      testMs: typeof seconds === "number" ? Math.min(settings.limits.testMs, seconds * 1000) : settings.limits.testMs,
      memoryMb: typeof memory === "number" ? Math.min(settings.limits.memoryMb, memory) : settings.limits.memoryMb,
    },
    runAll: settings.runAll,
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return invalid(
      [nameOf("tests"), ...(issue?.path.slice(1) ?? [])].join("."),
      issue?.message ?? "cannot be used",
      WANTED,
    );
  }
  const { difficulty } = record;
  return {
    id: String(id),
    prompt,
    language,
    prelude,
    tests: parsed.data,
    ...(typeof difficulty === "number" ? { difficulty } : {}),
  };
}

const WANTED = "a list of {input, output}, {args, expected} or asserts, or an object with the lists inputs and outputs";

interface RawTests {
  readonly mode: "stdin" | "function" | "asserts";
  readonly functionName?: unknown;
  readonly tests: readonly unknown[];
}

const listsSchema = z.looseObject({
  inputs: z.array(z.unknown()),
  outputs: z.array(z.unknown()),
  fn_name: z.string().nullish(),
});

/** Tests in any of their forms; words where they have none of them. */
function testsOf(value: unknown, functionName: unknown): RawTests | string {
  if (value === undefined || value === null) return "is missing";
  const written = typeof value === "string" ? fromJson(value) : value;
  const lists = listsSchema.safeParse(written);
  if (lists.success) {
    const { inputs, outputs, fn_name: own } = lists.data;
    if (inputs.length !== outputs.length) return `has ${inputs.length} inputs and ${outputs.length} outputs`;
    const name = own ?? functionName;
    const tests = inputs.map((input, index) => pairOf(input, outputs[index], typeof name === "string"));
    return typeof name === "string" ? { mode: "function", functionName: name, tests } : { mode: "stdin", tests };
  }
  const isNamed = typeof functionName === "string";
  // HumanEval's way: a function of tests, which has to be called.
  if (typeof written === "string" && isNamed && written.trim() !== "") {
    const call = /^def check\(/m.test(written) ? "\ncheck(candidate)" : "";
    return { mode: "asserts", functionName, tests: [`${written}${call}`] };
  }
  if (!Array.isArray(written)) return describe(written);
  if (written.length === 0) return "is an empty list";
  if (!isNamed) return { mode: "stdin", tests: written };
  const isText = written.every((test) => typeof test === "string");
  return { mode: isText ? "asserts" : "function", functionName, tests: written };
}

/** APPS gives calls as lists of arguments and LiveCodeBench as lines of JSON; both may give stdin as a list of lines. */
function pairOf(input: unknown, output: unknown, isCall: boolean): unknown {
  if (isCall && Array.isArray(input))
    return { args: input, expected: Array.isArray(output) && output.length === 1 ? output[0] : output };
  return { input: textOf(input), output: textOf(output) };
}

function textOf(value: unknown): unknown {
  return Array.isArray(value) ? value.join("\n") : value;
}

function checkerOf(mode: RawTests["mode"], checker: unknown): object {
  if (mode !== "stdin" || checker === undefined || checker === null) return {};
  return { checker: checker === "float" ? "tokens" : checker };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isLanguage(value: unknown): value is Language {
  return LANGUAGES.some((language) => language === value);
}

function describe(value: unknown): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is null";
  if (value === "") return "is empty";
  return Array.isArray(value) ? "is a list" : `is ${typeof value === "object" ? "an object" : `a ${typeof value}`}`;
}

function columnsOf({ data: { fields } }: Settings): string[] {
  const extra = [
    fields.id ?? "id",
    fields.language,
    "imports",
    "checker",
    "time_limit_s",
    "memory_limit_mb",
    "difficulty",
  ];
  const named = (["prompt", "tests", "functionName"] as const).flatMap((key) => fields[key] ?? NAMES[key]);
  return [...new Set([...named, ...extra, ...(fields.prelude === undefined ? [] : [fields.prelude])])];
}
