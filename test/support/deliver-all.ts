import type { ActorRef } from "../../core/src/actors/actor-ref.js";
import { readJsonl } from "../../core/src/store/jsonl.js";
import { result } from "../contracts/actor-placement.js";
import type { BookkeeperProtocol } from "./actors/bookkeeper-actor.js";

/** Sends operations as an honest client does: again only what has certainly not run, or is not in the books. */
export interface Desk {
  readonly file: string;
  ref(): ActorRef<BookkeeperProtocol>;
  /** Ends the actor for certain, and starts another. */
  replace(): Promise<void>;
}

/** What became of the operations. */
export interface Delivered {
  /** Every failure, as "CODE reason outcome". */
  readonly failures: readonly string[];
  /** Operations that ended two actors, and were given up. */
  readonly refused: readonly number[];
}

const WINDOW = 8;

/**
 * Has every operation booked exactly once, whatever happens meanwhile.
 *
 * @param midway called once, when half of them are under way
 */
export async function deliverAll(
  desk: Desk,
  count: number,
  midway: () => unknown,
  deadlineMs = 600_000,
): Promise<Delivered> {
  const failures: string[] = [];
  const refused: number[] = [];
  const doubts = new Map<number, number>();
  const together = Array.from({ length: count }, (_, operation) => operation);
  const alone: number[] = [];
  let isHalf = false;
  while (together.length + alone.length > 0) {
    const some = alone.length > 0 ? alone.splice(0, 1) : together.splice(0, WINDOW);
    const asked = some.map((operation) => result(desk.ref().ask("book", operation, { deadlineMs })));
    if (!isHalf && together.length <= count / 2) {
      isHalf = true;
      await midway();
    }
    const results = await Promise.all(asked);
    const errors = results.flatMap((one) => ("error" in one ? [one.error] : []));
    if (errors.length === 0) continue;
    for (const { code, details, cause } of errors) {
      const why = details["reason"] ?? (cause instanceof Error && "code" in cause ? cause.code : "-");
      failures.push(`${code} ${String(why)} ${String(details["outcome"])}`);
    }
    // Only once the old incarnation has ended are its books complete: an answer of the next one says so.
    const isStuck = errors.some(({ code }) => code === "ASK_DEADLINE");
    if (isStuck || "error" in (await result(desk.ref().ask("alive", null, { deadlineMs })))) await desk.replace();
    const booked = new Set(await booksOf(desk.file));
    for (const [index, one] of results.entries()) {
      const operation = some[index];
      if (operation === undefined || !("error" in one) || booked.has(operation)) continue;
      const doubt = (doubts.get(operation) ?? 0) + (one.error.details["outcome"] === "not-run" ? 0 : 1);
      doubts.set(operation, doubt);
      if (doubt >= 2 && one.error.code === "ACTOR_DOWN") refused.push(operation);
      else alone.push(operation);
    }
  }
  return { failures, refused };
}

/** Operations in the order in which they were written down. */
export async function booksOf(file: string): Promise<readonly number[]> {
  const { lines } = await readJsonl(file, (line) => Number((line as { operation: number }).operation)); // As written.
  return lines;
}
