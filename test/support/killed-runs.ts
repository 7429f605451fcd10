import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { deriveKey, Random } from "@troupe/core/sdk";
import { actorProcessesOf } from "./actor-processes.js";
import type { ScriptEnd } from "./run-script.js";
import { traceOf, type RunTrace } from "./run-traces.js";
import { TINY_RUN } from "./tiny-run.js";
import { runTroupe, TroupeProcess, type TroupeFolders } from "./troupe-process.js";

/**
 * A run with state that resuming could lose: a stage in its middle, groups that are sampled again, a rate that depends on
 * the step, evaluations that the next step's plan sees.
 */
export const KILLED_RUN = {
  ...TINY_RUN,
  plugins: [
    "dapo",
    {
      use: "tfpi",
      with: {
        stages: [
          { name: "free", steps: 5, maxTokens: 24 },
          { name: "full", maxTokens: 40, thinkFree: false },
        ],
      },
    },
  ],
  train: { ...TINY_RUN.train, warmupSteps: 8 },
  // At the steps of the checkpoints: what is measured there, the next step's plan gets to see.
  eval: { ...TINY_RUN.eval, every: 3, modes: ["default", "thinkfree"] },
} as const;

/** When somebody is killed. */
type Moment =
  | { readonly at: "delay"; readonly ms: number }
  | { readonly at: "step"; readonly steps: number; readonly ms: number }
  /** As soon as half a checkpoint stands on the disk. */
  | { readonly at: "checkpoint" };

/** Whose process, and when. `worker` picks one of those that live then, in [0, 1). */
interface Kill {
  readonly moment: Moment;
  readonly victim: "driver" | "worker";
  readonly worker: number;
}

/** Exit code of a run that ended with its learner, and can be resumed. */
const LEARNER_ENDED = 75;

/** Seeded moments over the whole run: start-up and teaching, any place in any step, and inside checkpoints. */
function killOf(index: number, killsWorkers: boolean): Kill {
  const random = new Random(deriveKey(11, "kills", index));
  const moments: readonly (() => Moment)[] = [
    () => ({ at: "delay", ms: random.integer(0, 2000) }),
    () => ({ at: "step", steps: random.integer(1, 6), ms: random.integer(0, 30) }),
    () => ({ at: "checkpoint" }),
  ];
  const moment = moments[index % moments.length]!();
  const victim = killsWorkers && random.uniform() < 0.6 ? "worker" : "driver";
  return { moment, victim, worker: random.uniform() };
}

/** The one run below a root, once it can be resumed. */
export function runIn({ runs }: TroupeFolders): string | undefined {
  const name = existsSync(runs)
    ? readdirSync(runs).find((run) => existsSync(join(runs, run, "config.resolved.yaml")))
    : undefined;
  return name === undefined ? undefined : join(runs, name);
}

/** What killing runs came to. */
export interface Survival {
  readonly drivers: number;
  readonly workers: number;
  /** Kills after which a step of the training was on disk; without any, every process was killed too early to tell. */
  readonly inTraining: number;
  /** What every run was at its end. */
  readonly traces: readonly RunTrace[];
  /** Folders of those runs. */
  readonly folders: readonly string[];
}

/** How runs are killed. */
export interface KillOptions {
  readonly folder: string;
  readonly config: string;
  readonly kills: number;
  /** More than half of the kills then are of processes that live for the run's actors. */
  readonly killsWorkers?: boolean;
  readonly onKill?: (kills: number) => void;
}

/**
 * Kills a run with SIGKILL again and again, resumes it each time, and begins another when it is through, until there were
 * enough kills.
 *
 * @throws when an attempt ends otherwise than it should, or processes outlive their driver
 */
