import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "@troupe/core/sdk";

/** Name a Python that has math-verify with TROUPE_PYTHON. */
const PYTHON = process.env["TROUPE_PYTHON"] ?? "python3";
const DEADLINE_MS = 180_000;

const answer = z.object({ version: z.string(), accepted: z.array(z.boolean()), ms: z.array(z.number()) });

/** A case for both: does the answer say what the gold says? */
export interface PeerCase {
  readonly gold: string;
  readonly answer: string;
}

/** What Math-Verify decides, and how long each took. */
export type PeerFindings = z.infer<typeof answer>;

/** Has Math-Verify judge the cases; undefined where it is not installed, or does not end in time. */
export function mathVerifyFindings(cases: readonly PeerCase[]): Promise<PeerFindings | undefined> {
  // This file runs in dist/bench; Python is not compiled and stays in bench.
  const script = fileURLToPath(new URL("../../bench/math_verify_peer.py", import.meta.url));
  return new Promise((resolve) => {
    const child = spawn(PYTHON, [script], { stdio: ["pipe", "pipe", "ignore"], timeout: DEADLINE_MS });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.on("error", () => resolve(undefined));
    child.stdin.on("error", () => resolve(undefined));
    child.on("close", (code) => resolve(code === 0 ? answer.parse(JSON.parse(stdout)) : undefined));
    child.stdin.end(JSON.stringify(cases));
  });
}
