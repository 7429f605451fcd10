import { z } from "zod";
import type { LoadedEnvironment } from "../environments/environment-loader.js";
import type { Episodes, EpisodeScene, Reply } from "../environments/episode.js";
import type { Taskset } from "../environments/environment.js";
import { spokenAnswer, spokenEpisode } from "../environments/spoken-trajectory.js";
import { deriveKey, Random } from "../numerics/random.js";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { Message, Task } from "../records/task.js";
import { isGradable, type Verdict } from "../records/verdict.js";
import { askEnvironment, type Answer } from "../rollout/environment-call.js";
import { checkedVerdict } from "../verify/checked-verdict.js";

/** Codes of OpenEnv's error frames that a session answers with. */
export type OpenEnvErrorCode =
  | "INVALID_JSON"
  | "UNKNOWN_TYPE"
  | "VALIDATION_ERROR"
  | "EXECUTION_ERROR"
  | "CAPACITY_REACHED"
  | "SESSION_ERROR";

/** A frame of the server. */
export type OpenEnvFrame =
  | { readonly type: "observation"; readonly data: JsonObject }
  | { readonly type: "state"; readonly data: JsonObject }
  | { readonly type: "error"; readonly data: { readonly message: string; readonly code: OpenEnvErrorCode } };

/** What a server offers. */
export interface OpenEnvOffer {
  readonly environment: LoadedEnvironment;
  readonly tasks: Taskset;
  /** Longest wait for the environment, and for its verifier. */
  readonly deadlineMs: number;
  /** The task of a reset that names none. */
  nextIndex(): number;
}

/** Fields of a reset. Others are the business of other environments, and passed over. */
const resetSchema = z.object({
  seed: z.int().min(0).nullish().describe("Which task, unless index says so; the same seed gives the same episode"),
  index: z.int().min(0).nullish().describe("Which task of the split"),
  episode_id: z.string().max(255).nullish().describe("Name of the episode, given back by state"),
});

/** Fields of a step. */
export const actionSchema = z.strictObject({
  message: z.string().describe("What the policy says in its turn"),
  metadata: z.record(z.string(), z.json()).optional(),
});

const frameSchema = z.looseObject({ type: z.string(), data: z.unknown().optional() });

interface Game {
  readonly task: Task;
  readonly episodeId: string | null;
  readonly seed: number;
  state: JsonValue;
  readonly said: string[];
  isDone: boolean;
}

/** One client's session: reads its frames one after the other and answers each with one frame. Nothing throws. */
export class OpenEnvSession {
  readonly #offer: OpenEnvOffer;
  readonly #episodes: Episodes | undefined;
  readonly #end = new AbortController();
  #game: Game | undefined;

  constructor(offer: OpenEnvOffer) {
    this.#offer = offer;
    this.#episodes = offer.environment.definition.episodes?.(offer.environment.config);
  }

