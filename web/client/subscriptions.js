// Subscriptions: what the application listens to. They outlive connections: after every reconnect each goes on where it was.
//
// States: pending → live ⇄ stale; refused (with onError told; asked for again after a while where that may pass, else after the next
// reconnect); every loss of the connection leads back to pending; closed.

import { Backoff } from './backoff.js';
import { call } from './call.js';
import { HeadgateError } from './error.js';
import { Place } from './place.js';

// The gateway says these may pass.
const PASSING = new Set([108, 111]);
// Beside the cursors a command has room for the rest.
const REST_BYTES = 2000;

class Subscription {
  topic;
  filter;
  state = 'pending';
  /** A sentence of the gateway for the developer: the filter is accepted, but may not mean what it seems to. */
  hint;

  #all;

  constructor(all, topic, { filter = null, from = 'live', conflate, rate, ...hearers }) {
    this.#all = all;
    this.topic = topic;
    this.filter = filter;
    Object.defineProperty(this, 'inner', {
      value: { from, conflate, rate, hearers, place: new Place(from), sub: null, asking: false, begun: false, backoff: new Backoff({ firstMs: 2000 }), timer: 0 },
    });
  }

  /** Gives it another filter, or with null none. Rejects with the gateway's word when it is refused; the old one stays then. */
  update(filter) {
    return this.#all.update(this, filter);
  }

  close() {
    this.#all.remove(this);
  }
}

export class Subscriptions {
  #connection;
  #list = [];
  #bySub = new Map();
  // Numbers to be unsubscribed, once no subscribe is on its way that may be given the same number.
  #unwanted = new Set();
  #asking = 0;

  constructor(connection) {
    this.#connection = connection;
  }

  add(topic, options) {
    const subscription = new Subscription(this, topic, options);
    this.#list.push(subscription);
    this.#ask(subscription);
    return subscription;
  }

  remove(subscription) {
    if (subscription.state === 'closed') return;
    this.#drop(subscription);
    // When a subscribe is on its way, its answer finishes this.
    if (subscription.inner.sub !== null) this.#leave(subscription.inner.sub);
  }

  async update(subscription, filter) {
    const { inner } = subscription;
    if (subscription.state === 'closed') throw new HeadgateError({ reason: 'closed', message: 'This subscription is closed.' });
    const before = subscription.filter;
    subscription.filter = filter ?? null;
    if (inner.sub === null) {
      // Asked for with the new one; where that is under way with the old one, ask() sees it.
      this.#ask(subscription);
      return;
    }
    try {
      this.#take(subscription, await this.#connection.request({ op: 'update', sub: inner.sub, filter: subscription.filter }));
    } catch (error) {
      // With the connection lost, it is asked for with the new one when that is back.
      if (error.reason === 'connection_lost') return;
      subscription.filter = before;
      throw error;
    }
  }

