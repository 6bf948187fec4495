// A backoff: how long to wait before the next attempt. Doubles up to a ceiling; half of each wait is chance,
// so that many pages do not come back in the same moment.

export class Backoff {
  #attempts = 0;

  constructor({ firstMs = 500, ceilingMs = 30000, random = Math.random } = {}) {
    this.firstMs = firstMs;
    this.ceilingMs = ceilingMs;
    this.random = random;
  }

  nextMs() {
    const span = Math.min(this.ceilingMs, this.firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return Math.round(span / 2 + (span / 2) * this.random());
  }

  reset() {
    this.#attempts = 0;
  }
}
