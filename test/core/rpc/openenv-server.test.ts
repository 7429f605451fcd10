import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { loadEnvironment, type LoadedEnvironment } from "../../../core/src/environments/environment-loader.js";
import type { EnvironmentDefinition } from "../../../core/src/environments/environment.js";
import type { Episodes } from "../../../core/src/environments/episode.js";
import type { ServiceDoor } from "../../../core/src/rpc/open-door.js";
import { serveOpenEnv, type OpenEnvOptions } from "../../../core/src/rpc/openenv-server.js";
import type { OpenEnvFrame } from "../../../core/src/rpc/openenv-session.js";
import { outcomeVerifier, z } from "../../../core/src/sdk.js";

const ROOT = new URL("../../..", import.meta.url).pathname;
const open: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function serve(environment: LoadedEnvironment, changes: Partial<OpenEnvOptions> = {}): Promise<ServiceDoor> {
  const limits = { capacity: 4, maxFrameBytes: 4096, deadlineMs: 20_000 };
  const at = { baseDirectory: ROOT, split: "train", seed: 1, address: "127.0.0.1:0" } as const;
  const door = await serveOpenEnv({ environment, ...at, ...limits, ...changes });
  open.push(() => door.close(0));
  return door;
}

/** A client that says one thing and hears one thing at a time. */
class Client {
  readonly socket: WebSocket;
  readonly #frames: OpenEnvFrame[] = [];
  #wake = (): void => {};

