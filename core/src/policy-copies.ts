import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isActorFailure } from "./actors/actor-failure.js";
import type { ActorRef } from "./actors/actor-ref.js";
import type { ActorSystem } from "./actors/actor-system.js";
import { defaultSupervision } from "./actors/supervisor.js";
import type { Placement } from "./actors/transport.js";
import { errors } from "./errors.js";
import { learnActor, type LearnActorArgs, type LearnProtocol } from "./learn/learn-actor.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import type { PolicyAccess, RolloutPlace } from "./rollout/rollout-pool.js";
import { folderActor, type FolderProtocol } from "./store/folder-actor.js";
import { makeScratchFolder } from "./store/scratch-folder.js";

const CHUNK_BYTES = 1 << 22;
const STEP_MS = 60_000;

/** The policy whose copies are kept. */
export interface CopiedPolicy {
  /** The one that is trained. */
  readonly learner: ActorRef<LearnProtocol>;
  /** What it was started with. */
  readonly args: LearnActorArgs;
  readonly kernelSet: string;
  /** Folder with config and tokenizer. */
  readonly directory: string;
}

/**
 * The newest versions of a policy as files, for copies of it on other machines: as many as can still be asked for.
 * They are written when a version is published, before the learner goes on.
 */
export class PublishedVersions {
  readonly #learner: ActorRef<LearnProtocol>;
  readonly #most: number;
  readonly #kept: { readonly version: number; readonly directory: string }[] = [];
  #folder: string | undefined;

  constructor(system: ActorSystem, { learner, args }: CopiedPolicy) {
    this.#learner = learner;
    this.#most = 1 + (args.options.olderVersions ?? 0);
    system.closeAtEnd(async () => {
      if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    });
  }

  /** From the oldest to the live one. */
  get all(): readonly { readonly version: number; readonly directory: string }[] {
    return this.#kept;
  }

  async add(version: number): Promise<void> {
    this.#folder ??= await makeScratchFolder("troupe-versions");
    const directory = join(this.#folder, String(version));
    await mkdir(directory, { recursive: true });
    await this.#learner.ask("save", { directory, optimizer: false }, { deadlineMs: LEARNER_DEADLINE_MS });
    this.#kept.push({ version, directory });
    const old = this.#kept.length > this.#most ? this.#kept.shift() : undefined;
    if (old) await rm(old.directory, { recursive: true, force: true });
  }
}

interface Live {
  readonly folder: ActorRef<FolderProtocol>;
  readonly path: string;
  readonly copy: ActorRef<LearnProtocol>;
  readonly access: PolicyAccess;
}

/**
 * A place on another machine with a copy of the policy: an engine of its own there, which is sent every version that is
 * published. What is lost with the link is made anew on the next one, older versions included.
 */
export class PolicyCopy implements RolloutPlace {
  readonly placement: Placement;
  readonly #system: ActorSystem;
  readonly #policy: CopiedPolicy;
  readonly #published: PublishedVersions;
  #live: Promise<Live> | undefined;

  constructor(system: ActorSystem, placement: Placement, policy: CopiedPolicy, published: PublishedVersions) {
    this.#system = system;
    this.placement = placement;
    this.#policy = policy;
    this.#published = published;
  }

  /** @throws NODE_KERNELS_DIFFER, and what starting an engine throws */
  async access(): Promise<PolicyAccess> {
    this.#live ??= this.#start();
    try {
      return (await this.#live).access;
    } catch (error) {
      this.#live = undefined;
      throw error;
    }
  }

  /** Sends the newest of the published versions; a place that is lost meanwhile gets it when it is next used. */
  async follow(): Promise<void> {
    const newest = this.#published.all.at(-1);
    if (!this.#live || !newest) return;
    try {
      await sendVersion(await this.#live, newest);
    } catch (error) {
      if (!isActorFailure(error)) throw error;
      this.#live = undefined;
    }
  }

  async #start(): Promise<Live> {
    const { args, directory, kernelSet } = this.#policy;
    // One part that is lost takes the other with it: both are of one link.
    const temporary = { ...defaultSupervision, restart: "temporary" } as const;
    const folder = await this.#system.spawn(
      folderActor,
      { name: "troupe-policy" },
      { placement: this.#within("inline"), supervision: temporary },
    );
    const path = await folder.ask("where", null, { deadlineMs: STEP_MS });
    await sendFolder(folder, directory, "policy");
    const { weights } = args;
    if (weights !== undefined && weights !== directory) await sendFolder(folder, weights, "weights");
    const copy = await this.#system.spawn(
      learnActor,
      {
        engine: args.engine,
        options: { ...args.options, share: false },
        ...(weights === undefined ? {} : { weights: join(path, weights === directory ? "policy" : "weights") }),
        hasReference: false,
      },
      {
        placement: this.#within("thread"),
        supervision: temporary,
        parent: folder.address,
        startDeadlineMs: LEARNER_DEADLINE_MS,
      },
    );
    const there = await copy.ask("describe", null, { deadlineMs: STEP_MS });
    if (there.kernelSet !== kernelSet) {
      await folder.stop();
      throw errors.nodeKernelsDiffer({ address: copy.address, found: there.kernelSet, wanted: kernelSet });
    }
    const access = {
      args: { engineHandle: there.handle, tokenizerDirectory: join(path, "policy") },
      parent: copy.address,
    };
    const live = { folder, path, copy, access };
    for (const one of this.#published.all) await sendVersion(live, one);
    copy.watch(() => {
      this.#live = undefined;
    });
    return live;
  }

  #within(within: "inline" | "thread"): Placement {
    return this.placement.at === "remote" ? { ...this.placement, within } : this.placement;
  }
}

async function sendVersion(
  { folder, path, copy }: Live,
  { version, directory }: { readonly version: number; readonly directory: string },
): Promise<void> {
  const name = `version-${version}`;
  await sendFolder(folder, directory, name);
  const order = { directory: join(path, name), optimizer: false, version };
  await copy.ask("load", order, { deadlineMs: LEARNER_DEADLINE_MS });
  await folder.ask("remove", name, { deadlineMs: STEP_MS });
}

/** Sends the files of a folder, not those of folders in it. */
async function sendFolder(folder: ActorRef<FolderProtocol>, from: string, name: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isFile()) await sendFile(folder, join(from, entry.name), join(name, entry.name));
  }
}

async function sendFile(folder: ActorRef<FolderProtocol>, from: string, file: string): Promise<void> {
  const handle = await open(from);
  try {
    for (let isFirst = true; ; isFirst = false) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_BYTES));
      if (bytesRead === 0 && !isFirst) return;
      await folder.ask("append", { file, bytes: buffer.subarray(0, bytesRead) }, { deadlineMs: STEP_MS });
    }
  } finally {
    await handle.close();
  }
}
