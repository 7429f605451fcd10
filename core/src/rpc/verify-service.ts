import { ActorSystem } from "../actors/actor-system.js";
import { systemClock, type Clock } from "../actors/clock.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { JsonObject } from "../records/json.js";
import type { Message } from "../records/task.js";
import { isGradable, type Verdict } from "../records/verdict.js";
import { answerActorArgs } from "../verify/answer-actor.js";
import { AnswerPool, type PendingAnswer } from "../verify/answer-pool.js";
import { BatchMemory } from "./batch-memory.js";
import { ServiceCounts } from "./service-counts.js";
import { VerifyBatch } from "./verify-batch.js";
import type { VerifyItem, VerifyReply, VerifyRequest } from "./verify-message.js";

/** A verifier that a service offers. */
export interface ServedVerifier {
  /** Name or path of an environment, as in a config. */
  readonly use: string;
  /** Settings for its verifier as a run has it; without them its judge answers, where it has one. */
  readonly with?: JsonObject;
}

/** What a service offers, and with how much. */
export interface VerifyServiceOptions {
  /** By the names that requests call them. */
  readonly verifiers: Readonly<Record<string, ServedVerifier>>;
  /** Where relative paths start; the working directory unless given. */
  readonly baseDirectory?: string;
  /** Threads of each verifier that works on the CPU itself. */
  readonly threads: number;
  /** Milliseconds that one answer may take; 120 000 unless given. */
  readonly limitMs?: number;
  /** Answers that may wait; a request that would make them more is refused. 20 000 unless given. */
  readonly maxWaiting?: number;
  /** Replies remembered for idempotency keys, 200 000 unless given, and for how long, 600 000 ms. */
  readonly remember?: { readonly replies: number; readonly ms: number };
  readonly clock?: Clock;
}

/** One verifier of a service, as /health shows it. */
export interface VerifierStatus {
  readonly name: string;
  readonly verifier: string;
  readonly version: string;
  readonly threads: number;
  readonly waiting: number;
  /** What people should know about how it judges: the boundary that programs run behind. */
  readonly notice: string | null;
}

/**
 * Judges batches of answers; HTTP and gRPC are its ways in. Every item gets one reply, and what goes wrong with an item
 * is a verdict without a score, never a fail.
 *
 * `core/docs/verify-service.md` shows it inside a program.
 */
export class VerifyService {
  readonly counts = new ServiceCounts();
  readonly #system: ActorSystem;
  readonly #pools: ReadonlyMap<string, AnswerPool>;
  readonly #maxWaiting: number;
  readonly #clock: Clock;
  readonly #memory: BatchMemory;
  readonly #underWay = new Set<VerifyBatch>();
  #isDraining = false;
  #onIdle: () => void = () => {};

  private constructor(system: ActorSystem, pools: ReadonlyMap<string, AnswerPool>, options: VerifyServiceOptions) {
    const { maxWaiting = 20_000, remember = { replies: 200_000, ms: 600_000 }, clock = systemClock } = options;
    this.#system = system;
    this.#pools = pools;
    this.#maxWaiting = maxWaiting;
    this.#clock = clock;
    this.#memory = new BatchMemory({ ...remember, clock });
  }

  /** Starts every verifier's threads. Rejects with what loading an environment, or opening its judge, throws. */
  static async open(options: VerifyServiceOptions): Promise<VerifyService> {
    const { verifiers, baseDirectory = process.cwd(), threads, limitMs = 120_000 } = options;
    const system = new ActorSystem();
    const pools = new Map<string, AnswerPool>();
    try {
      for (const [name, { use, with: settings }] of Object.entries(verifiers)) {
        const args = await answerActorArgs(use, settings, baseDirectory);
        pools.set(name, await AnswerPool.open(system, args, { threads, limitMs }));
      }
    } catch (error) {
      await system.stop();
      throw causeOf(error);
    }
    return new VerifyService(system, pools, options);
  }

  /** Whether new requests are refused because the service is about to end. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  status(): readonly VerifierStatus[] {
    return [...this.#pools].map(([name, { identity, threads, waiting }]) => ({
      name,
      verifier: identity.verifier,
      version: identity.version,
      threads,
      waiting,
      notice: identity.notice,
    }));
  }

  /** Figures in the text format of Prometheus. */
  metrics(): string {
    return this.counts.text(
      this.status().map(({ name: verifier, waiting, threads }) => ({ verifier, waiting, threads })),
    );
  }

