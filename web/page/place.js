// A place: how far a subscription has come in each of its streams, so that it goes on there after a break.

import { fromAt, fromSpeed } from './from.js';

// The gateway takes no more cursors than this.
const CURSORS_MAX = 1000;
// The place in front of all entries of a stream.
const FRONT = '0-0';
// A connection that stood this long has brought what was under way when it began.
const SETTLED_MS = 1000;

export class Place {
  #first;
  #speed;
  #cursors = new Map();
  #since = null;
  #complete;
  #stood = null;
  // When the gateway gave the time it holds, until that has settled.
  #givenAt = 0;

  /** `from`: what the subscription asked for at first. */
  constructor(from) {
    this.go(from);
  }

  /** It starts somewhere else. */
  go(from) {
    this.#first = from;
    this.#speed = fromSpeed(from);
    this.#cursors.clear();
    this.#since = from?.since ?? null;
    this.#complete = from === 'live';
    this.#stood = null;
    this.#givenAt = 0;
    this.spilled = false;
  }

  /** The gateway said ok: where the streams stood then. */
  begin({ cursor, since }, topic) {
    if (this.#since === null && Number.isFinite(since)) {
      this.#since = since;
      this.#givenAt = Date.now();
    }
    if (typeof cursor !== 'string') return;
    // A subscription that asked for the past is not there yet.
    this.#stood = { topic, cursor };
    if (this.#complete) this.#stand();
  }

  /** An event came; those of channels have no cursor. */
  note(topic, cursor) {
    if (typeof cursor !== 'string') return;
    this.#cursors.delete(topic);
    this.#cursors.set(topic, cursor);
    if (this.#cursors.size <= CURSORS_MAX) return;
    this.#cursors.delete(this.#cursors.keys().next().value);
    this.spilled = true;
  }

  /** Events were missed. A stream that is gone has no place to be proven any more: whatever is there next is new. */
  miss(topic, reason) {
    if (reason === 'gone' && this.#cursors.has(topic)) this.note(topic, FRONT);
  }

  /** All of the past that was asked for has come. */
  arrive() {
    this.#complete = true;
    this.#stand();
  }

  /** The connection broke. The time that the gateway gave is that of the newest entry there was, which need not come again. */
  halt() {
    if (this.#givenAt && this.#complete && Date.now() - this.#givenAt > SETTLED_MS) {
      this.#since += 1;
      this.#givenAt = 0;
    }
  }

  /** What is still to come of the past comes at another speed. */
  pace(speed) {
    this.#speed = speed;
  }

  get complete() {
    return this.#complete;
  }

  /** Whether anything is known to come back to. */
  get known() {
    return this.#cursors.size > 0 || this.#since !== null;
  }

  /** What to ask for now, in at most so many characters. */
  from(charactersMax = Infinity) {
    const first = fromAt(this.#first, this.#speed);
    const speed = !this.#complete && this.#speed ? { speed: this.#speed } : {};
    if (!this.known) return this.#complete ? 'live' : first;
    // Some of the last n of a pattern cannot be asked for.
    if (!this.#complete && (this.#cursors.size === 0 || (this.#first.last && this.#since !== null))) return first;
    let otherwise = 'live';
    if (!this.#complete && fromAt(this.#first, 0) === 'start') otherwise = 'start';
    else if (this.#since !== null) otherwise = { since: this.#since };
    return { cursors: this.#newest(charactersMax), otherwise, ...speed };
  }

  // Nothing came up to there, or the place would be known better.
  #stand() {
    if (this.#stood && !this.#cursors.has(this.#stood.topic)) this.note(this.#stood.topic, this.#stood.cursor);
  }

  #newest(charactersMax) {
    let room = charactersMax;
    const kept = [...this.#cursors].reverse().filter(([topic, cursor]) => {
      // In UTF-8 and with escapes a character may take six bytes; most take one.
      room -= JSON.stringify(topic).length * (/^[\x20-\x7e]*$/.test(topic) ? 1 : 3) + cursor.length + 4;
      return room > 0;
    });
    if (kept.length < this.#cursors.size) this.spilled = true;
    return Object.fromEntries(kept);
  }
}
