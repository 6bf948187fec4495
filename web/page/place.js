// A place: how far a subscription has come in each of its streams, so that it goes on there after a break.

// The gateway takes no more cursors than this.
const CURSORS_MAX = 1000;

export class Place {
  #first;
  #cursors = new Map();
  #since = null;
  #complete;

  /** `from`: what the subscription asked for at first. */
  constructor(from) {
    this.#first = from;
    this.#complete = from === 'live';
  }

  /** The gateway said ok: where the streams stood then. */
  begin({ cursor, since }, topic) {
    if (this.#since === null && Number.isFinite(since)) this.#since = since;
    // A subscription that asked for the past is not there yet.
    if (this.#complete && typeof cursor === 'string' && !this.#cursors.has(topic)) this.note(topic, cursor);
  }

  /** An event came; those of channels have no cursor. */
  note(topic, cursor) {
    if (typeof cursor !== 'string') return;
    this.#cursors.delete(topic);
    this.#cursors.set(topic, cursor);
    if (this.#cursors.size > CURSORS_MAX) this.#cursors.delete(this.#cursors.keys().next().value);
  }

  /** All of the past that was asked for has come. */
  arrive() {
    this.#complete = true;
  }

  /** Whether anything is known to come back to. */
  get known() {
    return this.#cursors.size > 0 || this.#since !== null;
  }

  /** What to ask for now. */
  get from() {
    if (!this.known) return this.#complete ? 'live' : this.#first;
    if (!this.#complete && this.#cursors.size === 0) return this.#first;
    let otherwise = 'live';
    if (!this.#complete && this.#first === 'start') otherwise = 'start';
    else if (this.#since !== null) otherwise = { since: this.#since };
    return { cursors: Object.fromEntries(this.#cursors), otherwise };
  }
}
