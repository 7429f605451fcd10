import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { systemClock } from "../../src/actors/clock.js";
import { errors } from "../../src/errors.js";
import { isGradable } from "../../src/records/verdict.js";
import { judged } from "../../src/verify/judge-lines.js";
import { openJudge, type OpenJudge } from "../../src/verify/open-judge.js";
import { verdictText } from "../render/verdict-text.js";
import { verifyLines } from "../verify-lines.js";

interface CodeFlags {
  readonly tests?: string;
  readonly language?: string;
  readonly explain?: boolean;
  readonly jsonl?: string | true;
}

/** `troupe verify code`: programs judged by their tests, behind the strongest boundary of this machine. */
export function defineVerifyCode(command: Command, program: Command): void {
  command
    .command("code")
    .description("run a program on its tests in a sandbox, one or a file of them")
    .argument("[program]", "the program's file; standard input unless given")
    .option("--tests <file>", "a JSON file: a case without its program, or a list of {input, output}")
    .option("--language <name>", "python or javascript; told by the file's name unless given")
    .option("--explain", "show every test: what was found, and what it took")
    .option(
      "--jsonl [file]",
      "judge lines {id, language, program, mode, tests, limits?} of a file, or of standard input",
    )
    .addHelpText("after", HELP)
    .action(async (file: string | undefined, flags: CodeFlags) => {
      const open = await openJudge("code", process.cwd());
      try {
        const explain = flags.explain === true;
        const isJson = program.opts<{ json?: boolean }>().json === true;
        if (open.judge.notice !== undefined) process.stderr.write(`code sandbox: ${open.judge.notice}\n`);
        if (flags.jsonl !== undefined)
          return await verifyLines(open, flags.jsonl === true ? "-" : flags.jsonl, { explain });
        const verdict = await judged(open.judge, await caseOf(open, file, flags), { explain }, systemClock);
        process.stdout.write(
          isJson ? `${JSON.stringify({ type: "verdict", ...verdict })}\n` : `${verdictText(verdict)}\n`,
        );
        if (!isGradable(verdict)) process.exitCode = 4;
      } finally {
        await open.judge.close();
      }
    });
}

const HELP = `
A line of --jsonl is {"id"?, "language": "python" or "javascript", "program", "mode", "tests", "limits"?, …}:
  mode "stdin"     tests [{"input", "output"}], "checker"? "lines", "tokens", "exact" or {"language"?, "program"}
  mode "function"  "functionName", tests [{"args", "expected"}], or {"input", "output"} with one JSON argument a line
  mode "asserts"   "functionName", tests ["assert f(1) == 2"], "setup"? source that the tests build on
  limits           {"testMs": 6000, "memoryMb": 512, "outputKb": 1024}
  "tolerance"      of numbers with a point, 1e-6;  "runAll" goes on after the first failure
Its verdict line is {"id", "verdict": {"kind", "score"?, "reason", "parts", "verifier", "version", "ms"}}, in the same
order. A line that is no case gives {"line", "error"} and stops nothing.

Which boundary the programs run behind is said on stderr and stands in every verdict. Without one nothing is run.

Exit code: 0, whatever the verdicts say; 3 without a boundary; 4 when the one case could not be judged, or when a line was
no case.

  troupe verify code sum.py --tests sum.tests.json --explain
  troupe verify code --jsonl programs.jsonl > verdicts.jsonl`;

async function caseOf({ caseSchema }: OpenJudge, file: string | undefined, flags: CodeFlags): Promise<unknown> {
  if (flags.tests === undefined)
    throw errors.optionNotValid({ option: "--tests", found: "", wanted: "a JSON file of tests, or --jsonl," });
  const source = file === undefined ? await text(process.stdin) : await readText(file, "the program");
  const written = jsonOf(await readText(flags.tests, "--tests"), flags.tests);
  const language = flags.language ?? (file !== undefined && /\.[cm]?js$/.test(file) ? "javascript" : "python");
  const parsed = caseSchema.safeParse({
    ...(Array.isArray(written) ? { mode: "stdin", tests: written } : written),
    language,
    program: source,
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw errors.optionNotValid({
    option: "--tests",
    found: flags.tests,
    wanted: `a case (${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""})`,
  });
}

async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw errors.optionNotValid({ option, found: path, wanted: `a readable file (${String(error)})` });
  }
}

function jsonOf(content: string, path: string): object {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw errors.optionNotValid({ option: "--tests", found: path, wanted: "a file that holds one JSON object or list" });
}
