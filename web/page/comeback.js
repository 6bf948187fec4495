// A comeback: what became of the subscriptions after the connection was lost and made again. It is told in two marks for the
// list: where the connection was lost, once something of that time comes, and what was caught up, once all have.

import { spanWords } from './moment.js';
import { Signal } from './signal.js';
import { plural } from './words.js';

function names(subscriptions) {
  return subscriptions.length > 3 ? plural(subscriptions.length, 'subscription') : subscriptions.map(({ topic }) => topic).join(', ');
}

/** What came of the subscriptions that are back. */
class Tally {
  back = 0;
  streams = 0;
  patterns = 0;
  events = 0;
  gaps = 0;
  channels = [];
  going = [];
  spilled = [];

  /** `caught`: {events, gaps} until it had caught up; null: it has nothing to catch up with, or is still on its way. */
  add(subscription, caught) {
    const { place } = subscription;
    this.back += 1;
    this.streams += caught ? 1 : 0;
    this.patterns += subscription.topic.includes('*') ? 1 : 0;
    this.events += caught?.events ?? 0;
    this.gaps += caught?.gaps ?? 0;
    if (subscription.channels) this.channels.push(subscription);
    if (!place.complete) this.going.push(subscription);
    if (place.spilled) this.spilled.push(subscription);
  }

  get whole() {
    return this.gaps === 0 && this.channels.length === 0;
  }

  words(lead) {
    const { events, gaps, channels, going, spilled } = this;
    const caught = events ? `${plural(events, 'event')} caught up` : 'nothing new';
    // A pattern may hold channels that nobody has heard of yet.
    const none = this.patterns ? ', none missed on streams' : ', none missed';
    const parts = [this.streams ? `${lead}; ${caught}${this.whole ? none : ''}.` : `${lead}.`];
    if (gaps) parts.push(`Something is missing: ${plural(gaps, 'gap')}, told below.`);
    if (channels.length) parts.push(`What channels carried meanwhile on ${names(channels)} is not known: they keep nothing.`);
    if (going.length) parts.push(`What was under way on ${names(going)} goes on.`);
    if (spilled.length) parts.push(`${names(spilled)}: more topics than can be resumed at once; some events may stand here twice.`);
    return parts.join(' ');
  }
}

export class Comeback {
  /** Something to say: (words, whether nothing was missed). */
  told = new Signal();

  #connection;
  #subscriptions;
  #lostAt = 0;
  #opened = false;
  // Those that are not back yet; null: nobody is waited for.
  #waiting = null;
  #span = 0;
  #tally = null;

  constructor(connection, subscriptions) {
    this.#connection = connection;
    this.#subscriptions = subscriptions;
    connection.changed.hear(() => this.#follow());
    subscriptions.resumed.hear((subscription, caught) => this.#arrived(subscription, caught));
    subscriptions.turned.hear((subscription) => {
      if (subscription.state === 'error') this.#leave(subscription);
    });
    subscriptions.changed.hear(() => this.#sweep());
  }

  /** Something is about to be shown: where the connection was lost comes before it. */
  open() {
    if (!this.#waiting || this.#opened) return;
    this.#opened = true;
    this.told.tell(`The connection was lost here, for ${spanWords(this.#span)}.`, true);
  }

  #follow() {
    if (this.#connection.state === 'waiting' || this.#connection.state === 'stopped') {
      // Lost again before all were back: it is one break.
      this.#lostAt ||= Date.now();
      this.#waiting = null;
    }
    if (this.#connection.state !== 'live' || !this.#lostAt) return;
    const waiting = new Set(this.#subscriptions.list.filter((s) => s.wasLive && !s.leaving));
    if (!waiting.size) {
      this.#end();
      return;
    }
    this.#waiting = waiting;
    this.#span = Date.now() - this.#lostAt;
    this.#tally = new Tally();
  }

  #arrived(subscription, caught) {
    if (this.#waiting?.delete(subscription)) {
      this.#tally.add(subscription, caught);
      this.#finish();
      return;
    }
    // Refused at first, it comes later than the others.
    const tally = new Tally();
    tally.add(subscription, caught);
    this.told.tell(tally.words(`${subscription.topic} is back`), tally.whole);
  }

  #leave(subscription) {
    if (this.#waiting?.delete(subscription)) this.#finish();
  }

  #sweep() {
    for (const subscription of this.#waiting ?? []) {
      if (subscription.leaving || !this.#subscriptions.list.includes(subscription)) this.#leave(subscription);
    }
  }

  #finish() {
    if (this.#waiting.size) return;
    const lead = this.#opened ? 'Reconnected' : `Reconnected after ${spanWords(this.#span)}`;
    const tally = this.#tally;
    this.#end();
    if (tally.back) this.told.tell(tally.words(lead), tally.whole);
  }

  #end() {
    this.#waiting = null;
    this.#tally = null;
    this.#opened = false;
    this.#lostAt = 0;
  }
}
