import { existsSync } from "node:fs";
import { relative } from "node:path";
import { keepProcessAlive } from "../src/actors/clock.js";
import { distillPolicy } from "../src/distill.js";
import { runExperiment } from "../src/experiment.js";
import type { RunEvent } from "../src/records/run-event.js";
import { Run, type RunOutcome } from "../src/run.js";
import { RunSession } from "../src/run-session.js";
import type { RunDirectory } from "../src/store/run-directory.js";
import type { TrainingFlags } from "./commands/run.js";
import type { Job } from "./job-file.js";
import { machineLine } from "./machine.js";
import { createView } from "./render/terminal.js";
import { chooseMode, type View } from "./render/view.js";
import { printSummary, summariseExperiment, type ArmSummary } from "./summarise.js";
import { stopOnSignals } from "./stop-signals.js";

/** What the caller of a job wants to know afterwards. */
export interface JobResult {
  readonly outcome: RunOutcome;
  /** Arms of an experiment that finished. */
  readonly arms: readonly ArmSummary[];
}

/**
 * Trains a job in its folder, from the newest checkpoints when there are any, and shows it while it goes. Ctrl-C ends
 * it after the running step with everything saved (exit code 130).
 */
export async function executeJob(
  job: Job,
  directory: RunDirectory,
  flags: TrainingFlags & { readonly command: string },
): Promise<JobResult> {
  if (job.kind === "experiment" && existsSync(directory.summary)) {
    const arms = printSummary(directory, flags.json === true);
    if (!flags.json) printPlaces(directory);
    return { outcome: "finished", arms };
  }
  const lock = await directory.lock();
  const view = openView(job, directory, flags);
  const stop = stopOnSignals(() =>
    view.note(`stopping after this step${isTeaching ? "" : ", then saving"}. Ctrl-C again quits at once`),
  );
  const letGo = keepProcessAlive();
  // Supervised training keeps nothing until it ends.
  let isTeaching = false;
  let result: JobResult = { outcome: "interrupted", arms: [] };
  try {
    const onEvent = (event: RunEvent): void => {
      isTeaching = event.type === "step" && event.report.stage === "distill";
      view.event(event);
    };
    if (job.kind === "run") {
      result = { outcome: await executeRun(job, directory, lock.attempt, onEvent, stop.signal), arms: [] };
    } else {
      const { base, arms } = job.experiment;
      const experiment = await runExperiment(
        {
          base: { name: "base", config: base },
          arms,
          baseDirectory: job.baseDirectory,
          directory,
          attempt: lock.attempt,
          onEvent,
        },
        stop.signal,
      );
      // A live picture ends before the table is printed; of records, `done` is the last.
      if (!flags.json) view.close({ outcome: experiment.outcome, run: directory.id });
      if (experiment.outcome === "finished") {
        const summary = { command: directory.command() ?? flags.command, title: job.name };
        result = {
          outcome: "finished",
          arms: await summariseExperiment(experiment, directory, summary, flags.json === true),
        };
      }
    }
    view.close({ outcome: result.outcome, run: directory.id });
  } catch (error) {
    view.close({ outcome: "failed", run: directory.id });
    if (stop.signal.aborted && error === stop.signal.reason) result = { outcome: "interrupted", arms: [] };
    else throw error;
  } finally {
    letGo();
    await lock.release();
  }
  const received = stop.release();
  if (result.outcome === "interrupted") {
    process.exitCode = received === "SIGTERM" ? 143 : 130;
    const kept = isTeaching
      ? "stopped while the policy was taught: teaching starts over"
      : "stopped; every finished step is saved";
    process.stderr.write(`${kept}. Go on with: troupe resume ${directory.id}\n`);
  } else if (!flags.json) printPlaces(directory);
  return result;
}

function printPlaces({ id, path }: RunDirectory): void {
  process.stderr.write(`run folder  ${relative(process.cwd(), path)}\nlook        troupe inspect ${id}\n`);
}

async function executeRun(
  job: Job & { kind: "run" },
  directory: RunDirectory,
  attempt: number,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const { config, baseDirectory } = job;
  const policy = config.distill ? await distillPolicy(config, baseDirectory, onEvent, signal) : undefined;
  const from = policy?.directory ?? config.policy.from;
  const session = await RunSession.open({
    config: { ...config, policy: { ...config.policy, from } },
    baseDirectory,
    directory,
    attempt,
    onEvent,
    ...(policy ? { weights: policy.directory } : {}),
  });
  return session.closeAfter(signal, () => new Run(session).train(signal));
}

function openView(job: Job, directory: RunDirectory, flags: TrainingFlags & { readonly command: string }): View {
  const mode = chooseMode({ json: flags.json === true, plain: flags.plain === true }, process.stderr, process.env);
  const parts =
    job.kind === "run"
      ? [...(job.config.distill ? ["base"] : []), job.config.name]
      : ["base", ...job.experiment.arms.map(({ name }) => name)];
  const description = job.kind === "run" ? job.config.description : job.experiment.base.description;
  return createView({
    mode,
    stdout: process.stdout,
    stderr: process.stderr,
    header: [`troupe ${job.name}${description ? ` · ${description}` : ""}`, `${machineLine()} · run ${directory.id}`],
    parts,
    hint: "Ctrl-C saves and stops",
    launch: { command: flags.command, run: directory.id, path: directory.path },
  });
}
