import { createHash } from "node:crypto";
import type { Clock } from "../actors/clock.js";
import { errors } from "../errors.js";
import type { VerifyBatch } from "./verify-batch.js";
import type { VerifyRequest } from "./verify-message.js";

/** How much is remembered, and for how long. */
export interface MemoryOptions {
  /** Replies, of all batches together. */
  readonly replies: number;
  /** Milliseconds since a batch was last asked for. */
  readonly ms: number;
  readonly clock: Clock;
}

interface Remembered {
  readonly digest: string;
  readonly batch: VerifyBatch;
  usedAt: number;
}

/** Batches by their idempotency keys, the least recently asked for first. Those under way are never forgotten. */
export class BatchMemory {
  readonly #options: MemoryOptions;
  readonly #batches = new Map<string, Remembered>();
  #replies = 0;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /**
   * The batch of an earlier request with this key; undefined where there is none.
   *
   * @throws KEY_REUSED when that request asked something else
   */
  find(request: VerifyRequest): VerifyBatch | undefined {
    const key = keyOf(request);
    this.#forget();
    const known = key === undefined ? undefined : this.#batches.get(key);
    if (key === undefined || known === undefined) return undefined;
    if (known.digest !== digestOf(request)) throw errors.keyReused({ key: request.idempotency_key ?? "" });
    this.#batches.delete(key);
    this.#batches.set(key, { ...known, usedAt: this.#options.clock.now() });
    return known.batch;
  }

  /** Remembers a batch that `find` did not find; without a key nothing. */
  put(request: VerifyRequest, batch: VerifyBatch): void {
    const key = keyOf(request);
    if (key === undefined) return;
    this.#batches.set(key, { digest: digestOf(request), batch, usedAt: this.#options.clock.now() });
    this.#replies += batch.size;
    this.#forget();
  }

  #forget(): void {
    const oldest = this.#options.clock.now() - this.#options.ms;
    for (const [key, { batch, usedAt }] of this.#batches) {
      if (usedAt >= oldest && this.#replies <= this.#options.replies) return;
      if (!batch.isComplete) continue;
      this.#batches.delete(key);
      this.#replies -= batch.size;
    }
  }
}

function keyOf({ run_id: run, idempotency_key: key }: VerifyRequest): string | undefined {
  return key === undefined ? undefined : JSON.stringify([run, key]);
}

/** Of what is asked; the deadline may differ from try to try. */
function digestOf({ items }: VerifyRequest): string {
  const hash = createHash("sha256");
  for (const item of items) hash.update(JSON.stringify(item));
  return hash.digest("base64");
}
