import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../../src/actors/clock.js";
import { runsDirectory } from "../../src/config/paths.js";
import { loadStudy } from "../../src/config/study-config.js";
import { errors } from "../../src/errors.js";
import { writeFileAtomically } from "../../src/store/durable-files.js";
import { checkJob, dryRun } from "../dry-run.js";
import { duration, percent } from "../render/quantities.js";
import { textTable } from "../render/table.js";
import { stopOnSignals } from "../stop-signals.js";
import { effectText, VERDICT_WORDS } from "../study/finding-text.js";
import { runUnits, type StudyProgress } from "../study/run-units.js";
import { writeStudyReport } from "../study/study-report.js";
import { summariseStudy, type StudySummary } from "../study/study-summary.js";
import { isFinished, jobOf, putAside, unitsOf } from "../study/units.js";
import { wholeNumber } from "../whole-number.js";

/** Milliseconds between two lines about progress. */
const LINE_EVERY_MS = 20_000;

interface StudyOptions {
  readonly quick?: boolean;
  readonly seeds?: string;
  readonly jobs?: string;
  readonly out?: string;
  readonly new?: boolean;
  readonly dryRun?: boolean;
}

/** `troupe study [NAME|FILE …]`: experiments over seeds, and what they say about their papers' claims. */
export function define(command: Command, program: Command): void {
  command
    .argument("[studies...]", "names of shipped studies, or files; all shipped ones unless given")
    .option("--quick", "the short form: shows in minutes that everything works, and decides nothing")
    .option("--seeds <count>", "seeds 1 to this; 5 in the shipped studies")
    .option("--jobs <count>", "runs at a time, each on one thread; as many as there are cores")
    .option("--out <folder>", "where RESULTS.md, study.html and the drawings go; the studies' own folder unless given")
    .option("--dry-run", "check every arm, print the plan, start nothing")
    .option("--new", "put earlier runs of studies aside and start afresh")
    .addHelpText(
      "after",
      "\nRuns that are finished are not repeated: killed at any moment, the same command goes on. `nice` is passed on.\n\nExamples:\n  troupe study --quick\n  nice troupe study my-study.yaml --seeds 8",
    )
    .action(async (wanted: readonly string[], options: StudyOptions) => {
      const json = program.opts<{ json?: boolean }>().json === true;
      const loaded = (await studyFiles(wanted)).map((file) => loadStudy(file, options.quick === true));
      const jobs = options.jobs === undefined ? availableParallelism() : wholeNumber("--jobs", options.jobs, 1);
      const seeds = options.seeds === undefined ? undefined : wholeNumber("--seeds", options.seeds, 1);
      const root = join(runsDirectory(), "study");
      if (options.dryRun) {
        for (const { config, baseDirectory } of loaded) await dryRun(jobOf(config, baseDirectory, 1), json);
        return;
      }
      if (options.new) await putAside(root);
      const studies = [];
      for (const { config, baseDirectory } of loaded) {
        const numbers = Array.from({ length: seeds ?? config.seeds }, (_, index) => index + 1);
        const units = await unitsOf(config, baseDirectory, numbers, root);
        // What the last arm of the last study asks for is found out now, not after an hour.
        if (!units.every(isFinished)) await checkJob(jobOf(config, baseDirectory, 1));
        studies.push({ config, units });
      }
      const stop = stopOnSignals(() => process.stderr.write("stopping every run after its step, then saving\n"));
      const started = systemClock.now();
      const time = new WallTime(join(root, "wall-seconds.json"), started);
      try {
        await runUnits(
          studies.flatMap(({ units }) => units),
          jobs,
          stop.signal,
          progressLine(json, time),
        );
      } finally {
        await time.write();
      }
      const received = stop.release();
      if (stop.signal.aborted) {
        process.stderr.write("stopped; every finished step is saved. The same command goes on\n");
        process.exitCode = received === "SIGTERM" ? 143 : 130;
        return;
      }
      const summaries: StudySummary[] = [];
      for (const { config, units } of studies) summaries.push(await summariseStudy(config, units));
      const facts = {
        command: [
          "troupe study",
          ...wanted,
          ...(options.quick ? ["--quick"] : []),
          ...(options.seeds ? [`--seeds ${options.seeds}`] : []),
        ].join(" "),
        isQuick: options.quick === true,
        wallSeconds: time.seconds(),
      };
      const paths = await writeStudyReport(resolve(options.out ?? root), facts, summaries);
      if (json) process.stdout.write(`${JSON.stringify({ type: "study", ...facts, studies: summaries })}\n`);
      else
        process.stderr.write(
          `\n${verdictTable(summaries)}\n\n${paths.map((path) => relative(process.cwd(), path)).join("\n")}\n`,
        );
    });
}

/** The files of the wanted studies: data of the examples package, so no method is named here. */
async function studyFiles(wanted: readonly string[]): Promise<readonly string[]> {
  const folder = join(createRequire(import.meta.url).resolve("@troupe/examples/package.json"), "..", "study");
  const known = (await readdir(folder))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length))
    .toSorted();
  if (wanted.length === 0) return known.map((name) => join(folder, `${name}.yaml`));
  return wanted.map((name) => {
    if (known.includes(name)) return join(folder, `${name}.yaml`);
    if (existsSync(name)) return name;
    throw errors.studyNotFound({ wanted: name, known });
  });
}

/** Shows progress: every report as a record with `json`, else now and then as a line. */
function progressLine(json: boolean, time: WallTime): (progress: StudyProgress) => void {
  let last = -Infinity;
  return (progress) => {
    if (systemClock.now() - last < LINE_EVERY_MS) return;
    last = systemClock.now();
    // A study that is killed has its time up to here.
    void time.write();
    if (json) process.stdout.write(`${JSON.stringify({ type: "progress", ...progress })}\n`);
    else {
      const running = progress.running.map(({ name, part, done }) => `${name} ${part} ${percent(done)}`);
      process.stderr.write(
        `${percent(progress.done)} · ${progress.finished} of ${progress.units} runs done · ${duration(progress.etaSeconds)} left · ${running.join(" · ")}\n`,
      );
    }
  };
}

function verdictTable(summaries: readonly StudySummary[]): string {
  const rows = summaries.flatMap(({ name, findings }) => findings.map((finding) => ({ name, finding })));
  return textTable(rows, [
    { title: "study", cell: ({ name }) => name },
    { title: "expected", cell: ({ finding }) => finding.question.expects },
    { title: "effect (95 %)", cell: ({ finding }) => effectText(finding) },
    { title: "verdict", cell: ({ finding }) => VERDICT_WORDS[finding.verdict] },
  ]);
}

/** Seconds that calls of `troupe study` took in this folder, earlier ones included. */
class WallTime {
  readonly #file: string;
  readonly #before: number;
  readonly #started: number;

  constructor(file: string, started: number) {
    this.#file = file;
    // What `write` wrote.
    this.#before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as number) : 0;
    this.#started = started;
  }

  seconds(): number {
    return this.#before + (systemClock.now() - this.#started) / 1000;
  }

  async write(): Promise<void> {
    await writeFileAtomically(this.#file, `${this.seconds()}\n`);
  }
}
