import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import {
  environmentParcel,
  loadEnvironment,
  unpackEnvironment,
} from "../../../core/src/environments/environment-loader.js";
import type { EnvironmentDefinition } from "../../../core/src/environments/environment.js";
import type { Episodes, Reply } from "../../../core/src/environments/episode.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import type { Task } from "../../../core/src/records/task.js";
import { serveOpenEnv, type OpenEnvOptions } from "../../../core/src/rpc/openenv-server.js";
import openenv from "../../../environments/openenv/index.js";

const ROOT = new URL("../../..", import.meta.url).pathname;
// A definition takes what its own schema parsed.
const environment = openenv as unknown as EnvironmentDefinition;
const open: (() => Promise<unknown> | void)[] = [];
const TOKEN = "a-token-of-some-length";

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

beforeAll(() => {
  process.env["TEST_OPENENV_TOKEN"] = TOKEN;
});

/** Our own server with an environment of ours; gives its address. */
async function serve(use: string, settings: object, changes: Partial<OpenEnvOptions> = {}): Promise<string> {
  const offered = await loadEnvironment(use, settings, ROOT);
  const at = { baseDirectory: ROOT, split: "train", seed: 1, address: "127.0.0.1:0" } as const;
  const limits = { capacity: 8, maxFrameBytes: 65_536, deadlineMs: 20_000 };
  const door = await serveOpenEnv({ environment: offered, ...at, ...limits, ...changes });
  open.push(() => door.close(0));
  return `ws://${door.address}/ws`;
}