export async function surviveKills(options: KillOptions): Promise<Survival> {
  const killer = new Killer(options);
  const traces: RunTrace[] = [];
  const ends: string[] = [];
  for (let run = 0; killer.kills < options.kills; run++) {
    const own = join(options.folder, String(run));
    const folders = { runs: join(own, "runs"), home: join(own, "home") };
    for (;;) {
      const begun = runIn(folders);
      // A process that dies before it has written what to do leaves nothing to resume.
      const args = ["--json", ...(begun === undefined ? ["run", options.config] : ["resume", begun])];
      const end = killer.kills < options.kills ? await killer.attempt(args, folders) : await runTroupe(args, folders);
      if (end.exitCode === 0) break;
      if (end.signal !== "SIGKILL" && end.exitCode !== LEARNER_ENDED)
        throw new Error(`after ${killer.kills} kills, in ${own}: exit code ${end.exitCode}: ${end.stderr}`);
    }
    traces.push(traceOf(runIn(folders) ?? ""));
    ends.push(own);
  }
  return { drivers: killer.drivers, workers: killer.workers, inTraining: killer.inTraining, traces, folders: ends };
}

/** Carries out kill after kill. */
class Killer {
  drivers = 0;
  workers = 0;
  inTraining = 0;
  readonly #options: KillOptions;

  constructor(options: KillOptions) {
    this.#options = options;
  }

  get kills(): number {
    return this.drivers + this.workers;
  }

  /** Runs a command to its end, which comes with the next kill of the driver or of the learner, or by itself. */
  async attempt(args: readonly string[], folders: TroupeFolders): Promise<ScriptEnd> {
    let disarm = (): void => {};
    let onStep = (): void => {};
    const children = new Set<number>();
    const note = (): void => actorProcessesOf(troupe.pid).forEach((pid) => children.add(pid));
    const arm = (): void => {
      disarm();
      if (this.kills >= this.#options.kills) return;
      const kill = killOf(this.kills, this.#options.killsWorkers ?? false);
      const armed = whenDue(kill.moment, folders, () => {
        note();
        if (!this.#carryOut(kill, troupe, folders)) return;
        disarm();
        if (kill.victim === "worker") arm();
      });
      ({ disarm, onStep } = armed);
    };
    const troupe = new TroupeProcess(args, folders, (line) => {
      if (line.startsWith('{"type":"step","part":"tiny"')) onStep();
    });
    arm();
    const end = await troupe.ended;
    disarm();
    await allGone(children);
    return end;
  }

  /** Whether somebody was there to be killed. */
  #carryOut({ victim, worker }: Kill, troupe: TroupeProcess, folders: TroupeFolders): boolean {
    if (victim === "driver") {
      troupe.signal("SIGKILL");
      this.drivers += 1;
    } else {
      const pids = actorProcessesOf(troupe.pid);
      const pid = pids[Math.floor(worker * pids.length)];
      if (pid === undefined) return false;
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
        return false;
      }
      this.workers += 1;
    }
    if (existsSync(join(runIn(folders) ?? "", "metrics.jsonl"))) this.inTraining += 1;
    this.#options.onKill?.(this.kills);
    return true;
  }
}

const LOOK_EVERY_MS = 1;

/** Calls when a moment has come, and from then on until `disarm`: whoever is to be killed may not be there yet. */
function whenDue(
  moment: Moment,
  folders: TroupeFolders,
  strike: () => void,
): { readonly disarm: () => void; readonly onStep: () => void } {
  const timers: NodeJS.Timeout[] = [];
  const isCheckpointing = (): boolean => {
    const checkpoints = join(runIn(folders) ?? "", "checkpoints");
    return existsSync(checkpoints) && readdirSync(checkpoints).some((name) => /^\.tmp-\d+$/.test(name));
  };
  const strikeOn = (): void => void timers.push(setInterval(strike, 5 * LOOK_EVERY_MS));
  if (moment.at === "delay") timers.push(setTimeout(strikeOn, moment.ms));
  if (moment.at === "checkpoint") timers.push(setInterval(() => isCheckpointing() && strike(), LOOK_EVERY_MS));
  let steps = 0;
  return {
    disarm: () => timers.forEach((timer) => clearTimeout(timer)),
    onStep() {
      if (moment.at === "step" && ++steps === moment.steps) timers.push(setTimeout(strikeOn, moment.ms));
    },
  };
}

const GONE_WITHIN_MS = 600_000;

/** Children never outlive their parent. @throws naming those that do */
async function allGone(pids: ReadonlySet<number>): Promise<void> {
  const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);
  for (let waited = 0; [...pids].some(isThere); waited += 50) {
    if (waited > GONE_WITHIN_MS)
      throw new Error(`processes ${[...pids].filter(isThere).join(", ")} outlive the driver that started them`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
