// One command for each stage, each a few lines of options: together they show what curation can do.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { Command } from "commander";
import { keepProcessAlive } from "../../src/actors/clock.js";
import { curate, sha256Of } from "../../src/data/curate.js";
import { chainOf, filesOf, readReport, type CurationReport } from "../../src/data/curation-report.js";
import { POOLS } from "../../src/data/difficulty.js";
import type { StageOrder } from "../../src/data/stages.js";
import { errors } from "../../src/errors.js";
import { percent } from "../render/quantities.js";
import { textTable } from "../render/table.js";
import { wholeNumber } from "../whole-number.js";
import { defineDataSample } from "./data-sample.js";

/** Options that every stage has. */
interface CommonFlags {
  readonly out: string;
  readonly id: string;
  readonly problem: string;
  readonly answer: string;
  readonly threads?: string;
  readonly restart?: boolean;
}

type Flags = CommonFlags & Readonly<Record<string, unknown>>;

interface StageCommand {
  readonly name: string;
  readonly description: string;
  /** Options of this stage alone: flags, what they mean, and the default. */
  readonly options: readonly (readonly [flags: string, description: string, fallback?: string])[];
  /** Whether judging takes most of the time, so that all cores should. */
  readonly isHeavy?: boolean;
  order(flags: Flags): StageOrder | Promise<StageOrder>;
}

const JUDGE = ["--judge <environment>", "environment whose verifier judges, by name or path", "math"] as const;
const ROLLOUT_OPTIONS = [
  ["--rollouts <file>", "answers, lines of {id, response, tokens?} in any order"],
  ["--policy <name>", "who wrote the answers; kept with every score"],
  ["--sampling <text>", "how they were sampled; kept with every score", "not stated"],
  ["--prefix <text>", "what the prompt wrote into the assistant's turn before each response", ""],
  JUDGE,
] as const;

const STAGES: readonly StageCommand[] = [
  {
    name: "filter",
    description: "drop multiple choice, several parts, true or false, proofs, figures, other languages, odd answers",
    options: [
      ["--min-words <count>", "words of a question at least", "3"],
      ["--max-answer <count>", "characters of an answer at most", "80"],
      ["--judge <environment>", "also drop rows whose answer its verifier cannot check against itself"],
      ["--not-after <date>", "also drop rows released later: 2024-08-01"],
      ["--date <column>", "column with the release date", "date"],
    ],
    order: (flags) => ({
      stage: "filter",
      columns: columnsOf(flags),
      limits: { minWords: whole(flags, "min-words", 1), maxAnswerCharacters: whole(flags, "max-answer", 1) },
      judge: text(flags, "judge") === undefined ? null : judgeOf(flags),
      notAfter: text(flags, "not-after") === undefined ? null : { date: dateOf(flags), column: wanted(flags, "date") },
    }),
  },
  {
    name: "dedup",
    description: "keep the first of rows that are alike in any of some columns, whatever their layout",
    options: [["--by <columns>", "columns to compare, with commas; the problem's unless given"]],
    order: (flags) => ({ stage: "dedup", columns: (text(flags, "by") ?? flags.problem).split(",") }),
  },
  {
    name: "decontaminate",
    description: "drop rows that share n words in a row with a benchmark",
    options: [
      [
        "--against <files>",
        "benchmarks, JSON Lines or Parquet, with commas; FILE:COLUMN where the text is not in --problem's",
      ],
      ["--n <count>", "words in a row: 9 for mathematics, 14 for code", "9"],
    ],
    order: async (flags) => ({
      stage: "decontaminate",
      column: flags.problem,
      n: whole(flags, "n", 1),
      against: await Promise.all(
        wanted(flags, "against")
          .split(",")
          .map(async (one) => {
            const [, path = one, column = flags.problem] = /^(.+?)(?::([\w.]+))?$/.exec(one) ?? [];
            return { path, column, sha256: await sha256Of(path) };
          }),
      ),
    }),
  },
  {
    name: "references",
    description: "keep rows whose own worked reference passes its verifier: solutions, programs against their tests",
    options: [
      JUDGE,
      [
        "--case <fields>",
        "fields of a case from columns, with commas: gold=answer,response=solution; language==python is a constant",
      ],
      ["--expect <verdict>", "pass, or fail for wrong programs: tests that pass one are too weak", "pass"],
    ],
    isHeavy: true,
    order: (flags) => ({
      stage: "references",
      judge: judgeOf(flags),
      fields: caseFields(wanted(flags, "case")),
      expect: expectOf(flags),
    }),
  },
  {
    name: "vote",
    description: "keep rows whose reference is what a teacher answers most often; adds the difficulty",
    options: ROLLOUT_OPTIONS,
    isHeavy: true,
    order: (flags) => scoring("vote", flags),
  },
  {
    name: "score",
    description: "judge a policy's answers and add to each row how often it was solved, by whom, and judged by what",
    options: ROLLOUT_OPTIONS,
    isHeavy: true,
    order: (flags) => scoring("score", flags),
  },
  {
    name: "keep",
    description: "keep rows by how often they were solved",
    options: [
      [
        "--pool <name>",
        `solved at most so often of 16: ${Object.entries(POOLS)
          .map(([name, most]) => `${name} ${most}`)
          .join(", ")}`,
      ],
      ["--max-passes <count>", "or solved at most so often"],
      ["--max-failures <count>", "or failed at most so often"],
      ["--of <count>", "attempts that every score has", "16"],
    ],
    order: (flags) => ({ stage: "keep", limits: { of: whole(flags, "of", 1), ...passLimits(flags) } }),
  },
  {
    name: "lengths",
    description: "drop rows that a teacher answers briefly, and thin out the next longer ones",
    options: [
      ["--column <path>", "where a row has the tokens of its answers", "difficulty.tokens"],
      ["--min <tokens>", "shorter is dropped", "2000"],
      ["--sample-to <tokens>", "up to this, with it, one row in --one-in stays", "4000"],
      ["--one-in <count>", "how many rows one stands for", "2"],
    ],
    order: (flags) => ({
      stage: "lengths",
      column: wanted(flags, "column"),
      limits: { min: whole(flags, "min", 0), sampleTo: whole(flags, "sample-to", 0), oneIn: whole(flags, "one-in", 1) },
    }),
  },
];

