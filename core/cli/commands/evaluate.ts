import type { Command } from "commander";
import { runsDirectory } from "../../src/config/paths.js";
import { errors } from "../../src/errors.js";
import { evaluate } from "../../src/evaluate.js";
import type { Evaluation } from "../../src/records/evaluation.js";
import { RunSession } from "../../src/run-session.js";
import { findRun } from "../../src/store/run-directory.js";
import { keepProcessAlive } from "../../src/actors/clock.js";
import { armOf } from "../arm-of.js";
import { readJobOf } from "../job-file.js";
import { percent } from "../render/quantities.js";
import { textTable } from "../render/table.js";

interface EvalFlags {
  readonly arm?: string;
  readonly tasks?: string;
  readonly samples?: string;
  readonly temperature?: string;
  readonly mode?: readonly string[];
}

/** `troupe eval [RUN]`: held-out performance of a run's newest checkpoint. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .option("--arm <name>", "arm of an experiment")
    .option("--mode <mode...>", "evaluation modes; the run's own unless given")
    .option("--tasks <count>", "held-out tasks")
    .option("--samples <count>", "samples per task")
    .option("--temperature <number>", "sampling temperature; 0 is greedy")
    .action(async (wanted: string | undefined, flags: EvalFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const arm = armOf(run, job, flags.arm);
      const modes = flags.mode ?? arm.config.eval.modes;
      const letGo = keepProcessAlive();
      const session = await RunSession.openForReading({
        // With the modes that were asked for, so that an unknown one is refused.
        config: { ...arm.config, eval: { ...arm.config.eval, modes: [...modes] } },
        baseDirectory: job.baseDirectory,
        directory: arm.directory,
      }).catch((cause: unknown) => {
        letGo();
        throw cause;
      });
      try {
        const evaluations = [];
        for (const mode of modes) {
          evaluations.push(await evaluate(session, mode, { isProbe: true, ...numbers(flags) }));
        }
        if (program.opts<{ json?: boolean }>().json) {
          for (const evaluation of evaluations)
            process.stdout.write(
              `${JSON.stringify({ type: "evaluation", run: run.id, arm: arm.name, ...evaluation })}\n`,
            );
        } else {
          const byDomain = evaluations.flatMap(({ mode, byDomain = [] }) => byDomain.map((one) => ({ ...one, mode })));
          process.stdout.write(
            `${run.id} ${arm.name}, step ${session.state.step}\n${textTable(evaluations, [
              { title: "mode", cell: ({ mode }) => mode },
              {
                title: "n",
                align: "right",
                cell: ({ n, samplesPerTask }) => (samplesPerTask === 1 ? String(n) : `${n} × ${samplesPerTask}`),
              },
              {
                title: "accuracy (95 %)",
                cell: ({ accuracy, ci95 }) =>
                  `${percent(accuracy, 1)} (${percent(ci95[0], 1)} to ${percent(ci95[1], 1)})`,
              },
              { title: "tokens", align: "right", cell: ({ tokensPerAnswer }) => tokensPerAnswer.toFixed(1) },
              { title: "thinks", align: "right", cell: ({ thinkRate }) => percent(thinkRate) },
              { title: "truncated", align: "right", cell: ({ truncated }) => percent(truncated) },
              ...(evaluations.some(({ perplexity }) => perplexity !== undefined) ? [perplexityColumn] : []),
            ])}\n`,
          );
          if (byDomain.length > 0)
            process.stdout.write(
              `${textTable(byDomain, [
                { title: "mode", cell: ({ mode }) => mode },
                { title: "domain", cell: ({ domain }) => domain },
                { title: "answers", align: "right", cell: ({ n }) => String(n) },
                { title: "accuracy", align: "right", cell: ({ accuracy }) => percent(accuracy, 1) },
                { title: "tokens", align: "right", cell: ({ tokensPerAnswer }) => tokensPerAnswer.toFixed(1) },
                { title: "thinks", align: "right", cell: ({ thinkRate }) => percent(thinkRate) },
              ])}\n`,
            );
        }
      } finally {
        await session.close("evaluated");
        letGo();
      }
    });
}

const perplexityColumn = {
  title: "perplexity",
  align: "right",
  cell: ({ perplexity }: Evaluation) => perplexity?.toFixed(3) ?? "",
} as const;

function numbers(flags: EvalFlags): { tasks?: number; samples?: number; temperature?: number } {
  const given = (["tasks", "samples", "temperature"] as const).flatMap((key) => {
    const text = flags[key];
    return text === undefined ? [] : [[key, numberOf(key, text)] as const];
  });
  return Object.fromEntries(given);
}

function numberOf(key: "tasks" | "samples" | "temperature", text: string): number {
  const value = Number(text);
  const isGood = key === "temperature" ? value >= 0 && value < Infinity : Number.isInteger(value) && value >= 1;
  const problem = `a ${key === "temperature" ? "number from 0" : "whole number from 1"} up is wanted`;
  if (text.trim() === "" || !isGood) throw errors.overrideNotValid({ text: `--${key} ${text}`, problem });
  return value;
}
