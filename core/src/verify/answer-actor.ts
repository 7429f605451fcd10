import { defineActor } from "../actors/actor.js";
import {
  environmentParcel,
  loadDefinition,
  loadEnvironment,
  unpackEnvironment,
  type EnvironmentParcel,
} from "../environments/environment-loader.js";
import type { ServedAnswer } from "../environments/judge.js";
import { errors } from "../errors.js";
import type { JsonObject } from "../records/json.js";
import { responseTrajectory } from "../records/response-trajectory.js";
import type { Task } from "../records/task.js";
import type { Verdict } from "../records/verdict.js";
import { checkedVerdict } from "./checked-verdict.js";

/** What an actor that judges served answers is started with. */
export interface AnswerActorArgs {
  readonly environment: EnvironmentParcel;
  /** By the environment's judge instead of its verifier; its config is not read then. */
  readonly byJudge: boolean;
}

/**
 * How answers are judged by an environment: with settings by its verifier, as in a run; without them by its judge, where
 * it has one. Rejects with what loading it throws.
 */
export async function answerActorArgs(
  use: string,
  settings: JsonObject | undefined,
  baseDirectory: string,
): Promise<AnswerActorArgs> {
  if (settings === undefined) {
    const { bundle, definition } = await loadDefinition(use, baseDirectory);
    if ("judge" in definition && definition.judge !== undefined)
      return { environment: { bundle, config: null }, byJudge: true };
  }
  const environment = environmentParcel(await loadEnvironment(use, settings ?? {}, baseDirectory));
  return { environment, byJudge: false };
}

/** Who judges, and how. */
export interface AnswerJudgeIdentity {
  readonly verifier: string;
  readonly version: string;
  /** How many answers at once keep it busy; more than 1 and it has workers of its own. */
  readonly atOnce: number;
  readonly notice: string | null;
}

/** Messages of an actor that judges served answers. */
export type AnswerProtocol = {
  identify: { in: null; out: AnswerJudgeIdentity };
  /** Verdicts in the order of the answers. */
  judge: { in: readonly ServedAnswer[]; out: readonly Verdict[] };
};

interface State {
  readonly identity: AnswerJudgeIdentity;
  readonly judge: (answer: ServedAnswer) => Verdict | Promise<Verdict>;
  readonly close: () => Promise<void>;
}

/** Judges answers that were sampled elsewhere. Holds nothing that a restart could lose. */
export const answerActor = defineActor<AnswerProtocol, State, AnswerActorArgs>({
  name: "judge",
  module: import.meta.url,
  exportName: "answerActor",
  init: openState,
  on: {
    identify: ({ identity }) => identity,
    judge: ({ identity, judge }, answers, { clock }) =>
      Promise.all(
        answers.map(async (answer) => {
          const start = clock.now();
          const verdict = await checkedVerdict(identity, () => judge(answer));
          return { ...verdict, ms: clock.now() - start };
        }),
      ),
  },
  // A judge that waits for its workers can take further answers meanwhile.
  interleave: ["judge"],
  dispose: ({ close }) => close(),
});

async function openState({ environment, byJudge }: AnswerActorArgs): Promise<State> {
  const { definition, config } = unpackEnvironment(environment);
  if (byJudge && definition.judge !== undefined) {
    const judge = await definition.judge.open();
    if (judge.judgeAnswer === undefined) throw errors.judgeTakesNoAnswers({ environment: definition.name });
    const { verifier, version, atOnce, notice = null } = judge;
    return {
      identity: { verifier, version, atOnce, notice },
      judge: judge.judgeAnswer.bind(judge),
      close: () => judge.close(),
    };
  }
  const verifier = definition.verifier(config);
  return {
    identity: { verifier: verifier.name, version: verifier.version, atOnce: 1, notice: null },
    judge(answer) {
      const { sampleId: id, prompt, groundTruth, meta } = answer;
      const reference = typeof groundTruth === "string" ? groundTruth : JSON.stringify(groundTruth);
      // Of several environments in one, the domain says which verifier it is.
      const domain = typeof meta["domain"] === "string" ? meta["domain"] : definition.name;
      const task: Task = { id, domain, prompt, reference, meta };
      return verifier.verify(task, responseTrajectory(task, 0, answer));
    },
    close: async () => {},
  };
}