/** `troupe data STAGE FILE --out FILE`: one stage of curation over one file. */
export function define(command: Command, program: Command): void {
  const isJson = () => program.opts<{ json?: boolean }>().json === true;
  for (const stage of STAGES) {
    const one = command.command(stage.name).description(stage.description);
    common(one);
    for (const [flags, description, fallback] of stage.options) one.option(flags, description, fallback);
    one.addHelpText("after", HELP).action(async (input: string, flags: Flags) => {
      await runStage(input, flags.out, await stage.order(flags), flags, stage.isHeavy === true, isJson());
    });
  }
  const split = command
    .command("split")
    .description("divide rows into <out>.train.jsonl and <out>.eval.jsonl by a hash of their id");
  common(split)
    .option("--held-out <share>", "share of the rows in the eval part", "0.1")
    .addHelpText("after", HELP)
    .action(async (input: string, flags: Flags) => {
      const heldOut = Number(wanted(flags, "held-out"));
      if (!(heldOut > 0 && heldOut < 1))
        throw errors.optionNotValid({
          option: "--held-out",
          found: wanted(flags, "held-out"),
          wanted: "a share between 0 and 1",
        });
      for (const part of ["train", "eval"] as const)
        await runStage(input, `${flags.out}.${part}.jsonl`, { stage: "split", part, heldOut }, flags, false, isJson());
    });
  defineDataSample(command, program);
  command
    .command("report")
    .description("what became of the rows, stage by stage up to this file")
    .argument("<file>", "output of a stage")
    .action(async (file: string) => {
      const report = await readReport(file);
      if (report === undefined)
        throw errors.linesUnreadable({
          source: filesOf(file).report,
          problem: "there is no report of a finished stage",
        });
      show(report, isJson());
    });
}

const HELP = `
Kept rows stand in --out in their order, unchanged but for fields that the stage adds. FILE.dropped.jsonl beside it has
every dropped row with its line, the reason and what was found; FILE.report.json has counts, options and hashes. An
interrupted command goes on where it was when it is given again; a finished one does nothing.`;

function common(command: Command): Command {
  return command
    .argument("<file>", "rows, JSON Lines or Parquet")
    .requiredOption("--out <file>", "where the kept rows go")
    .option("--id <column>", "names a row; its line where it has none", "id")
    .option("--problem <column>", "the question", "problem")
    .option("--answer <column>", "the reference answer", "answer")
    .option("--threads <count>", "threads that decide; all cores where judging is the work, else 1")
    .option("--restart", "write the output anew, whatever lies there");
}

async function runStage(
  input: string,
  output: string,
  order: StageOrder,
  flags: Flags,
  isHeavy: boolean,
  isJson: boolean,
): Promise<void> {
  const rollouts = text(flags, "rollouts");
  if (rollouts?.endsWith(".parquet"))
    throw errors.optionNotValid({ option: "--rollouts", found: rollouts, wanted: "a file of JSON Lines" });
  const letGo = keepProcessAlive();
  const isLive = !isJson && process.stderr.isTTY;
  try {
    const { report, resumedAt } = await curate({
      input,
      output,
      order,
      idColumn: flags.id,
      threads:
        flags.threads === undefined
          ? isHeavy
            ? availableParallelism()
            : 1
          : wholeNumber("--threads", flags.threads, 1),
      restart: flags.restart === true,
      ...(rollouts === undefined ? {} : { rollouts }),
      ...(isLive ? { onProgress: (rows: number) => process.stderr.write(`\r${rows} rows`) } : {}),
    });
    if (isLive) process.stderr.write("\r");
    if (resumedAt === undefined) process.stderr.write(`${output} was finished before; nothing was done\n`);
    else if (resumedAt > 0) process.stderr.write(`went on after line ${resumedAt}\n`);
    show(report, isJson);
  } finally {
    letGo();
  }
}

