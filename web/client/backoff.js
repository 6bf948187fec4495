// A backoff: how long to wait before the next attempt. The span doubles up to a ceiling, and the wait is anything within it, so that
// many pages that lost the same gateway do not come back in the same moment.

export class Backoff {
  #firstMs;
  #ceilingMs;
  #attempts = 0;

  constructor({ firstMs = 500, ceilingMs = 30000 } = {}) {
    this.#firstMs = firstMs;
    this.#ceilingMs = ceilingMs;
  }

  /** `leastMs`: what was asked for by the other side; the chance comes on top. */
  nextMs(leastMs = 0) {
    const span = Math.min(this.#ceilingMs, this.#firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return Math.round(leastMs + span * Math.random());
  }

  reset() {
    this.#attempts = 0;
  }
}
