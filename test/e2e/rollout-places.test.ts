import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/src/records/json.js";
import { actorProcessesOf } from "../support/actor-processes.js";
import { traceOf, type RunTrace } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { TroupeProcess } from "../support/troupe-process.js";
import { CHANCE, writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;

const SETTINGS = {
  ...TINY,
  // One file for all runs: its place is part of its version.
  plugins: [writePlugin(folder, "chance", CHANCE), "grpo"],
  // Each step is sampled with a version that is not live any more when it is learned from.
  train: { steps: 6, promptsPerStep: 4, groupSize: 2, learningRate: 0.01, staleness: 1 },
  eval: { every: 3, tasks: 4 },
} satisfies JsonObject;

/** Runs to the end with rollout actors somewhere; what `meanwhile` does it does after a step, before anything goes on. */
async function traceWith(
  name: string,
  rollout: JsonObject,
  changes: JsonObject = {},
  meanwhile?: { readonly after: number; do(driver: number): void },
): Promise<RunTrace> {
  const own = join(folder, name);
  const file = writeTinyRun(own, { ...SETTINGS, ...changes, rollout: { maxTokens: 24, actors: 2, ...rollout } });
  const runs = join(own, "runs");
  let steps = 0;
  const place = meanwhile && { start: '{"type":"step"', count: meanwhile.after };
  const onLine = (line: string): void => {
    if (!place || !line.startsWith(place.start) || ++steps !== place.count) return;
    meanwhile.do(troupe.pid);
    troupe.goOn();
  };
  const troupe = new TroupeProcess(["--json", "run", file], { runs, home: join(own, "home") }, onLine, place);
  const end = await troupe.ended;
  expect(end, end.stderr).toMatchObject({ exitCode: 0, signal: null });
  return traceOf(join(runs, readdirSync(runs)[0] ?? ""));
}

/** A node for actors of this test; its address once it listens. */
async function openNode(
  address: string,
  tokenFile: string,
): Promise<{ readonly node: TroupeProcess; readonly address: string }> {
  const words = ["node", "--listen", address, "--token-file", tokenFile];
  return new Promise((resolve, reject) => {
    const node = new TroupeProcess(words, { runs: folder, home: folder }, (line) => {
      if (line.startsWith("listening on ")) resolve({ node, address: line.slice("listening on ".length) });
    });
    node.ended.then((end) => reject(new Error(`the node ended: ${end.stderr}`)), reject);
  });
}

describe.skipIf(process.platform !== "linux")("rollout actors that live elsewhere than in threads", () => {
  test("in processes give the same run, one of them killed in the middle or not", async () => {
    const inThreads = await traceWith("thread", {});
    expect(await traceWith("process", { placement: "process" })).toEqual(inThreads);
    let killed = 0;
    const kill = (driver: number): void => {
      const [victim] = actorProcessesOf(driver);
      if (victim === undefined) return;
      process.kill(victim, "SIGKILL");
      killed++;
    };
    const withDeath = await traceWith("killed", { placement: "process" }, {}, { after: 2, do: kill });
    expect(killed).toBe(1);
    expect(withDeath).toEqual(inThreads);
  });

  test("read an adapter in processes as in threads, from a learner in one of its own", async () => {
    const lora = { policy: { ...TINY.policy, lora: { rank: 4, alpha: 8 } } };
    const inThreads = await traceWith("adapter", {}, lora);
    const apart = { policy: { ...lora.policy, placement: "process" } };
    expect(await traceWith("adapter-process", { placement: "process" }, apart)).toEqual(inThreads);
  });

  test("on a node give the same run, also when the node is killed in the middle and opened again", async () => {
    const token = "a token for tests alone";
    process.env["TROUPE_NODE_TOKEN"] = token;
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, token);
    const lora = { policy: { ...TINY.policy, lora: { rank: 4, alpha: 8 } } };
    const inThreads = await traceWith("node-thread", {}, lora);
    const first = await openNode("127.0.0.1:0", tokenFile);
    const { address } = first;
    let { node } = first;
    const reopened: Promise<unknown>[] = [];
    const kill = (): void => {
      node.signal("SIGKILL");
      const again = node.ended.then(() => openNode(address, tokenFile)).then((opened) => (node = opened.node));
      reopened.push(again);
    };
    const onNode = await traceWith("node", { placement: { nodes: [address] } }, lora, { after: 3, do: kill });
    expect(reopened).toHaveLength(1);
    await Promise.all(reopened);
    expect(onNode).toEqual(inThreads);
    node.signal("SIGTERM");
    expect(await node.ended).toMatchObject({ exitCode: 143, stdout: expect.stringContaining(": linked") });
  });
});
