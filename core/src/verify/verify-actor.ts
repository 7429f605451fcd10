import { defineActor } from "../actors/actor.js";
import { Tokenizer } from "../engines/tokenizer.js";
import { unpackEnvironment, type EnvironmentParcel } from "../environments/environment-loader.js";
import type { Verifier } from "../environments/environment.js";
import { mergeAnnotations, runHook } from "../hooks/hook-runner.js";
import { withinDeadline } from "../hooks/hook-deadline.js";
import { activePlugins, unpackPlugin, type LoadedPlugin, type PluginParcel } from "../hooks/plugin-loader.js";
import { PLUGIN_CONTROL, PluginShelf, type PluginList, type PluginProtocol } from "../hooks/plugin-shelf.js";
import type { JsonObject } from "../records/json.js";
import type { StepPlan } from "../records/step-plan.js";
import type { Task } from "../records/task.js";
import type { Trajectory } from "../records/trajectory.js";
import type { Verdict, VerdictKind } from "../records/verdict.js";
import { checkedVerdict } from "./checked-verdict.js";

/** What a verifier actor is started with. */
export interface VerifyActorArgs {
  readonly environment: EnvironmentParcel;
  readonly lists: readonly PluginList[];
  readonly evalPlugins: readonly PluginParcel[];
  /** Absent where no plugin annotates. */
  readonly tokenizerDirectory?: string;
  readonly hookDeadlineMs: number;
}

/** Trajectories of one group with what annotating and verifying them needs. */
export interface VerifyOrder {
  readonly seed: number;
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  /** Key of the plugins that it is for. */
  readonly plugins: string;
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
} & PluginProtocol;

/** Kinds of outcome that say nothing of the policy. */
const FAILURES: readonly VerdictKind[] = ["error", "timeout", "infra"];

interface State {
  readonly verifier: Verifier;
  readonly tokenizer: Tokenizer | undefined;
  readonly evalPlugins: readonly LoadedPlugin[];
  readonly shelf: PluginShelf;
  readonly hookDeadlineMs: number;
}

/** Annotates and verifies trajectories. Holds nothing that a restart could lose. */
export const verifyActor = defineActor<VerifyProtocol, State, VerifyActorArgs>({
  name: "verify",
  module: import.meta.url,
  exportName: "verifyActor",
  ...PLUGIN_CONTROL,
  init(args) {
    const environment = unpackEnvironment(args.environment);
    return {
      verifier: environment.definition.verifier(environment.config),
      tokenizer: args.tokenizerDirectory === undefined ? undefined : Tokenizer.fromDirectory(args.tokenizerDirectory),
      shelf: new PluginShelf(args.lists),
      evalPlugins: args.evalPlugins.map(unpackPlugin),
      hookDeadlineMs: args.hookDeadlineMs,
    };
  },
  on: {
    async verify(state, order, ctx) {
      const annotated = withinDeadline(state.hookDeadlineMs, () =>
        order.trajectories.map((trajectory) => annotate(state, order, trajectory)),
      );
      // Together: a verifier that waits for something else, a program that runs, holds up no sibling.
      return Promise.all(
        order.trajectories.map(async (trajectory, index): Promise<Finding> => {
          const started = ctx.clock.now();
          const verdict = await verdictOf(state.verifier, order.task, trajectory);
          return { annotations: annotated[index] ?? {}, verdict: { ...verdict, ms: ctx.clock.now() - started } };
        }),
      );
    },
    preparePlugins: (state, prepared) => state.shelf.prepare(prepared),
  },
});

function annotate(state: State, order: VerifyOrder, trajectory: Trajectory): JsonObject {
  let annotations = trajectory.annotations;
  for (const loaded of activePlugins(state.shelf.of(order.plugins), state.evalPlugins, order)) {
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
          countTokens: (text: string) => state.tokenizer?.encode(text).length ?? 0,
        }),
      },
      [trajectory, order.task],
    );
    annotations = mergeAnnotations(loaded, "annotate", order.step, annotations, found);
  }
  return annotations;
}

/** An episode that its environment could not finish is judged by nobody: what went wrong is the verdict. */
async function verdictOf(verifier: Verifier, task: Task, trajectory: Trajectory): Promise<Verdict> {
  const identity = { verifier: verifier.name, version: verifier.version };
  const { outcome } = trajectory;
  if (outcome && FAILURES.includes(outcome.kind)) return { ...outcome, ...identity, ms: 0 };
  return checkedVerdict(identity, () => verifier.verify(task, trajectory));
}
