import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import type { Completion } from "../../core/src/engines/policy-engine.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, STEP } from "./engine-fixtures.js";

// Child processes run JavaScript alone: they take the built package, over the same native addon.
const built = new URL("../../gpu/dist/src/index.js", import.meta.url);

/** Does what it is told: makes an engine, attaches, samples; answers each message with one. */
const PROGRAM = `
  const { attachSampler, createEngine } = await import(${JSON.stringify(built.href)});
  let sampler, engine;
  const orders = {
    make: async (options) => {
      engine = await createEngine(options);
      return engine.handle();
    },
    attach: (handle) => void (sampler = attachSampler(handle)),
    version: () => sampler.version(),
    sample: ({ requests, version }) => sampler.generate(requests, { version }),
    // Answers when the call is under way, and never again.
    hang: (requests) =>
      new Promise((resolve) => sampler.generate(requests, { onTokens: () => resolve("under way") })),
  };
  process.on("message", async ({ order, input }) => {
    try {
      process.send({ answer: (await orders[order](input)) ?? null });
    } catch (error) {
      process.send({ failure: { code: error.code, message: error.message } });
    }
  });
  process.send({ answer: "ready" });
`;

const program = join(temporaryFolder(), "sampling-process.mjs");
writeFileSync(program, PROGRAM);
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that takes one order after the other. */
class Peer {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Peer> {
    const child = fork(program, { serialization: "advanced" });
    children.push(child);
    const peer = new Peer(child);
    await peer.#next();
    return peer;
  }

  ask(order: string, input?: unknown): Promise<unknown> {
    const answer = this.#next();
    this.#child.send({ order, input });
    return answer;
  }

  async killed(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error("the process ended"));
      this.#child.once("exit", gone);
      this.#child.once("message", (message: { answer?: unknown; failure?: { code: string; message: string } }) => {
        this.#child.off("exit", gone);
        if (message.failure) reject(Object.assign(new Error(message.failure.message), message.failure));
        else resolve(message.answer);
      });
    });
  }
}

/** Pieces of shared memory that this process keeps, and files that somebody left. */
function pieces(): number {
  return readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).includes("memfd:troupe");
    } catch {
      return false; // the descriptor that listed the folder
    }
  }).length;
}

/** Files in shared memory with this project's name; other programs have theirs. */
function sharedFiles(): readonly string[] {
  return existsSync("/dev/shm") ? readdirSync("/dev/shm").filter((name) => name.includes("troupe")) : [];
}

const requests = Array.from({ length: 12 }, (_, i) => requestOf(i));
/** More than a process could finish before it is killed. */
const endless = Array.from({ length: 20_000 }, (_, i) => requestOf(i, { maxTokens: 100 }));

async function learn(engine: NativeEngine): Promise<void> {
  await engine.forwardBackward(randomBatch(ODD_QWEN3, [40, 9]), EVERY_TERM);
  await engine.optimStep(STEP);
  await engine.publish();
}

function sampled(answer: unknown): readonly Completion[] {
  // What the program's "sample" gives, by structured clone.
  return answer as readonly Completion[];
}

describe.skipIf(process.platform !== "linux" || !existsSync(fileURLToPath(built)))(
  "attachSampler() in other processes",
  () => {
    it.each([
      ["fp32", {}],
      ["bf16", { dtype: "bf16" as const }],
      ["an adapter", { lora: { rank: 2, alpha: 4, targets: ["q_proj", "down_proj"] } }],
    ])("samples every published version there, bit for bit, with %s", async (_, options) => {
      const before = pieces();
      const engine = await NativeEngine.create({
        shape: ODD_QWEN3,
        seed: 31,
        share: true,
        olderVersions: 1,
        ...options,
      });
      let older: readonly Completion[] | undefined;
      const peers = await Promise.all([Peer.start(), Peer.start()]);
      for (const peer of peers) await peer.ask("attach", engine.handle());
      for (let version = 0; version < 4; version++) {
        if (version > 0) await learn(engine);
        const expected = await engine.generate(requests);
        for (const answer of await Promise.all(peers.map((peer) => peer.ask("sample", { requests }))))
          expect(sampled(answer)).toEqual(expected);
        if (older) expect(await peers[1]!.ask("sample", { requests, version: version - 1 })).toEqual(older);
        older = expected;
        expect(await peers[0]!.ask("version")).toBe(version);
      }
      await expect(peers[0]!.ask("sample", { requests, version: 1 })).rejects.toMatchObject({
        message: "Cannot generate: version 1 is not kept, and version 3 is live",
      });
      expect(engine.heldVersions()).toBeLessThanOrEqual(3);
      engine.dispose();
      await Promise.all(peers.map((peer) => peer.killed()));
      // The last call's thread lets go of its version a moment after it answered.
      await expect.poll(pieces, { timeout: 600_000 }).toBe(before);
    });

    it("keeps a version for a call elsewhere until that process is killed, and then takes it back", async () => {
      const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31, share: true });
      const [victim, other] = await Promise.all([Peer.start(), Peer.start()]);
      for (const peer of [victim, other]) await peer.ask("attach", engine.handle());
      expect(await victim.ask("hang", endless)).toBe("under way");
      for (let step = 0; step < 5; step++) await learn(engine);
      // The version that the call began with, the last one, and the one before, which is let go of by the next.
      expect(engine.heldVersions()).toBe(3);
      await victim.killed();
      for (let step = 0; step < 2; step++) await learn(engine);
      expect(engine.heldVersions()).toBe(2);
      expect(sampled(await other.ask("sample", { requests }))).toEqual(await engine.generate(requests));
      engine.dispose();
    });

    it("goes on with the last version when the engine's process is killed, and leaves nothing behind", async () => {
      const files = new Set(sharedFiles());
      const writer = await Peer.start();
      const handle = await writer.ask("make", { shape: ODD_QWEN3, seed: 31, share: true });
      const reader = await Peer.start();
      await reader.ask("attach", handle);
      const first = await reader.ask("sample", { requests });
      await writer.killed();
      expect(await reader.ask("sample", { requests })).toEqual(first);
      const late = await Peer.start();
      await expect(late.ask("attach", handle)).rejects.toMatchObject({
        code: "ENGINE_GONE",
        message: expect.stringContaining("the process that holds the weights has ended"),
      });
      const twin = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
      expect(await twin.generate(requests)).toEqual(first);
      twin.dispose();
      expect(sharedFiles().filter((name) => !files.has(name))).toEqual([]);
    });

    it("is an error that says how when the engine is not shared", async () => {
      const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 31 });
      const peer = await Peer.start();
      await expect(peer.ask("attach", engine.handle())).rejects.toMatchObject({
        code: "ENGINE_GONE",
        message: `Cannot attach a sampler: the engine lives in process ${process.pid} and does not share its weights`,
      });
      engine.dispose();
    });
  },
);