  close() {
    for (const subscription of [...this.#list]) this.#drop(subscription);
  }

  /** The connection has changed its state. */
  follow() {
    if (this.#connection.state === 'live') {
      for (const subscription of this.#list) this.#ask(subscription);
      return;
    }
    this.#bySub.clear();
    this.#unwanted.clear();
    for (const subscription of this.#list) {
      const { inner } = subscription;
      clearTimeout(inner.timer);
      if (inner.sub !== null) inner.place.halt();
      inner.sub = null;
      subscription.state = 'pending';
    }
  }

  /** A message that answers nothing. */
  hear(message, text) {
    const subscription = this.#bySub.get(message.sub);
    if (!subscription) return;
    const { place, hearers } = subscription.inner;
    switch (message.op) {
      case 'event':
        place.note(message.topic, message.cursor);
        call(hearers.onEvent, message, text);
        break;
      case 'gap':
        place.miss(message.topic, message.reason);
        call(hearers.onGap, message);
        break;
      case 'stale':
        subscription.state = 'stale';
        call(hearers.onStale, message);
        break;
      case 'live':
        subscription.state = 'live';
        call(hearers.onLive, message);
        break;
      case 'caught_up':
        place.arrive();
        call(hearers.onCaughtUp, message);
        break;
      case 'conflated':
        call(hearers.onConflated, message);
        break;
      default:
    }
  }

  async #ask(subscription) {
    const { topic, filter, inner } = subscription;
    clearTimeout(inner.timer);
    if (inner.asking || inner.sub !== null || subscription.state === 'closed' || this.#connection.state !== 'live') return;
    // It may be one that is about to be unsubscribed, whose past would not come again.
    if (this.#unwanted.size) return;
    inner.asking = true;
    this.#asking += 1;
    const { session, limits } = this.#connection;
    const room = (limits.message_bytes ?? Infinity) * 0.75 - REST_BYTES - 3 * JSON.stringify(filter).length;
    const { conflate, rate } = inner;
    const command = { op: 'subscribe', topic, from: inner.begun ? inner.place.from(room) : inner.from, conflate, rate };
    if (filter !== null) command.filter = filter;
    let answer = null;
    let refusal = null;
    try {
      answer = await this.#connection.request(command);
    } catch (error) {
      refusal = error;
    }
    inner.asking = false;
    this.#asking -= 1;
    // Lost with the connection: asked for again when that is back, which it may be already.
    if (this.#connection.session !== session) this.#ask(subscription);
    else if (subscription.state === 'closed') answer && this.#unwanted.add(answer.sub);
    else if (refusal) this.#refuse(subscription, refusal);
    else this.#begin(subscription, answer, filter);
    this.#sweep();
  }

  #begin(subscription, answer, filter) {
    const { inner, topic } = subscription;
    inner.begun = true;
    inner.backoff.reset();
    inner.place.begin(answer, topic);
    if (!this.#take(subscription, answer)) return;
    subscription.state = 'live';
    const wanted = subscription.filter;
    if (wanted === filter) return;
    subscription.filter = filter;
    this.update(subscription, wanted).catch((error) => call(inner.hearers.onError, error));
  }

  #refuse(subscription, error) {
    const { inner } = subscription;
    subscription.state = 'refused';
    if (PASSING.has(error.code) || error.unknown) {
      inner.timer = setTimeout(() => this.#ask(subscription), inner.backoff.nextMs(error.retry_ms));
    }
    call(inner.hearers.onError, error);
  }

  /** The number under which its events come now. The gateway knows filters by what they mean: two that differ in spelling only are
   *  one subscription, and so are two that are the same. */
  #take(subscription, { sub, hint }) {
    const { inner } = subscription;
    if (subscription.state === 'closed') {
      this.#leave(sub);
      return false;
    }
    subscription.hint = hint;
    const twin = this.#bySub.get(sub);
    if (twin && twin !== subscription) {
      this.#drop(subscription);
      const message = 'There is a subscription to the same already; this one is closed.';
      call(inner.hearers.onError, new HeadgateError({ reason: 'already_subscribed', message }));
      return false;
    }
    this.#bySub.delete(inner.sub);
    inner.sub = sub;
    this.#bySub.set(sub, subscription);
    return true;
  }

  #leave(sub) {
    this.#unwanted.add(sub);
    this.#sweep();
  }

  #sweep() {
    if (this.#asking || !this.#unwanted.size) return;
    for (const sub of this.#unwanted) {
      if (!this.#bySub.has(sub)) this.#connection.request({ op: 'unsubscribe', sub }).catch(() => {});
    }
    this.#unwanted.clear();
    for (const subscription of this.#list) if (subscription.state === 'pending') this.#ask(subscription);
  }

  #drop(subscription) {
    const { inner } = subscription;
    clearTimeout(inner.timer);
    subscription.state = 'closed';
    if (this.#bySub.get(inner.sub) === subscription) this.#bySub.delete(inner.sub);
    this.#list = this.#list.filter((other) => other !== subscription);
  }
}
