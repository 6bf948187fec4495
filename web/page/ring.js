// A ring: a first-in first-out list of bounded length. Pushing onto a full ring lets the oldest go.

export class Ring {
  #slots;
  #head = 0;
  #length = 0;

  constructor(capacity) {
    this.#slots = new Array(capacity);
  }

  get length() {
    return this.#length;
  }

  get capacity() {
    return this.#slots.length;
  }

  /** Adds an item; returns the one that had to go, if any. */
  push(item) {
    const gone = this.#length === this.capacity ? this.shift() : undefined;
    this.#slots[(this.#head + this.#length) % this.capacity] = item;
    this.#length += 1;
    return gone;
  }

  /** Takes the oldest item out. */
  shift() {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.capacity;
    this.#length -= 1;
    return item;
  }

  /** The item at a position; 0 is the oldest. */
  at(position) {
    if (position < 0 || position >= this.#length) return undefined;
    return this.#slots[(this.#head + position) % this.capacity];
  }

  clear() {
    this.#slots.fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  *[Symbol.iterator]() {
    for (let i = 0; i < this.#length; i += 1) yield this.at(i);
  }
}
