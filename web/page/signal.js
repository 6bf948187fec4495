// A signal: those who hear it are called, in order, each time it is told.

export class Signal {
  #hearers = [];

  hear(hearer) {
    this.#hearers.push(hearer);
  }

  tell(...facts) {
    for (const hearer of this.#hearers) hearer(...facts);
  }
}