  /** The answer to a frame; undefined where the client wants to end. */
  async answer(text: string): Promise<OpenEnvFrame | undefined> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return failure("INVALID_JSON", String(error));
    }
    const frame = frameSchema.safeParse(value);
    if (!frame.success)
      return failure("VALIDATION_ERROR", `a frame is {"type", "data"}: ${z.prettifyError(frame.error)}`);
    const { type, data } = frame.data;
    switch (type) {
      case "reset":
        return this.#reset(data ?? {});
      case "step":
        return this.#step(data);
      case "state":
        return { type: "state", data: this.#state() };
      case "close":
        return undefined;
      default:
        return failure("UNKNOWN_TYPE", `there is no "${type.slice(0, 40)}": reset, step, state or close is wanted`);
    }
  }

  /** The client is gone. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#drop();
  }

  async #reset(data: unknown): Promise<OpenEnvFrame> {
    const wanted = resetSchema.safeParse(data);
    if (!wanted.success) return failure("VALIDATION_ERROR", z.prettifyError(wanted.error));
    await this.#drop();
    const { seed, index, episode_id: episodeId } = wanted.data;
    const { tasks } = this.#offer;
    const place = index ?? seed ?? this.#offer.nextIndex();
    let task: Task;
    try {
      task = tasks.at(tasks.size === Infinity ? place : place % tasks.size);
    } catch (error) {
      return failure("EXECUTION_ERROR", String(error));
    }
    const game: Game = { task, episodeId: episodeId ?? null, seed: seed ?? 0, state: null, said: [], isDone: false };
    let messages: readonly Message[] = [];
    if (this.#episodes !== undefined) {
      const answer = await this.#ask(game, "reset", (episodes, scene) => episodes.reset(scene));
      if (answer.reply === undefined) return failed(answer.failure);
      game.state = answer.reply.state;
      game.isDone = answer.reply.isDone;
      ({ messages } = answer.reply);
    }
    this.#game = game;
    return observation([...task.prompt, ...messages], null, false, { task: task.id });
  }

  async #step(data: unknown): Promise<OpenEnvFrame> {
    const action = actionSchema.safeParse(data);
    if (!action.success) return failure("VALIDATION_ERROR", z.prettifyError(action.error));
    const game = this.#game;
    if (game === undefined || game.isDone) {
      const why = game === undefined ? "no episode has begun" : "the episode is over";
      return failure("VALIDATION_ERROR", `${why}: send reset first`);
    }
    const responseText = action.data.message;
    const index = game.said.push(responseText) - 1;
    if (this.#episodes === undefined) return this.#over(game, [], () => spokenAnswer(game.task, "", responseText));
    const turn = { index, assistantPrefix: "", responseText };
    const answer = await this.#ask(game, `step ${index + 1}`, (episodes, scene) =>
      episodes.step(scene, game.state, turn),
    );
    if (answer.reply === undefined) {
      game.isDone = true;
      return failed(answer.failure);
    }
    const { state, messages, isDone, outcome } = answer.reply;
    game.state = state;
    if (!isDone) return observation(messages, null, false, { task: game.task.id });
    if (outcome && !["pass", "fail", "partial", "abstain"].includes(outcome.kind)) {
      game.isDone = true;
      return failed(outcome);
    }
    const end = outcome === undefined ? { isDone } : { isDone, outcome };
    return this.#over(game, messages, () => spokenEpisode(game.task, "", game.said, end));
  }

  /** The end of an episode: its verdict is the reward. */
  async #over(
    game: Game,
    messages: readonly Message[],
    trajectory: () => ReturnType<typeof spokenAnswer>,
  ): Promise<OpenEnvFrame> {
    game.isDone = true;
    const { definition, config } = this.#offer.environment;
    const verifier = definition.verifier(config);
    const { name, version } = verifier;
    let verdict: Verdict | undefined;
    const { failure: late } = await askEnvironment("verify", this.#offer.deadlineMs, this.#end.signal, async () => {
      verdict = await checkedVerdict({ verifier: name, version }, () => verifier.verify(game.task, trajectory()));
      return { state: null, messages: [], isDone: true };
    });
    if (verdict === undefined || late !== undefined) return failed(late ?? { kind: "error", reason: "no verdict" });
    const { kind, reason } = verdict;
    if (!isGradable(verdict) && kind !== "abstain") return failed({ kind, reason });
    const reward = isGradable(verdict) ? verdict.score : null;
    return observation(messages, reward, true, { task: game.task.id, verdict: { kind, reason } });
  }

  #state(): JsonObject {
    const game = this.#game;
    return { episode_id: game?.episodeId ?? null, step_count: game?.said.length ?? 0 };
  }

  #ask(
    game: Game,
    about: string,
    call: (episodes: Episodes, scene: EpisodeScene) => Reply | Promise<Reply>,
  ): Promise<Answer> {
    const random = new Random(deriveKey(game.seed, "openenv", game.task.id, game.said.length));
    return askEnvironment(about, this.#offer.deadlineMs, this.#end.signal, (signal) =>
      call(this.#episodes!, { task: game.task, random, signal }),
    );
  }

  async #drop(): Promise<void> {
    const game = this.#game;
    this.#game = undefined;
    const close = this.#episodes?.close;
    if (game === undefined || close === undefined) return;
    await askEnvironment("close", this.#offer.deadlineMs, new AbortController().signal, async () => {
      await close.call(this.#episodes, game.state);
      return { state: null, messages: [], isDone: true };
    });
  }
}

/** An error frame. */
export function failure(code: OpenEnvErrorCode, message: string): OpenEnvFrame {
  return { type: "error", data: { message, code } };
}

/** What the environment could not do is an error of its own; what it had lost, one of the session. */
function failed({ kind, reason }: { readonly kind: string; readonly reason: string }): OpenEnvFrame {
  return failure(kind === "infra" ? "SESSION_ERROR" : "EXECUTION_ERROR", `${kind}: ${reason}`);
}

function observation(
  messages: readonly Message[],
  reward: number | null,
  done: boolean,
  more: JsonObject,
): OpenEnvFrame {
  const said = messages.map(({ role, content }) => ({ role, content }));
  return { type: "observation", data: { observation: { messages: said, ...more }, reward, done } };
}
