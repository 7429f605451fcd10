import { mkdirSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { KILLED_RUN, runIn, surviveKills } from "../support/killed-runs.js";
import { traceOf, type RunTrace } from "../support/run-traces.js";
import { writeTinyRun } from "../support/tiny-run.js";
import { runTroupe } from "../support/troupe-process.js";

/** Every actor in a process of its own, so that each can be killed alone. */
const IN_PROCESSES = {
  policy: { ...KILLED_RUN.policy, placement: "process" },
  rollout: { ...KILLED_RUN.rollout, placement: "process", actors: 2 },
  verify: { placement: "process", actors: 2 },
} as const;

const MODES = [
  { name: "ahead", staleness: 1, share: 0.8 },
  { name: "lockstep", staleness: 0, share: 0.2 },
] as const;

const PROGRESS_EVERY = 10;

/** Kills drivers and workers of runs, compares what they come to with the undisturbed run, and says so in one line. */
async function main(kills: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "troupe-kills-"));
  const started = performance.now();
  const said: string[] = [];
  let different = 0;
  for (const { name, staleness, share } of MODES) {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const settings = { ...KILLED_RUN, ...IN_PROCESSES, train: { ...KILLED_RUN.train, staleness } };
    const config = writeTinyRun(own, settings);
    const whole = await undisturbed(join(own, "whole"), config);
    const count = Math.max(1, Math.round(share * kills));
    const onKill = (done: number): void => {
      if (done % PROGRESS_EVERY === 0 || done === count) process.stderr.write(`${name}: ${done} of ${count} kills\n`);
    };
    const survival = await surviveKills({ folder: own, config, kills: count, killsWorkers: true, onKill });
    const differing = survival.traces.flatMap((trace, run) =>
      isDeepStrictEqual(trace, whole) ? [] : [`${differenceOf(trace, whole)} in ${survival.folders[run]}`],
    );
    different += differing.length;
    for (const line of differing) process.stderr.write(`${name}: another ${line}\n`);
    const { drivers, workers, inTraining, traces } = survival;
    said.push(
      `${name}: ${drivers} drivers and ${workers} workers killed (${inTraining} in training), ${traces.length - differing.length} of ${traces.length} runs equal the undisturbed one`,
    );
  }
  const minutes = (performance.now() - started) / 60_000;
  process.stdout.write(`${said.join("; ")}; ${minutes.toFixed(1)} min\n`);
  if (different > 0) process.exitCode = 1;
  else rmSync(folder, { recursive: true, force: true });
}

async function undisturbed(own: string, config: string): Promise<RunTrace> {
  const folders = { runs: join(own, "runs"), home: join(own, "home") };
  const end = await runTroupe(["--json", "run", config], folders);
  if (end.exitCode !== 0) throw new Error(`the undisturbed run ended with ${end.exitCode}: ${end.stderr}`);
  return traceOf(runIn(folders) ?? "");
}

function differenceOf(trace: RunTrace, whole: RunTrace): string {
  const parts = ["ledger", "metrics", "state", "tensors"] as const;
  return parts.filter((part) => !isDeepStrictEqual(trace[part], whole[part])).join(", ");
}

const kills = Number(process.argv[2] ?? 200);
if (Number.isInteger(kills) && kills > 0 && process.platform === "linux") await main(kills);
else {
  process.stderr.write(
    `Cannot kill "${process.argv[2]}" times: a number is wanted, as in npm run kills -- 200, on Linux\n`,
  );
  process.exitCode = 2;
}