/** One line a stage, then the reasons of the last. */
function show(report: CurationReport, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ type: "curation", ...report })}\n`);
    return;
  }
  const chain = textTable(chainOf(report), [
    { title: "stage", cell: ({ order }) => order.stage },
    { title: "rows", align: "right", cell: ({ rows }) => String(rows) },
    { title: "kept", align: "right", cell: ({ kept }) => String(kept) },
    { title: "share", align: "right", cell: ({ rows, kept }) => percent(kept / rows, 1) },
    { title: "output", cell: ({ output }) => output },
  ]);
  const reasons = Object.entries(report.dropped).toSorted(([, a], [, b]) => b - a);
  const dropped = reasons.map(([reason, count]) => `  ${String(count).padStart(8)}  ${reason}`).join("\n");
  process.stdout.write(
    `${chain}\n${dropped === "" ? "nothing dropped" : `dropped, with what was found, in ${filesOf(report.output).dropped}:\n${dropped}`}\n`,
  );
}

/** The value of an option by its name on the command line, which commander keeps in camel case. */
function text(flags: Flags, option: string): string | undefined {
  const value = flags[option.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
  return typeof value === "string" ? value : undefined;
}

function wanted(flags: Flags, option: string): string {
  const value = text(flags, option);
  if (value === undefined) throw errors.optionNotValid({ option: `--${option}`, found: "", wanted: "a value" });
  return value;
}

function whole(flags: Flags, option: string, least: number): number {
  return wholeNumber(`--${option}`, wanted(flags, option), least);
}

function columnsOf({ problem, answer }: Flags): { readonly problem: string; readonly answer: string } {
  return { problem, answer };
}

function judgeOf(flags: Flags): { readonly environment: string; readonly baseDirectory: string } {
  return { environment: wanted(flags, "judge"), baseDirectory: resolve(".") };
}

function expectOf(flags: Flags): "pass" | "fail" {
  const expect = wanted(flags, "expect");
  if (expect !== "pass" && expect !== "fail")
    throw errors.optionNotValid({ option: "--expect", found: expect, wanted: "pass or fail" });
  return expect;
}

function dateOf(flags: Flags): string {
  const date = wanted(flags, "not-after");
  if (!/^\d{4}-\d\d-\d\d$/.test(date))
    throw errors.optionNotValid({ option: "--not-after", found: date, wanted: "a date such as 2024-08-01" });
  return date;
}

function scoring(stage: "score" | "vote", flags: Flags): StageOrder {
  wanted(flags, "rollouts");
  return {
    stage,
    columns: columnsOf(flags),
    judge: judgeOf(flags),
    origin: {
      policy: wanted(flags, "policy"),
      sampling: wanted(flags, "sampling"),
      assistantPrefix: wanted(flags, "prefix"),
    },
  };
}

function passLimits(flags: Flags): { readonly maxPasses?: number; readonly maxFailures?: number } {
  const pool = text(flags, "pool");
  const ofPool = Object.entries(POOLS).find(([name]) => name === pool)?.[1];
  if (pool !== undefined && ofPool === undefined)
    throw errors.optionNotValid({ option: "--pool", found: pool, wanted: `one of ${Object.keys(POOLS).join(", ")}` });
  const maxPasses = text(flags, "max-passes") === undefined ? ofPool : whole(flags, "max-passes", 0);
  const maxFailures = text(flags, "max-failures") === undefined ? undefined : whole(flags, "max-failures", 0);
  if (maxPasses === undefined && maxFailures === undefined)
    throw errors.optionNotValid({ option: "--pool", found: "", wanted: "a pool, --max-passes or --max-failures" });
  return { ...(maxPasses === undefined ? {} : { maxPasses }), ...(maxFailures === undefined ? {} : { maxFailures }) };
}

/** "gold=answer,language==python": columns, and after a second "=" constants. */
function caseFields(words: string): Readonly<Record<string, string>> {
  const fields = words.split(",").map((word) => /^([\w.]+)=(.+)$/.exec(word));
  if (fields.some((field) => field === null))
    throw errors.optionNotValid({ option: "--case", found: words, wanted: "FIELD=COLUMN, with commas," });
  return Object.fromEntries(fields.map((field) => [field?.[1] ?? "", field?.[2] ?? ""]));
}
