import { resolve } from "node:path";
import type { Command } from "commander";
import { keepProcessAlive } from "../../src/actors/clock.js";
import { sampleRollouts } from "../../src/data/sample-rollouts.js";
import { errors } from "../../src/errors.js";
import { wholeNumber } from "../whole-number.js";

interface SampleFlags {
  readonly out: string;
  readonly policy: string;
  readonly engine: string;
  readonly id: string;
  readonly problem: string;
  readonly instruction: string;
  readonly attempts: string;
  readonly maxTokens: string;
  readonly temperature: string;
  readonly topP: string;
  readonly seed: string;
  readonly restart?: boolean;
}

/** `troupe data sample FILE --policy FOLDER --out FILE`: answers for the stages that score and vote. */
export function defineDataSample(command: Command, program: Command): void {
  command
    .command("sample")
    .description("have a policy answer every row several times, for score and vote")
    .argument("<file>", "rows, JSON Lines or Parquet")
    .requiredOption("--out <file>", "where the answers go, lines of {id, response, tokens}")
    .requiredOption("--policy <folder>", "the policy with its tokenizer, in Hugging Face layout")
    .option("--engine <module>", "what samples it, as in a config", "@troupe/gpu")
    .option("--id <column>", "names a row; its line where it has none", "id")
    .option("--problem <column>", "the question", "problem")
    .option(
      "--instruction <text>",
      "stands behind each question",
      "Let's think step by step and output the final answer within \\boxed{}.",
    )
    .option("--attempts <count>", "answers to each row", "16")
    .option("--max-tokens <count>", "tokens of an answer at most", "1024")
    .option("--temperature <number>", "of the sampling", "0.6")
    .option("--top-p <share>", "nucleus of the sampling; 1 keeps everything", "1")
    .option("--seed <number>", "chance of the sampling", "0")
    .option("--restart", "write the output anew, whatever lies there")
    .addHelpText("after", HELP)
    .action(async (input: string, flags: SampleFlags) => {
      const isJson = program.opts<{ json?: boolean }>().json === true;
      const isLive = !isJson && process.stderr.isTTY;
      const letGo = keepProcessAlive();
      try {
        const found = await sampleRollouts(
          {
            input,
            output: flags.out,
            idColumn: flags.id,
            problemColumn: flags.problem,
            instruction: flags.instruction,
            policy: resolve(flags.policy),
            engine: flags.engine,
            attempts: wholeNumber("--attempts", flags.attempts, 1),
            maxTokens: wholeNumber("--max-tokens", flags.maxTokens, 1),
            temperature: within("--temperature", flags.temperature, 0, 10),
            topP: within("--top-p", flags.topP, 0.01, 1),
            seed: wholeNumber("--seed", flags.seed, 0),
          },
          {
            restart: flags.restart === true,
            ...(isLive ? { onProgress: (rows: number) => process.stderr.write(`\r${rows} rows`) } : {}),
          },
        );
        if (isLive) process.stderr.write("\r");
        const { answered, skipped, before, assistantPrefix } = found;
        if (isJson) process.stdout.write(`${JSON.stringify({ type: "sampled", ...found })}\n`);
        else {
          const parts = [
            `${answered} rows answered${before === 0 ? "" : `, ${before} of them before`}`,
            ...(skipped === 0 ? [] : [`${skipped} without a problem that the policy can read`]),
            ...(assistantPrefix === "" ? [] : [`score them with --prefix ${JSON.stringify(assistantPrefix)}`]),
          ];
          process.stdout.write(`${parts.join("\n")}\n`);
        }
      } finally {
        letGo();
      }
    });
}

const HELP = `
An answer depends on seed, row and attempt alone. An interrupted command goes on where it was when it is given again.

  troupe data sample 6.jsonl --policy ./policy --attempts 16 --out policy.jsonl
  troupe data score 6.jsonl --rollouts policy.jsonl --policy run-7@400 --sampling "T 0.6" --out 7.jsonl`;

function within(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= least && value <= most))
    throw errors.optionNotValid({ option, found: text, wanted: `a number from ${least} to ${most}` });
  return value;
}
