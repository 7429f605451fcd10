import type { Completion, GenerateRequest } from "../engines/policy-engine.js";
import type { Tokenizer } from "../engines/tokenizer.js";
import { keyToHex, type RandomKey } from "../numerics/random.js";
import type { StopReason, Trajectory } from "../records/trajectory.js";
import { continueConversation, type Conversation } from "./conversation.js";
import type { EpisodePlayer, EpisodeTools } from "./episode-player.js";
import type { FormattedPrompt } from "./format-prompt.js";
import type { SpannedCompletion } from "./generate-through.js";
import { OpenTrajectory } from "./open-trajectory.js";

/** What all rollouts of an order share. */
export interface SlotTools {
  readonly tokenizer: Tokenizer;
  readonly maxPositions: number;
  /** Absent where a trajectory is one answer. */
  readonly episodes?: EpisodeTools;
}

/** The parts of a trajectory that come of sampling it. */
export type SampledParts = Omit<Trajectory, "id" | "taskId" | "groupId" | "slot" | "mode" | "kernelSet" | "plugins">;

/** One slot's way to a trajectory: what to sample next, and what to make of it, until it is over. */
export class SlotRollout {
  readonly #tools: SlotTools;
  readonly #prompt: FormattedPrompt;
  readonly #seedOf: (turn: number) => RandomKey;
  readonly #player: EpisodePlayer | undefined;
  readonly #trajectory = new OpenTrajectory();
  #conversation: Conversation;
  #turns = 0;
  #end: StopReason | undefined;
  /** Whether the last token is the stop token, which is no text. */
  #hasStop = false;

  /**
   * @param seedOf key of a turn's chance
   * @param player the environment's side; absent where a trajectory is one answer
   */
  constructor(
    tools: SlotTools,
    prompt: FormattedPrompt,
    seedOf: (turn: number) => RandomKey,
    player: EpisodePlayer | undefined,
  ) {
    this.#tools = tools;
    this.#prompt = prompt;
    this.#seedOf = seedOf;
    this.#player = player;
    const { messages, text, assistantPrefix } = prompt;
    this.#conversation = { messages, text, assistantPrefix };
    this.#trajectory.prompt(prompt.tokens);
    this.#endWithEnvironment();
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** The next turn to sample. */
  request(): GenerateRequest {
    const { tokenizer, maxPositions, episodes } = this.#tools;
    const { forcedTokens, sampling } = this.#prompt;
    const { temperature, topP, topK, minP, logitBias, stopStrings, budgetRules } = sampling;
    const promptTokens = this.#trajectory.context();
    const maxTokens = Math.min(this.#left(), episodes?.maxTurnTokens ?? Infinity, maxPositions - promptTokens.length);
    const bias = Object.entries(logitBias).map(([token, value]) => [Number(token), value] as const);
    const ids = (text: string | undefined): number[] => (text === undefined ? [] : [...tokenizer.encode(text)]);
    const rules = budgetRules.map(({ limit, from, until, inject }) => ({
      limit,
      from: ids(from),
      until: ids(until),
      inject: ids(inject),
    }));
    return {
      promptTokens,
      maxTokens,
      temperature,
      topP,
      topK,
      minP,
      stopTokens: [tokenizer.eosToken],
      seed: this.#seedOf(this.#turns),
      // What a method has the response begin with, its first turn begins with.
      ...(this.#turns === 0 && forcedTokens.length > 0 ? { forcedTokens } : {}),
      ...(bias.length > 0 ? { logitBias: bias } : {}),
      ...(stopStrings.length > 0 ? { stopStrings } : {}),
      ...(rules.length > 0 ? { budgetRules: rules } : {}),
    };
  }

  /** Adds a turn, and what the environment answers to it. */
  async take(spanned: SpannedCompletion): Promise<void> {
    const { tokenizer } = this.#tools;
    const { completion } = spanned;
    this.#hasStop = drewStopToken(completion, tokenizer.eosToken);
    const said = tokenizer.decode(this.#hasStop ? completion.tokens.subarray(0, -1) : completion.tokens);
    const index = this.#turns++;
    const forcedLogprob = index === 0 ? this.#prompt.forcedLogprob : undefined;
    this.#trajectory.say(spanned, forcedLogprob, this.#player && said);
    if (this.#player === undefined || completion.stopReason !== "stop") {
      this.#end = completion.stopReason;
      return;
    }
    const { assistantPrefix } = this.#conversation;
    await this.#player.step({ index, assistantPrefix, responseText: said });
    this.#endWithEnvironment();
    if (this.isOver) return;
    if (this.#turns >= (this.#tools.episodes?.maxTurns ?? 1)) this.#end = "turns";
    else this.#goOn(said, this.#player.messages);
  }

  record(): SampledParts {
    const { tokenizer } = this.#tools;
    const { sampling, tokens, assistantPrefix, text, annotations } = this.#prompt;
    const arrays = this.#trajectory.arrays();
    const response = arrays.tokens.subarray(tokens.length, arrays.tokens.length - (this.#hasStop ? 1 : 0));
    const outcome = this.#player?.outcome;
    return {
      ...arrays,
      turns: this.#trajectory.turns,
      versions: this.#trajectory.versions,
      stopReason: this.#end ?? "aborted",
      ...(this.#end === "failed" && outcome !== undefined ? { failure: outcome.reason } : {}),
      seed: keyToHex(this.#seedOf(0)),
      temperature: sampling.temperature,
      maxTokens: sampling.maxTokens,
      assistantPrefix,
      promptText: text,
      responseText: tokenizer.decode(response),
      ...(outcome === undefined ? {} : { outcome }),
      annotations,
    };
  }

  #left(): number {
    return this.#prompt.sampling.maxTokens - this.#trajectory.sampled;
  }

  #endWithEnvironment(): void {
    if (this.#player?.isDone === true) this.#end = this.#player.hasFailed ? "failed" : "stop";
  }

  /** Adds what the environment said, unless there is no room for an answer to it. */
  #goOn(said: string, messages: EpisodePlayer["messages"]): void {
    const { tokenizer, maxPositions } = this.#tools;
    const stop = this.#hasStop ? tokenizer.decode(Int32Array.of(tokenizer.eosToken)) : "";
    const next = continueConversation(tokenizer, this.#conversation, said + stop, stop, messages);
    const tokens = tokenizer.encode(next.text);
    const before = next.isBreak ? 0 : this.#trajectory.context().length;
    if (this.#left() <= 0 || before + tokens.length >= maxPositions) {
      this.#end = "length";
      return;
    }
    this.#conversation = next.conversation;
    this.#hasStop = false;
    if (next.isBreak) this.#trajectory.prompt(tokens);
    else this.#trajectory.observe(tokens, next.text);
  }
}

function drewStopToken({ tokens, stopReason }: Completion, stopToken: number): boolean {
  return stopReason === "stop" && tokens.at(-1) === stopToken;
}