  /**
   * Has a batch judged. With the idempotency key of an earlier request, finished or not, it is that request's batch.
   *
   * @throws REQUEST_NOT_VALID, KEY_REUSED, SERVICE_BUSY, REQUEST_TOO_LARGE, SERVICE_DRAINING; then nothing was begun
   */
  submit(request: VerifyRequest): { readonly batch: VerifyBatch; readonly isRemembered: boolean } {
    try {
      if (this.#isDraining) throw errors.serviceDraining({});
      const known = this.#memory.find(request);
      if (known === undefined) this.#admit(request);
      const batch = known ?? this.#begin(request);
      this.counts.request(known === undefined ? "judged" : "remembered");
      return { batch, isRemembered: known !== undefined };
    } catch (error) {
      this.counts.request(error instanceof TroupeError ? error.code : "INTERNAL");
      throw error;
    }
  }

  /** Refuses new requests, and resolves when those under way have their replies, or the time is over. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#underWay.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(graceMs, resolve);
      this.#onIdle = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Ends every thread. Batches under way get no further replies. */
  async close(): Promise<void> {
    this.#isDraining = true;
    await this.#system.stop();
  }

  #admit({ items }: VerifyRequest): void {
    for (const [index, { sample_id: id, verifier, verifier_version: version }] of items.entries()) {
      const pool = this.#pools.get(verifier);
      const place = `items[${index}].verifier`;
      if (pool === undefined)
        throw errors.requestNotValid({
          problem: `${place} (sample "${id}") is "${verifier}": one of ${[...this.#pools.keys()].map((name) => `"${name}"`).join(", ")} is wanted`,
        });
      if (version !== undefined && version !== pool.identity.version)
        throw errors.requestNotValid({
          problem: `${place}_version (sample "${id}") is "${version}": "${verifier}" is version "${pool.identity.version}" here`,
        });
    }
    if (items.length > this.#maxWaiting)
      throw errors.requestTooLarge({ what: `${items.length} items`, most: `${this.#maxWaiting}` });
    const pools = [...this.#pools.values()];
    const waiting = pools.reduce((sum, pool) => sum + pool.waiting, 0);
    if (waiting + items.length <= this.#maxWaiting) return;
    const backlogMs = Math.max(...pools.map((pool) => pool.backlogMs));
    throw errors.serviceBusy({ waiting, retryAfterS: Math.min(60, Math.max(1, Math.ceil(backlogMs / 1000))) });
  }

  #begin(request: VerifyRequest): VerifyBatch {
    const { items, deadline_ms: deadlineMs, idempotency_key: key } = request;
    const batch = new VerifyBatch(items.length);
    const pending = new Map<VerifyItem, PendingAnswer>();
    this.#underWay.add(batch);
    const reply = (item: VerifyItem, verdict: Verdict): void => {
      pending.delete(item);
      const found = replyOf(item, verdict);
      this.counts.verdict(found);
      batch.add(found);
      if (!batch.isComplete) return;
      cancelDeadline();
      this.#ended(batch);
    };
    for (const item of items) {
      // `#admit` has seen that there is one.
      const pool = this.#pools.get(item.verifier) as AnswerPool;
      pending.set(
        item,
        pool.judge(answerOf(item), (verdict) => reply(item, verdict)),
      );
    }
    const cancelDeadline =
      deadlineMs === undefined
        ? () => {}
        : this.#clock.after(deadlineMs, () => {
            for (const [item, one] of pending) {
              one.cancel();
              reply(item, this.#late(item, deadlineMs));
            }
          });
    // Whoever has a key may come back for the answer.
    if (key === undefined)
      batch.whenAbandoned(() => {
        cancelDeadline();
        for (const one of pending.values()) one.cancel();
        this.#ended(batch);
      });
    this.#memory.put(request, batch);
    return batch;
  }

  #ended(batch: VerifyBatch): void {
    this.#underWay.delete(batch);
    if (this.#underWay.size === 0) this.#onIdle();
  }

  #late({ verifier }: VerifyItem, deadlineMs: number): Verdict {
    // As above.
    const { identity } = this.#pools.get(verifier) as AnswerPool;
    const reason = `deadline: no verdict within the request's ${deadlineMs} ms`;
    return { kind: "timeout", reason, verifier: identity.verifier, version: identity.version, ms: deadlineMs };
  }
}

function answerOf(item: VerifyItem): Parameters<AnswerPool["judge"]>[0] {
  const { sample_id: sampleId, prompt, response, ground_truth: groundTruth, meta } = item;
  const messages: readonly Message[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const prefix = meta["assistant_prefix"];
  return {
    sampleId,
    prompt: messages,
    assistantPrefix: typeof prefix === "string" ? prefix : "",
    response,
    groundTruth,
    meta,
  };
}

function replyOf(item: VerifyItem, verdict: Verdict): VerifyReply {
  const parts = Object.entries(verdict.parts ?? {}).filter(
    (part): part is [string, number] => typeof part[1] === "number" && Number.isFinite(part[1]),
  );
  return {
    sample_id: item.sample_id,
    verdict: verdict.kind,
    ...(isGradable(verdict) ? { score: verdict.score } : {}),
    ...(parts.length === 0 ? {} : { parts: Object.fromEntries(parts) }),
    reason: verdict.reason,
    verifier: item.verifier,
    verifier_version: verdict.version,
    cached: false,
    ms: Math.round(1000 * verdict.ms) / 1000,
  };
}

/** What a judge threw as it was opened on its thread. */
function causeOf(error: unknown): unknown {
  return error instanceof TroupeError && error.code === "ACTOR_NOT_STARTED" && error.cause instanceof TroupeError
    ? error.cause
    : error;
}
