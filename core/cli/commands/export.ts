import { cp, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { keepProcessAlive } from "../../src/actors/clock.js";
import { runsDirectory } from "../../src/config/paths.js";
import { engineOptions } from "../../src/engines/engine-options.js";
import { loadEngine } from "../../src/engines/load-engine.js";
import { readModelShape } from "../../src/engines/model-shape.js";
import { tokenizerFiles } from "../../src/engines/tokenizer.js";
import { errors } from "../../src/errors.js";
import { latestCheckpoint } from "../../src/store/checkpoint.js";
import { findRun } from "../../src/store/run-directory.js";
import { hasWeights } from "../../src/store/tensor-folder.js";
import { armOf } from "../arm-of.js";
import { readJobOf } from "../job-file.js";
import { wholeNumber } from "../whole-number.js";

interface ExportFlags {
  readonly arm?: string;
  readonly bf16?: boolean;
  readonly shardBytes?: string;
  readonly onnx?: boolean;
}

/** The engine that samples what `--onnx` writes. */
const ONNX_ENGINE = "@troupe/gpu/onnx";

/** `troupe export RUN FOLDER`: a run's newest weights with its tokenizer, for transformers and others. */
export function define(command: Command, program: Command): void {
  command
    .argument("<run>", "number, name or path")
    .argument("<folder>", "where to write; must be empty or new")
    .option("--arm <name>", "arm of an experiment")
    .option("--bf16", "round weights to bfloat16; without it they are float32, which is exact")
    .option("--shard-bytes <count>", "write weights larger than this in shards")
    .option("--onnx", "write model.onnx too, for the engine @troupe/gpu/onnx")
    .action(async (wanted: string, folder: string, flags: ExportFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const { config, directory } = armOf(run, job, flags.arm);
      const fail = (problem: string) => errors.exportNotPossible({ run: run.id, problem });
      const checkpoint = await latestCheckpoint(directory);
      if (!checkpoint) throw errors.checkpointNotFound({ run: run.id, step: undefined });
      const policy = resolve(job.baseDirectory, config.policy.from);
      // The base of a distilled policy's adapter lies in the cache, and nothing in the run tells where.
      if (config.policy.lora && (config.distill || job.kind !== "run"))
        throw fail("its policy is an adapter of one that was distilled");
      const target = resolve(folder);
      await mkdir(target, { recursive: true });
      if ((await readdir(target)).length > 0) throw fail(`"${target}" is not empty`);

      const letGo = keepProcessAlive();
      try {
        const module = await loadEngine(config.policy.engine);
        const hasBase = hasWeights(policy);
        const engine = await module.createEngine({
          ...engineOptions(config, readModelShape(policy)),
          // The base of an adapter may be random weights, which lie in no file.
          blank: !config.policy.lora || hasBase,
        });
        try {
          if (config.policy.lora && hasBase) await engine.load(policy);
          await engine.load(checkpoint.path);
          await engine.save(target, {
            merged: true,
            ...(flags.bf16 ? { elementType: "bfloat16" } : {}),
            ...(flags.shardBytes ? { maxShardBytes: wholeNumber("--shard-bytes", flags.shardBytes, 1) } : {}),
          });
        } finally {
          engine.dispose();
        }
        for (const file of tokenizerFiles(policy)) await cp(join(policy, file), join(target, file));
        if (flags.onnx) await (await loadEngine(ONNX_ENGINE)).exportOnnx?.(target);
      } finally {
        letGo();
      }
      const { step } = checkpoint;
      process.stdout.write(
        program.opts<{ json?: boolean }>().json
          ? `${JSON.stringify({ type: "exported", run: run.id, step, path: target })}\n`
          : `${run.id}, step ${step} → ${target}\n`,
      );
    });
}
