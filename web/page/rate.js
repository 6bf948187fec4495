// The rate: events counted by the second, for as long as the picture of it reaches back.

export class Rate {
  #counts;
  #second = 0;

  constructor(seconds) {
    this.seconds = seconds;
    this.#counts = new Array(seconds + 1).fill(0);
  }

  #turnTo(second) {
    if (second <= this.#second) return;
    const size = this.#counts.length;
    const stale = Math.min(size, second - this.#second);
    for (let i = 0; i < stale; i += 1) this.#counts[(second - i) % size] = 0;
    this.#second = second;
  }

  add(now) {
    this.#turnTo(Math.floor(now / 1000));
    this.#counts[this.#second % this.#counts.length] += 1;
  }

  /** Events in each full second, the newest first. The second still running is left out. */
  history(now) {
    this.#turnTo(Math.floor(now / 1000));
    const size = this.#counts.length;
    return Array.from({ length: this.seconds }, (_, age) => this.#counts[(this.#second + size * 2 - 1 - age) % size]);
  }
}
