import { z } from "@troupe/core/sdk";
import { OUTPUT_CHECKERS } from "./compare-output.js";
import { LANGUAGES } from "./sandbox.js";

/** LiveCodeBench's 6 s for a test; the rest by what contests allow. */
export const limitsSchema = z.strictObject({
  testMs: z.int().min(1).max(600_000).default(6000).describe("Wall time of one test, milliseconds"),
  totalMs: z
    .int()
    .min(1)
    .optional()
    .describe(
      "Wall time of all tests of a program together, milliseconds; time spent waiting for a core does not count. Absent is LiveCodeBench's: (testMs + 1000) for each test, and 5000",
    ),
  memoryMb: z.int().min(16).max(65_536).default(512).describe("Memory of a program, all its processes together, MiB"),
  outputKb: z.int().min(1).max(8192).default(1024).describe("What a test may write, KiB"),
});

const json = z.json();
const name = z.string().regex(/^[A-Za-z_$][\w$]*$/, "the name of a function");

const program = z.string().describe("The source of the program");
const language = z.enum(LANGUAGES).default("python");
const tolerance = z
  .number()
  .min(0)
  .max(1)
  .default(1e-6)
  .describe("How far numbers with a point may be off, absolute or relative");

/** A special judge: a program that reads one JSON object {input, output, expected} and prints "accept" or "reject". */
const judgeProgram = z.strictObject({ language, program });

const stdin = {
  mode: z.literal("stdin"),
  tests: z.array(z.strictObject({ input: z.string(), output: z.string() })),
  checker: z
    .union([z.enum(OUTPUT_CHECKERS), judgeProgram])
    .default("lines")
    .describe('How stdout is compared: "lines", "tokens", "exact", or a program that decides'),
};

/** Arguments and result as JSON values, or as texts of JSON: one argument a line, integers of any size. */
const call = z.union([
  z.strictObject({ args: z.array(json), expected: json }),
  z.strictObject({ input: z.string(), output: z.string() }),
]);
const functionCall = { mode: z.literal("function"), functionName: name, tests: z.array(call) };

/** Sources of tests that call the function, under its name or as `candidate`, and assert. */
const asserts = {
  mode: z.literal("asserts"),
  functionName: name,
  tests: z.array(z.string()),
  setup: z.string().default("").describe("Source that the tests build on: imports, given functions"),
};

const limits = limitsSchema.prefault({});
const runAll = z.boolean().default(false).describe("Goes on after the first failure, so that the pass rate is exact");

/** How a program is tested, apart from the program. */
export const testsSchema = z.discriminatedUnion("mode", [
  z.strictObject({ ...stdin, tolerance, limits, runAll }),
  z.strictObject({ ...functionCall, tolerance, limits, runAll }),
  z.strictObject({ ...asserts, limits, runAll }),
]);

/** A program with its tests: what `verifyCode` takes, and a line of `troupe verify code --jsonl`. */
export const codeCaseSchema = z.discriminatedUnion("mode", [
  z.strictObject({ language, program, ...stdin, tolerance, limits, runAll }),
  z.strictObject({ language, program, ...functionCall, tolerance, limits, runAll }),
  z.strictObject({ language, program, ...asserts, limits, runAll }),
]);

/** Checked tests. */
export type CodeTests = z.output<typeof testsSchema>;

/** A checked program with its tests. */
export type CodeCase = z.output<typeof codeCaseSchema>;

/** As it may be written: with defaults left out. */
export type CodeCaseInput = z.input<typeof codeCaseSchema>;
