import {
  splitThinking,
  systemClock,
  type EpisodeOutcome,
  type Episodes,
  type EpisodeScene,
  type JsonObject,
  type Message,
  type Reply,
} from "@troupe/core/sdk";
import { OpenEnvConnection, type Heard } from "./connection.js";
import type { Settings } from "./settings.js";

/** Pause before a session is asked for once more; it doubles every time. */
const FIRST_PAUSE_MS = 50;

/** Codes that say nothing of what was asked: the server could not have served anybody. */
const LOST_CODES: readonly string[] = ["CAPACITY_REACHED", "FACTORY_ERROR", "SESSION_ERROR"];

/** A session is named by its number: what it holds is the server's. */
type State = { readonly session: number; readonly reward: number };

/** Has an OpenEnv server talk with the policy: one connection for every episode, opened by its reset. */
export function openenvEpisodes(settings: Settings): Episodes<State> {
  const sessions = new Map<number, OpenEnvConnection>();
  let opened = 0;

  const reply = (state: State, heard: Heard): Reply<State> => {
    if (heard.type !== "observation") return { state, messages: [], isDone: true, outcome: failureOf(heard) };
    const { observation, done: isDone } = heard.data;
    const reward = rewardOf(heard.data.reward ?? observation["reward"]);
    const sum = { ...state, reward: state.reward + (reward ?? 0) };
    if (!isDone) return { state: sum, messages: messagesOf(observation, settings.observation), isDone };
    const counted = settings.reward === "sum" ? sum.reward : reward;
    return { state: sum, messages: [], isDone, outcome: outcomeOf(counted, observation, settings) };
  };

  return {
    async reset(scene) {
      const { connection, heard } = await begin(settings, scene);
      const state: State = { session: opened++, reward: 0 };
      if (connection !== undefined) sessions.set(state.session, connection);
      return reply(state, heard);
    },
    async step({ signal }, state, turn) {
      const connection = sessions.get(state.session);
      if (connection === undefined) return reply(state, { type: "lost", reason: "its session was on another thread" });
      // What the policy thinks is its own; thinking that never ended leads to nothing said.
      const text = splitThinking(turn).answer?.trim() ?? "";
      const action = { ...settings.fields, [settings.action]: text };
      return reply(state, await connection.ask("step", action, signal));
    },
    close({ session }) {
      sessions.get(session)?.close();
      sessions.delete(session);
    },
  };
}

/** A session whose reset was answered; where the server has no room, or is not there, it is asked again. */
async function begin(
  settings: Settings,
  { task, signal }: EpisodeScene,
): Promise<{ readonly connection?: OpenEnvConnection; readonly heard: Heard }> {
  const options = {
    token: process.env[settings.tokenVariable],
    maxFrameBytes: 1024 * settings.maxFrameKb,
    signal,
  };
  for (let attempt = 1; ; attempt++) {
    const connection = await OpenEnvConnection.open(settings.url, options);
    const isOpen = connection instanceof OpenEnvConnection;
    const heard = isOpen
      ? await connection.ask("reset", { ...settings.reset, seed: task.meta["seed"] }, signal)
      : connection;
    if (heard.type === "observation" && isOpen) return { connection, heard };
    if (isOpen) connection.drop();
    if (attempt >= settings.tries || signal.aborted || !isWorthAnotherTry(heard)) return { heard };
    await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
  }
}

function isWorthAnotherTry(heard: Heard): boolean {
  return heard.type === "lost" || (heard.type === "error" && LOST_CODES.includes(heard.data.code));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = systemClock.after(ms, resolve);
    signal.addEventListener("abort", () => (cancel(), resolve()), { once: true });
  });
}

/** What the lack of an observation is worth: nothing that could be learned from. */
function failureOf(heard: Exclude<Heard, { readonly type: "observation" }>): EpisodeOutcome {
  switch (heard.type) {
    case "error": {
      const { code, message } = heard.data;
      return { kind: LOST_CODES.includes(code) ? "infra" : "error", reason: `${code}: ${message.slice(0, 200)}` };
    }
    case "lost":
      return { kind: "infra", reason: `connection-lost: ${heard.reason}` };
    case "unreadable":
      return { kind: "error", reason: `server-answered: ${heard.reason}` };
    case "state":
      return { kind: "error", reason: "server-answered: a state that was not asked for" };
  }
}

function rewardOf(value: unknown): number | undefined {
  return typeof value === "boolean" ? Number(value) : typeof value === "number" ? value : undefined;
}

function outcomeOf(reward: number | undefined, observation: JsonObject, { lowest, highest }: Settings): EpisodeOutcome {
  if (reward === undefined) return { kind: "abstain", reason: "no-reward: the episode ended without one" };
  const score = (reward - lowest) / (highest - lowest);
  if (!(score >= 0 && score <= 1))
    return { kind: "error", reason: `reward-out-of-range: ${reward} is not from ${lowest} to ${highest}` };
  const kind = score === 1 ? "pass" : score === 0 ? "fail" : "partial";
  // Only `reason` is looked at, and only where it is text.
  const { reason: why } = (observation["verdict"] ?? {}) as { readonly reason?: unknown };
  const reason = `reward: ${reward}${typeof why === "string" ? `, ${why.slice(0, 200)}` : ""}`;
  return { kind, score, reason, parts: { reward } };
}

/** What of an observation the policy is told. */
function messagesOf(observation: JsonObject, field: string | undefined): readonly Message[] {
  const chosen = field === undefined ? observation["messages"] : observation[field];
  if (field === undefined && isMessages(chosen)) return chosen;
  const content = typeof chosen === "string" ? chosen : JSON.stringify(chosen ?? observation);
  return [{ role: "user", content }];
}

function isMessages(value: unknown): value is readonly Message[] {
  if (!Array.isArray(value)) return false;
  return value.every((message: unknown) => {
    // Both properties are checked before they are relied on.
    const { role, content } = (message ?? {}) as { readonly role?: unknown; readonly content?: unknown };
    return (role === "user" || role === "system" || role === "tool") && typeof content === "string";
  });
}
