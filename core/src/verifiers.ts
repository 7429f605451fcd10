import { ActorSystem } from "./actors/actor-system.js";
import { runConfigSchema } from "./config/run-config.js";
import { environmentParcel, loadEnvironment } from "./environments/environment-loader.js";
import type { JsonObject } from "./records/json.js";
import { responseTrajectory } from "./records/response-trajectory.js";
import type { Message, Task } from "./records/task.js";
import type { Verdict } from "./records/verdict.js";
import { basePlan } from "./run-plan.js";
import { VerifierPool } from "./verify/verifier-pool.js";

/** Which verifier to run, and on how many threads. */
export interface VerifiersOptions {
  /** Name or path of an environment, as in a config. */
  readonly use: string;
  /** Its settings; its defaults unless given. */
  readonly with?: Readonly<Record<string, unknown>>;
  readonly baseDirectory?: string;
  readonly actors?: number;
  /** Deadline of one task's verdicts, milliseconds. */
  readonly deadlineMs?: number;
}

/** A task as a verifier reads it. */
export interface TaskToVerify {
  readonly id: string;
  readonly reference: string;
  readonly prompt?: readonly Message[];
  readonly meta?: JsonObject;
}

/** The verifier pool by itself. */
export interface Verifiers {
  /**
   * Verdicts on responses to one task, in their order. What goes wrong is a verdict too: of kind timeout, infra or
   * error, never "fail".
   */
  verify(task: TaskToVerify, responses: readonly string[]): Promise<readonly Verdict[]>;
  close(): Promise<void>;
}

/**
 * Starts the verifier pool of an environment without a policy: what an own trainer, or a server, needs of Troupe when it
 * samples and learns elsewhere.
 *
 * `examples/embedding/verifiers-only.ts` is a whole program.
 *
 * @throws what loading the environment throws
 */
export async function createVerifiers(options: VerifiersOptions): Promise<Verifiers> {
  const { use, with: settings = {}, baseDirectory = process.cwd(), actors = 1, deadlineMs = 10_000 } = options;
  const environment = await loadEnvironment(use, settings, baseDirectory);
  const system = new ActorSystem();
  const pool = new VerifierPool(
    system,
    {
      environment: environmentParcel(environment),
      evalPlugins: [],
      hookDeadlineMs: deadlineMs,
    },
    NO_PLUGINS,
    { actors, deadlineMs },
    environment.definition.verifier(environment.config),
  );
  return {
    async verify({ id, reference, prompt = [], meta = {} }, responses) {
      const task: Task = { id, domain: environment.definition.name, prompt, reference, meta };
      const trajectories = responses.map((response, slot) =>
        responseTrajectory(task, slot, { response, assistantPrefix: "" }),
      );
      const moment = { seed: 0, step: 0, phase: "eval", mode: "default", plan: PLAN } as const;
      const order = { ...moment, plugins: NO_PLUGINS.key, task, trajectories };
      return (await pool.verify(order)).map(({ verdict }) => verdict);
    },
    close: () => system.stop(),
  };
}

const NO_PLUGINS = { key: "none", parcels: [] };

const PLAN = basePlan(
  runConfigSchema.parse({ name: "verifiers", policy: { from: "." }, environment: { use: "none" } }),
  { step: 0, progress: 0 },
);
