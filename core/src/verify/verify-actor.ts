import { defineActor } from "../actors/actor.js";
import { Tokenizer } from "../engines/tokenizer.js";
import { unpackEnvironment, type EnvironmentParcel } from "../environments/environment-loader.js";
import type { Verifier } from "../environments/environment.js";
import { mergeAnnotations, runHook } from "../hooks/hook-runner.js";
import { activePlugins, unpackPlugin, type LoadedPlugin, type PluginParcel } from "../hooks/plugin-loader.js";
import type { JsonObject } from "../records/json.js";
import type { StepPlan } from "../records/step-plan.js";
import type { Task } from "../records/task.js";
import type { Trajectory } from "../records/trajectory.js";
import { VERDICT_KINDS, type Verdict } from "../records/verdict.js";

/** What a verifier actor is started with. */
export interface VerifyActorArgs {
  readonly environment: EnvironmentParcel;
  readonly plugins: readonly PluginParcel[];
  readonly evalPlugins: readonly PluginParcel[];
  readonly tokenizerDirectory: string;
}

/** Trajectories of one group with what annotating and verifying them needs. */
export interface VerifyOrder {
  readonly seed: number;
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  readonly task: Task;
  readonly trajectories: readonly Trajectory[];
}

/** What was found about one trajectory. */
export interface Finding {
  readonly annotations: JsonObject;
  readonly verdict: Verdict;
}

/** Messages of a verifier actor. */
export type VerifyProtocol = {
  verify: { in: VerifyOrder; out: readonly Finding[] };
  /** Replaces the plugins between two orders. */
  loadPlugins: { in: readonly PluginParcel[]; out: null };
};

interface State {
  readonly verifier: Verifier;
  readonly tokenizer: Tokenizer;
  readonly evalPlugins: readonly LoadedPlugin[];
  plugins: readonly LoadedPlugin[];
}

/** Annotates and verifies trajectories. Holds nothing that a restart could lose. */
export const verifyActor = defineActor<VerifyProtocol, State, VerifyActorArgs>({
  name: "verify",
  module: import.meta.url,
  exportName: "verifyActor",
  init(args) {
    const environment = unpackEnvironment(args.environment);
    return {
      verifier: environment.definition.verifier(environment.config),
      tokenizer: Tokenizer.fromDirectory(args.tokenizerDirectory),
      plugins: args.plugins.map(unpackPlugin),
      evalPlugins: args.evalPlugins.map(unpackPlugin),
    };
  },
  on: {
    async verify(state, order, ctx) {
      const findings: Finding[] = [];
      for (const trajectory of order.trajectories) {
        const started = ctx.clock.now();
        const annotations = annotate(state, order, trajectory);
        const verdict = await verdictOf(state.verifier, order.task, trajectory);
        findings.push({ annotations, verdict: { ...verdict, ms: ctx.clock.now() - started } });
      }
      return findings;
    },
    loadPlugins(state, parcels) {
      state.plugins = parcels.map(unpackPlugin);
      return null;
    },
  },
});

function annotate(state: State, order: VerifyOrder, trajectory: Trajectory): JsonObject {
  let annotations = trajectory.annotations;
  for (const loaded of activePlugins(state.plugins, state.evalPlugins, order)) {
    const found = runHook(
      loaded,
      "annotate",
      {
        seed: order.seed,
        step: order.step,
        about: `trajectory "${trajectory.id}"`,
        context: () => ({
          plan: order.plan,
          phase: order.phase,
          mode: order.mode,
          slot: trajectory.slot,
          countTokens: (text: string) => state.tokenizer.encode(text).length,
        }),
      },
      [trajectory, order.task],
    );
    annotations = mergeAnnotations(loaded, "annotate", order.step, annotations, found);
  }
  return annotations;
}

/** A verifier that throws, or returns no verdict, has found nothing: "error", never a wrong answer. */
async function verdictOf(verifier: Verifier, task: Task, trajectory: Trajectory): Promise<Verdict> {
  const { name, version } = verifier;
  const error = (reason: string): Verdict => ({ kind: "error", reason, verifier: name, version, ms: 0 });
  try {
    const verdict = await verifier.verify(task, trajectory);
    const problem = problemOf(verdict);
    return problem === undefined ? verdict : error(`verifier-returned: ${problem}`);
  } catch (cause) {
    return error(`verifier-threw: ${String(cause)}`);
  }
}

/** What keeps a value from being a verdict: a NaN among the scores would reach every weight of the policy. */
function problemOf(value: Partial<Verdict> | undefined): string | undefined {
  const { kind, score } = value ?? {};
  if (kind === undefined) return "no verdict";
  if (!VERDICT_KINDS.includes(kind)) return `kind "${kind}"`;
  const isScored = kind === "pass" || kind === "fail" || kind === "partial";
  return isScored && !(score !== undefined && score >= 0 && score <= 1)
    ? `kind ${kind} with score ${score}`
    : undefined;
}
