import { splitThinking, type Episodes } from "@troupe/core/sdk";
import { extractAnswer } from "../math/extract-answer.js";
import { calculate, lastCall, UNREADABLE } from "./calculate.js";

/** Calls that were answered so far. */
type Calls = number;

/** Does one operation a turn until a turn boxes an answer, right or wrong; the verifier says which. */
export const calculatorEpisodes: Episodes<Calls> = {
  reset: () => ({ state: 0, messages: [], isDone: false }),
  step(_scene, calls, turn) {
    const { assistantPrefix, responseText: response } = turn;
    const isDone = extractAnswer({ assistantPrefix, response }).answer !== undefined;
    // A call inside the thinking is a thought.
    const call = lastCall(splitThinking(turn).answer ?? "");
    const content = call === undefined ? UNREADABLE : calculate(call);
    return { state: calls + 1, messages: [{ role: "tool", content }], isDone };
  },
};
