import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { systemClock } from "../../src/actors/clock.js";
import { errors } from "../../src/errors.js";
import { isGradable } from "../../src/records/verdict.js";
import { writeFileAtomically } from "../../src/store/durable-files.js";
import { readLines } from "../../src/store/read-lines.js";
import { calibrate, type Calibration } from "../../src/verify/calibrate.js";
import { judged } from "../../src/verify/judge-lines.js";
import { openJudge } from "../../src/verify/open-judge.js";
import { calibrationMarkdown, calibrationText } from "../render/calibration-table.js";
import { oneLine, truncate } from "../render/printable.js";
import { textTable } from "../render/table.js";
import { verdictText } from "../render/verdict-text.js";
import { verifyLines } from "../verify-lines.js";
import { defineVerifyCode } from "./verify-code.js";
import { defineVerifyServe } from "./verify-serve.js";

interface MathFlags {
  readonly gold?: readonly string[];
  readonly response?: string;
  readonly answer?: string;
  readonly prefix?: string;
  readonly extraction?: string;
  readonly thinking?: string;
  readonly percent?: string;
  readonly explain?: boolean;
  readonly jsonl?: string | true;
}

/** `troupe verify math`, `code`, `lab` and `serve`: answers judged outside of a run, and how good the judges are. */
export function define(command: Command, program: Command): void {
  command
    .command("math")
    .description("check a final answer against its reference, one or a file of them")
    .option("--gold <answer...>", "the reference; with several, one of them must match")
    .option("--response <text>", "what the policy wrote; standard input unless given")
    .option("--answer <text>", "an answer that stands alone, instead of a response")
    .option("--prefix <text>", "what the prompt wrote into the assistant's turn before the response")
    .option("--extraction <mode>", "where the answer may stand, as in the environment's settings")
    .option("--thinking <mode>", "when a </think> must come before the answer, as in the settings")
    .option("--percent <mode>", "what 50 % equals, as in the settings")
    .option("--explain", "show how both sides were read, and what decided")
    .option("--jsonl [file]", "judge lines {id, gold, response, options?} of a file, or of standard input")
    .addHelpText("after", HELP)
    .action(async (flags: MathFlags) => {
      const open = await openJudge("math", process.cwd());
      try {
        const explain = flags.explain === true;
        if (flags.jsonl !== undefined) {
          return await verifyLines(open, flags.jsonl === true ? "-" : flags.jsonl, { explain });
        }
        const one = open.caseSchema.safeParse(await caseOf(flags));
        if (!one.success) {
          const [issue] = one.error.issues;
          throw errors.optionNotValid({
            option: `--${String(issue?.path.at(-1) ?? "gold")}`,
            found: "",
            wanted: issue?.message ?? "",
          });
        }
        const verdict = await judged(open.judge, one.data, { explain }, systemClock);
        if (program.opts<{ json?: boolean }>().json === true)
          process.stdout.write(`${JSON.stringify({ type: "verdict", ...verdict })}\n`);
        else process.stdout.write(`${verdictText(verdict)}\n`);
        if (!isGradable(verdict)) process.exitCode = 4;
      } finally {
        await open.judge.close();
      }
    });
  defineVerifyCode(command, program);
  defineVerifyServe(command, program);
  command
    .command("lab")
    .description("measure verifiers on their own labelled cases: precision and recall for every category")
    .argument("[environments...]", "environments by name or path", ["math"])
    .option("--write <readme>", "also put the table between the marks <!-- calibration --> of this file")
    .addHelpText("after", LAB_HELP)
    .action(async (environments: readonly string[], flags: { readonly write?: string }) => {
      for (const environment of environments) {
        const found = await measure(environment);
        if (flags.write !== undefined) await writeTable(flags.write, calibrationMarkdown(found));
        if (program.opts<{ json?: boolean }>().json === true)
          process.stdout.write(`${JSON.stringify({ type: "calibration", environment, ...found })}\n`);
        else process.stdout.write(`${calibrationText(found)}\n\n${disagreementsText(found)}\n`);
      }
    });
}

const LAB_HELP = `
The cases are calibration.jsonl beside the environment's index file: lines of {"category", "label": "pass" or "fail"}
with a case. Labels say what a careful person would accept. Exit code 0, whatever the figures say.`;

async function measure(environment: string): Promise<Calibration> {
  const open = await openJudge(environment, process.cwd());
  const path = open.calibrationPath;
  try {
    if (!existsSync(path)) throw errors.calibrationMissing({ environment, path });
    return await calibrate(open, readLines(createReadStream(path), path), path);
  } finally {
    await open.judge.close();
  }
}

/** Replaces what stands between the marks. @throws OPTION_NOT_VALID where there are none */
async function writeTable(readme: string, table: string): Promise<void> {
  const content = await readFile(readme, "utf8").catch(() => "");
  const [start, end] = ["<!-- calibration -->", "<!-- /calibration -->"].map((mark) => content.indexOf(mark));
  if (start === undefined || end === undefined || start < 0 || end < start)
    throw errors.optionNotValid({ option: "--write", found: readme, wanted: "a file with both marks" });
  await writeFileAtomically(
    readme,
    `${content.slice(0, start)}<!-- calibration -->\n\n${table}\n\n${content.slice(end)}`,
  );
}

function disagreementsText({ disagreements }: Calibration): string {
  if (disagreements.length === 0) return "every case is decided as labelled";
  return textTable(disagreements, [
    { title: "line", align: "right", cell: ({ line }) => String(line) },
    { title: "category", cell: ({ category }) => category },
    { title: "label", cell: ({ label }) => label },
    { title: "verdict", cell: ({ verdict }) => truncate(oneLine(`${verdict.kind}: ${verdict.reason}`), 90) },
  ]);
}

const HELP = `
A line of --jsonl is {"id"?, "gold", "response" or "answer", "assistantPrefix"?, "options"?: {"extraction", "thinking",
"percent"}}; its verdict line is {"id", "verdict": {"kind", "score"?, "reason", "parts"?, "verifier", "version", "ms"}},
in the same order. A line without an id goes by its number. A line that is no case gives {"line", "error"} and stops
nothing.

Exit code: 0, whatever the verdicts say; 4 when the one case could not be judged, or when a line was no case.

  troupe verify math --gold '\\frac{1}{2}' --answer 0.5 --explain
  troupe verify math --jsonl answers.jsonl > verdicts.jsonl`;

async function caseOf(flags: MathFlags): Promise<object> {
  if (flags.gold === undefined)
    throw errors.optionNotValid({ option: "--gold", found: "", wanted: "the reference answer, or --jsonl," });
  const response = flags.answer === undefined ? (flags.response ?? (await text(process.stdin))) : undefined;
  const options = { extraction: flags.extraction, thinking: flags.thinking, percent: flags.percent };
  return {
    gold: flags.gold,
    ...(response === undefined ? { answer: flags.answer } : { response }),
    ...(flags.prefix === undefined ? {} : { assistantPrefix: flags.prefix }),
    options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  };
}
