import type { ActorRef } from "../actors/actor-ref.js";
import type { ActorSystem } from "../actors/actor-system.js";
import { defaultSupervision } from "../actors/supervisor.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { ServedAnswer } from "../environments/judge.js";
import type { Verdict } from "../records/verdict.js";
import { answerActor, type AnswerActorArgs, type AnswerJudgeIdentity, type AnswerProtocol } from "./answer-actor.js";
import { Quarantine } from "./quarantine.js";
import { failureVerdict } from "./verifier-pool.js";

/** How much a pool may use. */
export interface AnswerPoolOptions {
  /** Threads for a judge that works on the CPU itself; one that has workers of its own takes fewer. */
  readonly threads: number;
  /** Milliseconds that one answer may take before its thread is ended. */
  readonly limitMs: number;
}

/** An answer that waits for its verdict, or is being judged. */
export interface PendingAnswer {
  /** Takes the answer back: nothing is heard of it any more, and if it still waits it is never judged. */
  cancel(): void;
}

interface Pending {
  readonly answer: ServedAnswer;
  settle: ((verdict: Verdict) => void) | undefined;
  /** It was with a thread that ended, so that it goes alone, to a thread that has nothing else. */
  isSuspect: boolean;
  isQueued: boolean;
}

type Ref = Promise<ActorRef<AnswerProtocol>>;

/** Work of one message to a thread, ms: far above what the message costs, far below what anybody waits for. */
const MESSAGE_MS = 4;
const MOST_A_MESSAGE = 64;
/** Messages under way to a thread: while it works on one, the next one lies there. */
const MESSAGES_A_THREAD = 2;

/**
 * Judges answers on threads, whoever's turn it is, and tells each verdict as soon as it is there. A deadline is enforced
 * from outside: a thread that does not answer is ended and replaced, what it had is judged again one by one, and only an
 * answer that ends a thread alone gets a verdict of kind "timeout" or "infra". It is quarantined.
 */
export class AnswerPool {
  readonly identity: AnswerJudgeIdentity;
  readonly #options: AnswerPoolOptions;
  readonly #spawn: () => Ref;
  readonly #actors: Ref[];
  /** Messages that each actor can still take, and how many they are when it has none. */
  readonly #room: number[];
  readonly #mostRoom: number;
  readonly #quarantine = new Quarantine();
  /** Those from `#head` on wait; some of them were cancelled. */
  #queue: Pending[] = [];
  #head = 0;
  #cancelled = 0;
  #isPumpDue = false;
  #meanMs = MESSAGE_MS;

  private constructor(identity: AnswerJudgeIdentity, options: AnswerPoolOptions, first: Ref, spawn: () => Ref) {
    this.identity = identity;
    this.#options = options;
    this.#spawn = spawn;
    const threads = Math.max(1, Math.ceil(options.threads / identity.atOnce));
    this.#actors = Array.from({ length: threads }, (_, index) => (index === 0 ? first : spawn()));
    this.#mostRoom = identity.atOnce > 1 ? identity.atOnce : MESSAGES_A_THREAD;
    this.#room = this.#actors.map(() => this.#mostRoom);
  }

  /** Starts the threads, so that the first verdict does not wait for them. Rejects with what opening the judge throws. */
  static async open(system: ActorSystem, args: AnswerActorArgs, options: AnswerPoolOptions): Promise<AnswerPool> {
    const spawn = (): Ref => {
      const actor = system.spawn(answerActor, args, {
        placement: { at: "thread" },
        // The pool replaces actors itself, one at a time.
        supervision: { ...defaultSupervision, restart: "temporary" },
      });
      // Whoever sends something there hears of it.
      actor.catch(() => undefined);
      return actor;
    };
    const first = spawn();
    const identity = await (await first).ask("identify", null, { deadlineMs: options.limitMs });
    return new AnswerPool(identity, options, first, spawn);
  }

  /** Threads at work. */
  get threads(): number {
    return this.#actors.length;
  }

  /** Answers that no thread has yet. */
  get waiting(): number {
    return this.#queue.length - this.#head - this.#cancelled;
  }

