import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { loadEnvironment } from "../../../core/src/environments/environment-loader.js";
import type { EnvironmentDefinition } from "../../../core/src/environments/environment.js";
import type { Reply } from "../../../core/src/environments/episode.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { serveOpenEnv } from "../../../core/src/rpc/openenv-server.js";
import openenv from "../../../environments/openenv/index.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PEER = fileURLToPath(new URL("openenv_peer.py", import.meta.url));
const PYTHON = process.env["TROUPE_PYTHON"] ?? "python3";

const isInstalled = (() => {
  try {
    execFileSync(PYTHON, ["-c", "import openenv.core.generic_client"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
if (!isInstalled)
  console.log("openenv/interop.test.ts is skipped: no Python here imports openenv (TROUPE_PYTHON names another one)");

describe.skipIf(!isInstalled)("OpenEnv's own package", () => {
  test("as a client plays with our server", async () => {
    const environment = await loadEnvironment("guess-number", { maxStart: 9, maxDifficulty: 1 }, ROOT);
    const door = await serveOpenEnv({
      environment,
      baseDirectory: ROOT,
      split: "train",
      seed: 1,
      address: "127.0.0.1:0",
      capacity: 1,
      maxFrameBytes: 65_536,
      deadlineMs: 20_000,
    });
    try {
      const { stdout } = await promisify(execFile)(PYTHON, [PEER, "client", `ws://${door.address}`]);
      expect(JSON.parse(stdout)).toMatchObject({
        seen: [
          { observation: { task: "train/3", messages: [{ role: "user" }] }, reward: null, done: false },
          { observation: { messages: [{ content: "box a whole number" }] }, reward: null, done: false },
        ],
        state: { episode_id: "peer", step_count: 1 },
        refusal: expect.stringContaining("(code: VALIDATION_ERROR)"),
      });
    } finally {
      await door.close(0);
    }
  });

  test("as a server plays with our client: rewards, errors, and more sessions than it has room for", async () => {
    const port = await freePort();
    const server = spawn(PYTHON, [PEER, "server", String(port)], { stdio: "ignore" });
    const ended = once(server, "exit");
    try {
      const url = `ws://127.0.0.1:${port}/ws`;
      // It takes its time to begin.
      const right = await play(url, ["4-drow", "0-drow"], 14);
      expect(right[0]?.messages).toEqual([{ role: "user", content: "Say word-0 backwards" }]);
      expect(right.at(-1)).toMatchObject({ outcome: { kind: "pass", score: 1, reason: "reward: 1" } });
      expect((await play(url, ["a", "b"])).at(-1)).toMatchObject({ outcome: { kind: "fail", score: 0 } });
      expect((await play(url, ["crash"])).at(-1)).toMatchObject({
        outcome: { kind: "error", reason: expect.stringMatching(/^EXECUTION_ERROR: it crashed/) },
      });
      const crowd = await Promise.all(Array.from({ length: 5 }, () => play(url, ["0-drow"], 10)));
      expect(crowd.map((replies) => replies.at(-1)?.outcome?.kind)).toEqual(Array.from({ length: 5 }, () => "pass"));
    } finally {
      server.kill("SIGKILL");
      await ended;
    }
  });
});

/** Plays one episode of seed 0. */
async function play(url: string, texts: readonly string[], tries = 6): Promise<readonly Reply[]> {
  // A definition takes what its own schema parsed.
  const environment = openenv as unknown as EnvironmentDefinition;
  const config = environment.config.parse({ url, tries, observation: "text" });
  const episodes = environment.episodes!(config);
  const task = (await environment.taskset(config, "train", { baseDirectory: ".", seed: 1 })).at(0);
  const scene = { task, random: new Random(deriveKey(1)), signal: new AbortController().signal };
  const replies = [await episodes.reset(scene)];
  for (const [index, responseText] of texts.entries()) {
    const last = replies.at(-1)!;
    if (last.isDone) break;
    replies.push(await episodes.step(scene, last.state, { index, assistantPrefix: "", responseText }));
  }
  await episodes.close?.(replies.at(-1)!.state);
  return replies;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on a port
  server.close();
  await once(server, "close");
  return port;
}
