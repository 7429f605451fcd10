/**
 * Bounded queue, first in first out, on a ring that grows up to its capacity.
 *
 * @example
 * const mailbox = new Mailbox<string>(1);
 * mailbox.push("a"); // true
 * mailbox.push("b"); // false: full, nothing was kept
 */
export class Mailbox<Item> {
  readonly capacity: number;
  #ring: (Item | undefined)[] = new Array<Item | undefined>(8).fill(undefined);
  #first = 0;
  #length = 0;

  /** @param capacity messages, at least 1 */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#length;
  }

  /** False when the mailbox holds its capacity. */
  push(item: Item): boolean {
    if (this.#length >= this.capacity) return false;
    if (this.#length === this.#ring.length) this.#grow();
    // The ring's length is a power of two, so the mask wraps around.
    this.#ring[(this.#first + this.#length) & (this.#ring.length - 1)] = item;
    this.#length += 1;
    return true;
  }

  peek(): Item | undefined {
    return this.#ring[this.#first];
  }

  shift(): Item | undefined {
    const item = this.#ring[this.#first];
    if (this.#length === 0) return undefined;
    // A slot that kept its message would keep its buffers alive.
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    return item;
  }

  #grow(): void {
    const head = this.#ring.slice(this.#first);
    const tail = this.#ring.slice(0, this.#first);
    this.#ring = [...head, ...tail, ...new Array<Item | undefined>(this.#ring.length).fill(undefined)];
    this.#first = 0;
  }
}
