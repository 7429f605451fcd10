import type { Episodes, Reply } from "../environments/episode.js";
import { deriveKey, Random } from "../numerics/random.js";
import type { JsonValue } from "../records/json.js";
import type { Message, Task } from "../records/task.js";
import type { PolicyTurn } from "../records/trajectory.js";
import type { EpisodeOutcome } from "../records/verdict.js";
import { askEnvironment } from "./environment-call.js";

/** What every episode of an order shares. */
export interface EpisodeTools {
  readonly episodes: Episodes;
  /** Longest wait for an answer. */
  readonly deadlineMs: number;
  readonly maxTurns: number;
  /** Episodes under way beside each other; Infinity for no bound. */
  readonly atOnce: number;
  /** Sampled tokens of one turn at most; Infinity for no bound. */
  readonly maxTurnTokens: number;
}

/** Who plays an episode: its task, the seed and key of its chance, and the end of the order. */
export interface EpisodeSeat {
  readonly task: Task;
  readonly seed: number;
  readonly key: readonly (string | number)[];
  readonly signal: AbortSignal;
}

/** The environment's side of one episode: keeps its state between turns and turns whatever it does into data. */
export class EpisodePlayer {
  readonly #tools: EpisodeTools;
  readonly #seat: EpisodeSeat;
  #state: { readonly value: JsonValue } | undefined;
  #calls = 0;
  #reply: Pick<Reply, "messages" | "isDone"> = { messages: [], isDone: false };
  #outcome: EpisodeOutcome | undefined;
  #hasFailed = false;

  private constructor(tools: EpisodeTools, seat: EpisodeSeat) {
    this.#tools = tools;
    this.#seat = seat;
  }

  /** Begins an episode; one that cannot begin is over. */
  static async begin(tools: EpisodeTools, seat: EpisodeSeat): Promise<EpisodePlayer> {
    const player = new EpisodePlayer(tools, seat);
    await player.#ask("reset", (scene) => tools.episodes.reset(scene));
    return player;
  }

  /** What the environment said last. */
  get messages(): readonly Message[] {
    return this.#reply.messages;
  }

  get isDone(): boolean {
    return this.#reply.isDone;
  }

  get outcome(): EpisodeOutcome | undefined {
    return this.#outcome;
  }

  /** Whether the environment did not answer as it should; `outcome` says how. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  async step(turn: PolicyTurn): Promise<void> {
    const { value } = this.#state!; // an episode that has no state is over
    await this.#ask(`step ${turn.index + 1}`, (scene) => this.#tools.episodes.step(scene, value, turn));
  }

  /** Lets go of the episode. What goes wrong here changes no trajectory. */
  async close(): Promise<void> {
    const state = this.#state;
    this.#state = undefined;
    if (state === undefined || this.#tools.episodes.close === undefined) return;
    const { episodes, deadlineMs } = this.#tools;
    await askEnvironment("close", deadlineMs, new AbortController().signal, async () => {
      await episodes.close?.(state.value);
      return { state: null, messages: [], isDone: true };
    });
  }

  async #ask(about: string, call: (scene: Parameters<Episodes["reset"]>[0]) => Reply | Promise<Reply>): Promise<void> {
    const { task, seed, key, signal } = this.#seat;
    const random = new Random(deriveKey(seed, ...key, "environment", this.#calls++));
    const { reply, failure } = await askEnvironment(about, this.#tools.deadlineMs, signal, (end) =>
      call({ task, random, signal: end }),
    );
    if (reply === undefined) {
      this.#reply = { messages: [], isDone: true };
      this.#outcome = failure;
      this.#hasFailed = true;
      return;
    }
    this.#state = { value: reply.state };
    this.#reply = reply;
    this.#outcome = reply.outcome;
  }
}