  constructor(door: ServiceDoor, headers: Readonly<Record<string, string>> = {}, path = "/ws") {
    this.socket = new WebSocket(`ws://${door.address}${path}`, { headers });
    this.socket.on("message", (data) => {
      this.#frames.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.socket.on("error", () => {});
    open.push(() => this.socket.terminate());
  }

  async hear(): Promise<OpenEnvFrame> {
    while (this.#frames.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#frames.shift()!;
  }

  async say(frame: unknown): Promise<OpenEnvFrame> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    return this.hear();
  }

  step(message: string): Promise<OpenEnvFrame> {
    return this.say({ type: "step", data: { message } });
  }
}

const arithmetic = () => loadEnvironment("arithmetic", { minSteps: 1, maxSteps: 1 }, ROOT);
const guessing = () => loadEnvironment("guess-number", { maxStart: 9, maxDifficulty: 1 }, ROOT);
const ERROR = (code: string, message: RegExp) => ({
  type: "error",
  data: { code, message: expect.stringMatching(message) },
});

/** An environment that does what a test wants when it is asked. */
function made(step: Episodes["step"], reset?: Episodes["reset"], close?: Episodes["close"]): LoadedEnvironment {
  const begin = { state: null, messages: [], isDone: false };
  const definition: EnvironmentDefinition = {
    name: "made",
    version: "1.0.0",
    description: "Of a test",
    config: z.unknown(),
    taskset: async () => ({
      size: 3,
      at: (index) => ({ id: `${index}`, domain: "made", prompt: [], reference: "", meta: {} }),
    }),
    verifier: () => outcomeVerifier("made", "1.0.0"),
    episodes: () => ({ reset: reset ?? (() => begin), step, ...(close ? { close } : {}) }),
  };
  return { definition, config: {}, bundle: { hash: "", code: "", sourceMap: "", path: "", inputs: [] } };
}

describe("serveOpenEnv()", () => {
  test("plays an episode: the prompt first, then what is answered, and the verdict as the reward", async () => {
    const environment = await guessing();
    const client = new Client(await serve(environment));
    const { definition, config } = environment;
    const task = (await definition.taskset(config, "train", { baseDirectory: ROOT, seed: 1 })).at(5);
    expect(await client.say({ type: "reset", data: { seed: 5, episode_id: "e-1", other: true } })).toEqual({
      type: "observation",
      data: { observation: { messages: task.prompt, task: task.id }, reward: null, done: false },
    });
    const wrong = Number(task.reference) - 1;
    expect(await client.step(`\\boxed{${wrong}}`)).toEqual({
      type: "observation",
      data: {
        observation: { messages: [{ role: "user", content: "higher" }], task: task.id },
        reward: null,
        done: false,
      },
    });
    expect(await client.say({ type: "state" })).toEqual({ type: "state", data: { episode_id: "e-1", step_count: 1 } });
    expect(await client.step(`\\boxed{${task.reference}}`)).toMatchObject({
      data: { observation: { verdict: { kind: "pass", reason: "found" } }, reward: 1, done: true },
    });
    expect(await client.step("again")).toMatchObject(ERROR("VALIDATION_ERROR", /the episode is over/));
    expect(await client.say({ type: "reset", data: {} })).toMatchObject({ data: { done: false } });
  });

  test("offers an environment of one answer too, and takes its tasks in turn", async () => {
    const environment = await arithmetic();
    const { definition, config } = environment;
    const tasks = await definition.taskset(config, "train", { baseDirectory: ROOT, seed: 1 });
    const client = new Client(await serve(environment));
    for (const [index, answer] of [tasks.at(0).reference, "x"].entries()) {
      const begun = await client.say({ type: "reset" });
      expect(begun).toMatchObject({ data: { observation: { task: tasks.at(index).id } } });
      const reward = index === 0 ? 1 : 0;
      expect(await client.step(`\\boxed{${answer}}`)).toMatchObject({ data: { reward, done: true } });
    }
    expect(await client.say({ type: "reset", data: { index: 7, seed: 3 } })).toMatchObject({
      data: { observation: { task: "train/7" } },
    });
  });

  test("has an environment's failures as errors, never as a reward", async () => {
    const says = (outcome: object) => () => ({ state: null, messages: [], isDone: true, outcome: outcome as never }); // any outcome
    const broken: readonly (readonly [Episodes["step"], ReturnType<typeof ERROR>])[] = [
      [
        () => {
          throw new Error("no");
        },
        ERROR("EXECUTION_ERROR", /^error: environment-threw: step 1: Error: no/),
      ],
      [() => new Promise(() => {}), ERROR("EXECUTION_ERROR", /^timeout: environment-late: step 1/)],
      [says({ kind: "timeout", reason: "slow" }), ERROR("EXECUTION_ERROR", /^timeout: slow/)],
      [says({ kind: "infra", reason: "gone" }), ERROR("SESSION_ERROR", /^infra: gone/)],
      [
        says({ kind: "abstain", reason: "unclear" }),
        { type: "observation", data: { reward: null, done: true } } as never, // its frame
      ],
    ];
    for (const [step, wanted] of broken) {
      // A busy machine may take long, so only the one that never answers has little time.
      const deadlineMs = step === broken[1]?.[0] ? 1000 : 20_000;
      const client = new Client(await serve(made(step), { deadlineMs }));
      await client.say({ type: "reset" });
      expect(await client.step("hm")).toMatchObject(wanted);
    }
    const client = new Client(
      await serve(
        made(
          () => Promise.reject(),
          () => {
            throw new Error("no room");
          },
        ),
      ),
    );
    expect(await client.say({ type: "reset" })).toMatchObject(ERROR("EXECUTION_ERROR", /reset: Error: no room/));
  });

  test.each([
    ["{", ERROR("INVALID_JSON", /JSON/)],
    ["[]", ERROR("VALIDATION_ERROR", /a frame is/)],
    ['{"type":3}', ERROR("VALIDATION_ERROR", /a frame is/)],
    ['{"type":"mcp","data":{}}', ERROR("UNKNOWN_TYPE", /there is no "mcp"/)],
    ['{"type":"reset","data":{"seed":-1}}', ERROR("VALIDATION_ERROR", /seed/)],
    ['{"type":"reset","data":7}', ERROR("VALIDATION_ERROR", /object/)],
    ['{"type":"step","data":{"message":"x"}}', ERROR("VALIDATION_ERROR", /no episode has begun: send reset first/)],
    ['{"type":"step","data":{"text":"x"}}', ERROR("VALIDATION_ERROR", /message/)],
    ['{"type":"step"}', ERROR("VALIDATION_ERROR", /object/)],
  ])("answers the hostile frame %s with an error, and goes on", async (frame, wanted) => {
    const client = new Client(await serve(await arithmetic()));
    expect(await client.say(frame)).toMatchObject(wanted);
    expect(await client.say({ type: "reset", data: { seed: 0 } })).toMatchObject({ type: "observation" });
  });

  test("ends a connection that sends too much, or too much at once, and serves the next", async () => {
    let entered = 0;
    const door = await serve(
      made(() => (entered++, new Promise(() => {}))),
      { deadlineMs: 60_000 },
    );
    const large = new Client(door);
    await once(large.socket, "open");
    const ended = once(large.socket, "close");
    large.socket.send(JSON.stringify({ type: "step", data: { message: "x".repeat(5000) } }));
    expect((await ended)[0]).toBe(1009);

    const many = new Client(door);
    await many.say({ type: "reset" });
    const over = once(many.socket, "close");
    for (let frame = 0; frame < 40; frame++) many.socket.send('{"type":"step","data":{"message":"x"}}');
    expect((await over)[0]).toBe(1008);
    expect(entered).toBe(1);
    expect(await new Client(door).say({ type: "reset" })).toMatchObject({ type: "observation" });
  });

  test("says when there is no room, and has room again when a session ends", async () => {
    const closed: unknown[] = [];
    const stay = made(
      () => new Promise(() => {}),
      undefined,
      (state) => void closed.push(state),
    );
    const door = await serve(stay, { capacity: 1 });
    const first = new Client(door);
    await first.say({ type: "reset" });
    const second = new Client(door);
    const refused = once(second.socket, "close");
    expect(await second.hear()).toMatchObject(ERROR("CAPACITY_REACHED", /^1 sessions are open/));
    expect((await refused)[0]).toBe(1013);
    const gone = once(first.socket, "close");
    first.socket.send('{"type":"close"}');
    expect((await gone)[0]).toBe(1000);
    // The server may hear of the end a little later than the client.
    await expect.poll(async () => (await new Client(door).say({ type: "reset" })).type).toBe("observation");
    await expect.poll(() => closed).toEqual([null]);
  });

  test("lets in who shows the token, and no page of a browser", async () => {
    const token = "a-token-of-some-length";
    const door = await serve(await arithmetic(), { token });
    const bearer = { authorization: `Bearer ${token}` };
    const statusOf = async (client: Client): Promise<number | undefined> =>
      (await once(client.socket, "unexpected-response"))[1].statusCode;
    expect(await statusOf(new Client(door))).toBe(401);
    expect(await statusOf(new Client(door, { authorization: "Bearer wrong" }))).toBe(401);
    expect(await statusOf(new Client(door, { ...bearer, origin: "http://127.0.0.1:1" }))).toBe(403);
    expect(await statusOf(new Client(door, bearer, "/other"))).toBe(404);
    expect(await new Client(door, bearer).say({ type: "reset" })).toMatchObject({ type: "observation" });
    await expect(serve(await arithmetic(), { address: "0.0.0.0:0" })).rejects.toMatchObject({
      code: "SERVICE_NOT_SECURED",
    });
  });

  test("has its health, metadata and schema as pages", async () => {
    const door = await serve(await guessing());
    const page = async (path: string): Promise<Record<string, unknown>> =>
      Object(await (await fetch(`http://${door.address}${path}`)).json());
    expect(await page("/health")).toEqual({ status: "healthy" });
    expect(await page("/metadata")).toMatchObject({ name: "guess-number", version: "1.0.0" });
    const schema = await page("/schema");
    expect(Object.keys(schema)).toEqual(["action", "observation", "state"]);
    expect(schema["action"]).toMatchObject({ type: "object", required: ["message"], additionalProperties: false });
    expect(await page("/else")).toHaveProperty("error");
  });
});
