import { createHash } from "node:crypto";
import type { Verdict } from "../records/verdict.js";

/** How many samples are kept; the oldest goes first, and costs its verifier another try. */
const MOST = 10_000;

/** Samples that ended their verifier twice, by id, with the verdict that they got; an id may come again with other words. */
export class Quarantine {
  readonly #samples = new Map<string, { readonly digest: string; readonly verdict: Verdict }>();

  /** @param content all that the verdict depends on */
  put(id: string, content: string, verdict: Verdict): void {
    this.#samples.delete(id);
    this.#samples.set(id, { digest: digestOf(content), verdict });
    const [oldest] = this.#samples.keys();
    if (this.#samples.size > MOST && oldest !== undefined) this.#samples.delete(oldest);
  }

  /** @param content asked for when the id is known */
  find(id: string, content: () => string): Verdict | undefined {
    const known = this.#samples.get(id);
    return known !== undefined && known.digest === digestOf(content()) ? known.verdict : undefined;
  }
}

/** Content may be long, and is only compared. */
function digestOf(content: string): string {
  return createHash("sha256").update(content).digest("base64");
}