  /** Milliseconds until the answers that wait now are with a thread, as the last ones went. */
  get backlogMs(): number {
    const lanes = this.identity.atOnce > 1 ? this.#actors.length * this.identity.atOnce : this.#actors.length;
    return (this.waiting * this.#meanMs) / lanes;
  }

  /** @param settle told the verdict, once, in a later turn */
  judge(answer: ServedAnswer, settle: (verdict: Verdict) => void): PendingAnswer {
    const pending: Pending = { answer, settle, isSuspect: false, isQueued: true };
    this.#queue.push(pending);
    if (!this.#isPumpDue) {
      this.#isPumpDue = true;
      // By then the rest of a request is here too, and messages can be cut to its size.
      queueMicrotask(() => {
        this.#isPumpDue = false;
        this.#pump();
      });
    }
    return {
      cancel: () => {
        if (pending.settle === undefined) return;
        pending.settle = undefined;
        if (pending.isQueued) this.#cancelled++;
      },
    };
  }

  #pump(): void {
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      const room = next.isSuspect ? this.#mostRoom : Math.max(...this.#room);
      const index = room === 0 ? -1 : this.#room.indexOf(room);
      if (index < 0) return;
      const taken = next.isSuspect ? this.#mostRoom : 1;
      const message = next.isSuspect ? [this.#shift()] : this.#message();
      this.#room[index] = room - taken;
      void this.#send(index, message).finally(() => {
        this.#room[index] = (this.#room[index] ?? 0) + taken;
        this.#pump();
      });
    }
  }

  /** The next answers that go together: as many as make a message worth its way, and leave some for the other threads. */
  #message(): readonly Pending[] {
    const share = Math.ceil(this.waiting / this.#actors.length / MESSAGES_A_THREAD);
    const most = this.identity.atOnce > 1 ? 1 : Math.min(share, MESSAGE_MS / this.#meanMs, MOST_A_MESSAGE);
    const message = [this.#shift()];
    while (message.length < Math.floor(most) && this.#peek()?.isSuspect === false) message.push(this.#shift());
    return message;
  }

  /** The next answer that is still wanted, and is not known to end its thread. */
  #peek(): Pending | undefined {
    for (let next = this.#queue[this.#head]; next !== undefined; next = this.#queue[this.#head]) {
      const known = next.settle && this.#quarantine.find(next.answer.sampleId, () => contentOf(next.answer));
      if (next.settle !== undefined && known === undefined) return next;
      if (next.settle === undefined) this.#cancelled--;
      this.#shift();
      if (known !== undefined) settle(next, known);
    }
    return undefined;
  }

  /** Only after `#peek` has found one. */
  #shift(): Pending {
    // There is one, as the caller has seen.
    const next = this.#queue[this.#head++] as Pending;
    next.isQueued = false;
    if (this.#head >= 64 && 2 * this.#head > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return next;
  }

  async #send(index: number, message: readonly Pending[]): Promise<void> {
    const { limitMs } = this.#options;
    const actor = this.#actors[index] ?? this.#spawn();
    try {
      const ref = await actor;
      const verdicts = await ref.ask(
        "judge",
        message.map(({ answer }) => answer),
        { deadlineMs: limitMs, by: "the service", why: `judge ${message.length} answers` },
      );
      for (const { ms } of verdicts) this.#meanMs += 0.05 * (ms - this.#meanMs);
      for (const [position, pending] of message.entries()) {
        const verdict = verdicts[position];
        if (verdict !== undefined) settle(pending, verdict);
      }
    } catch (error) {
      const isFirst = this.#actors[index] === actor;
      if (isFirst) {
        this.#actors[index] = this.#spawn();
        await actor.then((ref) => ref.stop({ graceMs: 0 })).catch(() => undefined);
      }
      this.#failed(message, error, isFirst);
    }
  }

  /** @param isFirst whether it was this message that ended the thread, and not another one that was there too */
  #failed(message: readonly Pending[], error: unknown, isFirst: boolean): void {
    const again: Pending[] = [];
    for (const pending of message) {
      if (pending.settle === undefined) continue;
      if (!pending.isSuspect || !isFirst) {
        pending.isSuspect ||= isFirst;
        pending.isQueued = true;
        again.push(pending);
        continue;
      }
      const { verifier: name, version } = this.identity;
      const { sampleId } = pending.answer;
      const failure =
        error instanceof TroupeError ? error : errors.judgeFailed({ verifier: name, problem: String(error) }, error);
      const verdict = failureVerdict(failure, sampleId, this.#options.limitMs, { name, version });
      this.#quarantine.put(sampleId, contentOf(pending.answer), verdict);
      settle(pending, verdict);
    }
    this.#queue.splice(this.#head, 0, ...again);
  }
}

function settle(pending: Pending, verdict: Verdict): void {
  const { settle: tell } = pending;
  pending.settle = undefined;
  tell?.(verdict);
}

function contentOf({ response, groundTruth }: ServedAnswer): string {
  return `${JSON.stringify(groundTruth)}\n${response}`;
}
