import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z, type ComputeType, type ModelShape } from "@troupe/core/sdk";

const PYTHON = "python3";

/** Rows that PyTorch has not finished by then have no peer: on a busy machine its threads wait for each other for long. */
const DEADLINE_MS = 120_000;

const answer = z.object({ name: z.string(), rate: z.number() });

/** One row of work for PyTorch: tokens per second of a training step, a forward pass, or decoding. */
export interface TorchRow {
  readonly name: string;
  readonly kind: "train" | "score" | "decode";
  readonly shape: ModelShape;
  /** In PyTorch bf16 is autocast. */
  readonly dtype: ComputeType;
  /** Sequences beside each other. */
  readonly batch: number;
  /** Length of each sequence; in decoding, tokens that a new one sees on average. */
  readonly length: number;
}

/** The work for PyTorch, and how long for. */
export interface TorchOrder {
  readonly threads: number;
  /** A row is repeated this often, but for no longer than `seconds`. */
  readonly least: number;
  readonly seconds: number;
  /** A GPU computes in bf16, which is what its tensor cores do; absent means fp32 on the CPU. */
  readonly device?: "cuda";
  readonly deadlineMs?: number;
  readonly rows: readonly TorchRow[];
}

/** What PyTorch does: tokens/s by row, and a line for people. Without PyTorch there are no rates, and the line says so. */
export interface TorchFindings {
  readonly rates: ReadonlyMap<string, number>;
  readonly note: string;
}

/** Has PyTorch do the work, as far as it comes in time. */
export async function torchRates(order: TorchOrder): Promise<TorchFindings> {
  const { device, deadlineMs = DEADLINE_MS } = order;
  const check = `import torch; ${device ? "torch.zeros(1).cuda(); " : ""}print(torch.__version__)`;
  const found = await runPython(["-c", check], deadlineMs);
  if (found.problem !== "") return { rates: new Map(), note: `No peer: \`python3 -c "${check}"\` fails here.` };
  // This file runs in dist/bench; Python is not compiled and stays in bench.
  const script = fileURLToPath(new URL("../../bench/torch_peer.py", import.meta.url));
  const { stdout, problem } = await runPython([script, JSON.stringify(order)], deadlineMs);
  const lines = stdout.split("\n").filter((line) => line !== "");
  const answers = lines.map((line) => answer.parse(JSON.parse(line)));
  const how = device ? "bf16 on the GPU" : `fp32 or bf16 by autocast, the faster of 1 and ${order.threads} threads`;
  const about = `peer: PyTorch ${found.stdout.trim()}, the same shapes and batches, ${how}`;
  return {
    rates: new Map(answers.map(({ name, rate }) => [name, rate])),
    note: `${about}${problem === "" ? "" : `; ended early: ${problem}`}.`,
  };
}

/** What a Python program printed until it ended, and why that was early; "" when it was not. */
function runPython(
  words: readonly string[],
  deadlineMs: number,
): Promise<{ readonly stdout: string; readonly problem: string }> {
  return new Promise((resolve) => {
    execFile(PYTHON, words, { timeout: deadlineMs }, (error, stdout, stderr) => {
      const lastWords = stderr.trim().split("\n").at(-1) ?? "";
      const problem = error?.killed
        ? `out of time after ${deadlineMs / 1000} s`
        : error
          ? lastWords || error.message
          : "";
      resolve({ stdout, problem });
    });
  });
}
