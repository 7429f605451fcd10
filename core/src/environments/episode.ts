import type { Random } from "../numerics/random.js";
import type { JsonValue } from "../records/json.js";
import type { Message, Task } from "../records/task.js";
import type { PolicyTurn } from "../records/trajectory.js";
import type { EpisodeOutcome } from "../records/verdict.js";

/** What an environment answers, to the beginning of an episode or to a turn of the policy. */
export interface Reply<State extends JsonValue = JsonValue> {
  /** What is to be remembered of the episode; plain data that the environment does not change afterwards. */
  readonly state: State;
  /** What the policy is told before its next turn; not looked at once the episode is over. */
  readonly messages: readonly Message[];
  readonly isDone: boolean;
  /**
   * How a finished episode ended, where the environment knows. Kinds "error", "timeout" and "infra" are the sample's
   * verdict as they stand; any other is the verifier's to read, see `outcomeVerifier`.
   */
  readonly outcome?: EpisodeOutcome;
}

/** One episode, as its environment sees it. */
export interface EpisodeScene {
  readonly task: Task;
  /** Chance of this call: keyed by task, slot, step of the run and turn, so an episode can be played again. */
  readonly random: Random;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Episodes of several turns. What is remembered between turns goes through `state` alone: the same state and turn get the
 * same answer, from any copy of the environment and after a round trip through JSON. Many episodes may be under way at
 * once, on several threads. What throws is a verdict of kind "error", what outlasts the deadline one of kind "timeout".
 *
 * @example
 * // Wants a longer text every turn, three times.
 * const longer: Episodes<number> = {
 *   reset: () => ({ state: 0, messages: [], isDone: false }),
 *   step: (_scene, length, { index, responseText }) => ({
 *     state: responseText.length,
 *     messages: [{ role: "user", content: "longer" }],
 *     isDone: index === 2 || responseText.length <= length,
 *   }),
 * };
 */
export interface Episodes<State extends JsonValue = JsonValue> {
  /** Begins an episode; its messages come after the task's prompt. */
  reset(scene: EpisodeScene): Reply<State> | Promise<Reply<State>>;
  /** Answers a turn that ended by itself; one that was cut at a budget ends the episode. */
  step(scene: EpisodeScene, state: State, turn: PolicyTurn): Reply<State> | Promise<Reply<State>>;
  /** The episode is over, whatever ended it; the place to let go of connections. Called once, not after a failed reset. */
  close?(state: State): void | Promise<void>;
}
