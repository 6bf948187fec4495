// A place: how far a subscription has come in each of its streams, so that it goes on there after a break.
// web/docs/protocol.md, "Coming back", has the rules.

// The gateway takes no more cursors than this.
const CURSORS_MAX = 1000;
// The place in front of all entries of a stream.
const FRONT = '0-0';
// A connection that stood this long has brought what was under way when it began.
const SETTLED_MS = 1000;

export class Place {
  #first;
  #cursors = new Map();
  #since;
  #complete;
  #stood = null;
  // When the gateway gave the time it holds, until that has settled.
  #givenAt = null;

  /** `from`: what the subscription asks for at first. */
  constructor(from) {
    this.#first = from;
    this.#since = from?.since ?? null;
    this.#complete = from === 'live';
    for (const [topic, cursor] of Object.entries(from?.cursors ?? {})) this.note(topic, cursor);
    if (from?.otherwise?.since !== undefined) this.#since = from.otherwise.since;
  }

  /** The gateway said ok: where the streams stood then. */
  begin({ cursor, since }, topic) {
    if (this.#since === null && Number.isFinite(since)) {
      this.#since = since;
      this.#givenAt = performance.now();
    }
    if (typeof cursor !== 'string') return;
    this.#stood = { topic, cursor };
    // One that asked for the past is not there yet.
    if (this.#complete) this.#stand();
  }

  /** An event came; those of channels have no cursor. */
  note(topic, cursor) {
    if (typeof cursor !== 'string') return;
    this.#cursors.delete(topic);
    this.#cursors.set(topic, cursor);
    if (this.#cursors.size > CURSORS_MAX) this.#cursors.delete(this.#cursors.keys().next().value);
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
    if (this.#givenAt === null || !this.#complete || performance.now() - this.#givenAt < SETTLED_MS) return;
    this.#since += 1;
    this.#givenAt = null;
  }

  /** What to ask for now, in about so many bytes at most. */
  from(bytesMax = Infinity) {
    const known = this.#cursors.size > 0 || this.#since !== null;
    if (!known) return this.#complete ? 'live' : this.#first;
    const { last, speed, start, otherwise: firstOtherwise } = this.#first;
    // Some of the last n of a pattern cannot be asked for.
    if (!this.#complete && (this.#cursors.size === 0 || (last && this.#since !== null))) return this.#first;
    let otherwise = 'live';
    if (!this.#complete && (this.#first === 'start' || start || firstOtherwise === 'start')) otherwise = 'start';
    else if (this.#since !== null) otherwise = { since: this.#since };
    return { cursors: this.#newest(bytesMax), otherwise, ...(!this.#complete && speed ? { speed } : {}) };
  }

  // Nothing came up to there, or the place would be known better.
  #stand() {
    if (this.#stood && !this.#cursors.has(this.#stood.topic)) this.note(this.#stood.topic, this.#stood.cursor);
  }

  #newest(bytesMax) {
    let room = bytesMax;
    const kept = [...this.#cursors].reverse().filter(([topic, cursor]) => {
      // In UTF-8 a character takes three bytes at most, one outside the basic plane four for its two.
      room -= JSON.stringify(topic).length * (/^[\x20-\x7e]*$/.test(topic) ? 1 : 3) + cursor.length + 4;
      return room > 0;
    });
    return Object.fromEntries(kept);
  }
}