/** A server that says what a test wants to every frame. */
async function answering(
  answer: (frame: { type: string; data: unknown }, client: WebSocket) => unknown,
): Promise<string> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/ws" });
  server.on("connection", (client) => {
    client.on("message", (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === "close") return client.close();
      const said = answer(frame, client);
      if (said !== undefined) client.send(typeof said === "string" ? said : JSON.stringify(said));
    });
  });
  await new Promise((resolve) => server.once("listening", resolve));
  open.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`; // it listens on a port
}

const OBSERVED = (observation: object, reward: unknown = null, done = false) => ({
  type: "observation",
  data: { observation, reward, done },
});

async function taskOf(url: string, settings: object = {}, split: "train" | "eval" = "train", index = 0) {
  const config = environment.config.parse({ url, ...settings });
  const taskset = await environment.taskset(config, split, { baseDirectory: ".", seed: 1 });
  return { config, task: taskset.at(index) };
}

const scene = (task: Task, signal = new AbortController().signal) => ({
  task,
  random: new Random(deriveKey(1)),
  signal,
});
const turn = (text: string, index = 0) => ({
  index,
  assistantPrefix: "<think>\n",
  responseText: `why</think>\n\n${text}`,
});

/** Plays one episode; the last reply ends it. */
async function play(url: string, texts: readonly string[], settings: object = {}): Promise<readonly Reply[]> {
  const { config, task } = await taskOf(url, { tries: 1, ...settings });
  const episodes = environment.episodes!(config);
  const replies = [await episodes.reset(scene(task))];
  for (const [index, text] of texts.entries()) {
    const last = replies.at(-1)!;
    if (last.isDone) break;
    replies.push(await episodes.step(scene(task), last.state, turn(text, index)));
  }
  await episodes.close?.(replies.at(-1)!.state);
  return replies;
}

const lastOf = async (...args: Parameters<typeof play>) => (await play(...args)).at(-1)!;

describe("openenv against our own server", () => {
  test("plays an episode of another environment, message for message, with its verdict", async () => {
    const url = await serve("guess-number", { maxStart: 9, maxDifficulty: 1 });
    const served = await loadEnvironment("guess-number", { maxStart: 9, maxDifficulty: 1 }, ROOT);
    const tasks = await served.definition.taskset(served.config, "train", { baseDirectory: ROOT, seed: 1 });
    const { prompt, reference } = tasks.at(0);
    const replies = await play(url, [`\\boxed{${Number(reference) - 1}}`, `\\boxed{${reference}}`]);
    expect(replies.map(({ messages }) => messages)).toEqual([prompt, [{ role: "user", content: "higher" }], []]);
    expect(replies.at(-1)).toMatchObject({
      isDone: true,
      outcome: { kind: "pass", score: 1, reason: "reward: 1, found", parts: { reward: 1 } },
    });
    const { config, task } = await taskOf(url);
    const trajectory = { outcome: replies.at(-1)!.outcome } as never; // all that this verifier looks at
    expect(await environment.verifier(config).verify(task, trajectory)).toMatchObject({
      kind: "pass",
      verifier: "openenv",
    });
  });

  test("has even seeds to learn from and odd ones held out", async () => {
    const seeds = async (split: "train" | "eval") => {
      const all = await Promise.all(
        [0, 1, 2].map(async (index) => (await taskOf("ws://127.0.0.1:1/ws", {}, split, index)).task),
      );
      return all.map(({ meta }) => meta["seed"]);
    };
    expect(await seeds("train")).toEqual([0, 2, 4]);
    expect(await seeds("eval")).toEqual([1, 3, 5]);
  });

  test("travels to other threads with what it needs, and plays many episodes at once", async () => {
    const url = await serve("arithmetic", { minSteps: 1, maxSteps: 1 });
    const parcel = environmentParcel(await loadEnvironment("openenv", { url }, ROOT));
    const { definition, config } = unpackEnvironment(structuredClone(parcel));
    const episodes = definition.episodes!(config);
    const { task } = await taskOf(url);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { state } = await episodes.reset(scene(task));
        const { outcome } = await episodes.step(scene(task), state, turn("\\boxed{x}"));
        await episodes.close?.(state);
        return outcome?.kind;
      }),
    );
    expect(outcomes).toEqual(Array.from({ length: 8 }, () => "fail"));
  });

  test("waits for room and for a server that is to come, and says so when there is none", async () => {
    const url = await serve("arithmetic", {}, { capacity: 1 });
    const { config, task } = await taskOf(url, { tries: 1 });
    const first = environment.episodes!(config);
    const begun = await first.reset(scene(task));
    expect(await lastOf(url, [])).toMatchObject({
      isDone: true,
      outcome: { kind: "infra", reason: expect.stringMatching(/^CAPACITY_REACHED: 1 sessions/) },
    });
    const patient = play(url, ["\\boxed{x}"], { tries: 12 });
    await first.close?.(begun.state);
    expect((await patient).at(-1)).toMatchObject({ outcome: { kind: "fail" } });
    expect(await lastOf("ws://127.0.0.1:1/ws", [])).toMatchObject({
      outcome: { kind: "infra", reason: expect.stringMatching(/^connection-lost: .*ECONNREFUSED/) },
    });
  });

  test("shows the token that a variable of the process holds", async () => {
    const url = await serve("arithmetic", {}, { token: TOKEN });
    expect(await lastOf(url, ["\\boxed{x}"], { tokenVariable: "TEST_OPENENV_TOKEN" })).toMatchObject({
      outcome: { kind: "fail" },
    });
    expect(await lastOf(url, [])).toMatchObject({
      outcome: { kind: "infra", reason: "connection-lost: Unexpected server response: 401" },
    });
  });
});

describe("openenv against other servers", () => {
  test.each([
    ["CAPACITY_REACHED", "infra"],
    ["FACTORY_ERROR", "infra"],
    ["SESSION_ERROR", "infra"],
    ["EXECUTION_ERROR", "error"],
    ["VALIDATION_ERROR", "error"],
    ["INVALID_JSON", "error"],
    ["UNKNOWN_TYPE", "error"],
    ["SOMETHING_ELSE", "error"],
  ])("makes an outcome of code %s that is %s", async (code, kind) => {
    const url = await answering(({ type }) =>
      type === "reset" ? OBSERVED({ text: "go" }) : { type: "error", data: { message: "no", code } },
    );
    expect(await lastOf(url, ["hm"])).toMatchObject({ isDone: true, outcome: { kind, reason: `${code}: no` } });
  });

  test.each([
    [1, {}, { kind: "pass", score: 1 }],
    [0, {}, { kind: "fail", score: 0 }],
    [0.25, {}, { kind: "partial", score: 0.25 }],
    [true, {}, { kind: "pass", score: 1 }],
    [-1, { lowest: -1 }, { kind: "fail", score: 0 }],
    [0, { lowest: -1 }, { kind: "partial", score: 0.5 }],
    [2, {}, { kind: "error", reason: "reward-out-of-range: 2 is not from 0 to 1" }],
    [null, {}, { kind: "abstain", reason: "no-reward: the episode ended without one" }],
  ])("makes an outcome of reward %j with %j", async (reward, settings, outcome) => {
    const url = await answering(({ type }) => (type === "reset" ? OBSERVED({}) : OBSERVED({}, reward, true)));
    expect((await lastOf(url, ["hm"], settings)).outcome).toMatchObject(outcome);
  });

  test("finds a reward inside the observation, and adds rewards up where that is wanted", async () => {
    const url = await answering(({ type, data }) => {
      if (type === "reset") return OBSERVED({ reward: 0 });
      const { move } = data as { move: string }; // what the setting makes of an action
      return { type: "observation", data: { observation: { reward: 0.25 }, done: move === "c" } };
    });
    const settings = { action: "move", reward: "sum" };
    expect((await lastOf(url, ["a", "b", "c"], settings)).outcome).toMatchObject({ kind: "partial", score: 0.75 });
    expect((await lastOf(url, ["c"], { action: "move" })).outcome).toMatchObject({ kind: "partial", score: 0.25 });
  });

  test("puts the policy's text, further fields and the seed where they are wanted, and reads the field it is told to", async () => {
    const heard: unknown[] = [];
    const url = await answering((frame) => {
      heard.push(frame);
      return OBSERVED({ board: "x.o", legal: [1, 2] });
    });
    const settings = { action: "code", fields: { timeout: 5 }, reset: { level: 2 }, observation: "board" };
    const replies = await play(url, ["print()"], settings);
    expect(heard).toEqual([
      { type: "reset", data: { level: 2, seed: 0 } },
      { type: "step", data: { timeout: 5, code: "print()" } },
    ]);
    expect(replies.map(({ messages }) => messages[0]?.content)).toEqual(["x.o", "x.o"]);
    const whole = await play(url, []);
    expect(whole[0]?.messages).toEqual([{ role: "user", content: '{"board":"x.o","legal":[1,2]}' }]);
  });

  test.each<[string, unknown, string, RegExp]>([
    ["no JSON", "hello", "error", /^server-answered: no JSON: hello/],
    ["no frame", { type: "greeting" }, "error", /^server-answered: no frame: type/],
    [
      "no observation",
      { type: "observation", data: { done: true } },
      "error",
      /^server-answered: no frame: data.observation/,
    ],
    ["a reward of text", OBSERVED({}, "1", true), "error", /^server-answered: no frame: data.reward/],
    ["a state instead", { type: "state", data: {} }, "error", /^server-answered: a state/],
    ["too much", OBSERVED({ text: "x".repeat(5000) }), "infra", /^connection-lost: Max payload size exceeded/],
  ])("makes an outcome of a server that answers %s", async (_what, answer, kind, reason) => {
    const url = await answering(({ type }) => (type === "reset" ? OBSERVED({}) : answer));
    const { outcome } = await lastOf(url, ["hm"], { maxFrameKb: 1 });
    expect(outcome).toEqual({ kind, reason: expect.stringMatching(reason) });
  });

  test("is infra when a session ends before its time, and the next episode has a session of its own", async () => {
    let sessions = 0;
    const url = await answering(({ type }, client) => {
      if (type === "reset") return OBSERVED({ session: ++sessions });
      if (sessions === 1) return void client.terminate();
      return OBSERVED({}, 1, true);
    });
    expect((await lastOf(url, ["hm"])).outcome).toMatchObject({
      kind: "infra",
      reason: expect.stringContaining("code 1006"),
    });
    expect((await lastOf(url, ["hm"])).outcome).toMatchObject({ kind: "pass" });
    expect(sessions).toBe(2);
  });

  test("lets go of a session that does not answer when nobody waits any more", async () => {
    let ended = (): void => {};
    const gone = new Promise<void>((resolve) => (ended = resolve));
    const url = await answering(({ type }, client) => {
      client.on("close", ended);
      return type === "reset" ? OBSERVED({}) : undefined;
    });
    const { config, task } = await taskOf(url);
    const episodes: Episodes = environment.episodes!(config);
    const { state } = await episodes.reset(scene(task));
    const stop = new AbortController();
    const answer = episodes.step(scene(task, stop.signal), state, turn("hm"));
    stop.abort();
    expect(await answer).toMatchObject({ outcome: { kind: "infra" } });
    await gone;
  });
});
