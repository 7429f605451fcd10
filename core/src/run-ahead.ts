import { join } from "node:path";
import type { StepMoment } from "./hooks/method.js";
import type { Group } from "./records/group.js";
import type { StepPlan } from "./records/step-plan.js";
import type { Task } from "./records/task.js";
import type { TaskCursor } from "./rollout/task-order.js";
import { groupsOf } from "./store/recorded-groups.js";
import { describeRollout, readStep, writeRollouts } from "./store/rollouts.js";

/** A step whose first groups are sampled, or on their way, before it is its turn. */
export interface LaunchedStep {
  readonly moment: StepMoment;
  readonly plan: StepPlan;
  readonly tasks: readonly Task[];
  /** Where the choice of tasks stood before this step's. */
  readonly cursor: TaskCursor;
  /** The policy version that was live then. */
  readonly version: number;
  /** Key of the plugins that they are made with. */
  readonly plugins: string;
  /** Settles when all of them are verified. */
  readonly groups: Promise<readonly Group[]>;
  /** Whether they cannot be made: a hook failed in an actor, say. */
  readonly hasFailed: () => boolean;
}

/** What has been sampled and not yet learned from. */
export interface InFlight {
  readonly ahead: readonly LaunchedStep[];
  /** Groups that were kept beyond the places of their step, for the next one. */
  readonly carried: readonly Group[];
}

/** What a checkpoint's state says of samples in flight; the samples lie beside it. */
export interface InFlightState {
  readonly ahead: readonly Pick<LaunchedStep, "moment" | "plan" | "cursor" | "version">[];
}

const CARRIED = 0;

/** Waits for what is in flight and writes it into a checkpoint's folder: a resumed run samples none of it again. */
export async function saveInFlight({ ahead, carried }: InFlight, checkpoint: string): Promise<InFlightState> {
  const directory = join(checkpoint, "in-flight");
  const write = (step: number, groups: readonly Group[]): Promise<unknown> =>
    writeRollouts(
      directory,
      step,
      groups.flatMap(({ task, samples }) =>
        samples.map((sample) => describeRollout(task, sample, { step, ...UNDECIDED })),
      ),
    );
  if (carried.length > 0) await write(CARRIED, carried);
  for (const { moment, groups } of ahead) await write(moment.step, await groups);
  return { ahead: ahead.map(({ moment, plan, cursor, version }) => ({ moment, plan, cursor, version })) };
}

const UNDECIDED = {
  reward: 0,
  rewardParts: {},
  advantage: undefined,
  decision: "drop",
  decisionReason: "its step has not come",
} as const;

/** Reads what `saveInFlight` wrote. */
export async function readInFlight(state: InFlightState | undefined, checkpoint: string): Promise<InFlight> {
  if (!state) return { ahead: [], carried: [] };
  const directory = join(checkpoint, "in-flight");
  const read = async (step: number): Promise<readonly Group[]> => groupsOf(await readStep(directory, step));
  const ahead: LaunchedStep[] = [];
  for (const { moment, plan, cursor, version } of state.ahead) {
    const groups = await read(moment.step);
    const tasks = groups.map(({ task }) => task);
    ahead.push({
      moment,
      plan,
      tasks,
      cursor,
      version,
      groups: Promise.resolve(groups),
      plugins: "",
      hasFailed: () => false,
    });
  }
  return { ahead, carried: await read(CARRIED) };
}
