// Subscriptions: what this page listens to. They outlive connections: after every reconnect each goes on where it was.
//
// States: pending → live ⇄ stale; error (with the gateway's refusal); every loss of the connection leads back to pending.

import { Backoff } from './backoff.js';
import { filterJson } from './filter-text.js';
import { Place } from './place.js';
import { Signal } from './signal.js';

// The gateway says these may pass; the others would be refused again.
const PASSING = new Set([108, 111]);

class Subscription {
  constructor(topic, from, filter) {
    this.topic = topic;
    this.from = from;
    this.filter = filter;
    this.hint = '';
    this.state = 'pending';
    this.sub = null;
    this.refusal = null;
    this.retryAt = 0;
    this.events = 0;
    this.conflated = 0;
    this.place = new Place(from);
    // Events since it came back, until it has caught up; null: it has.
    this.catching = null;
    this.wasLive = false;
    this.asking = false;
    this.leaving = false;
    this.backoff = new Backoff({ firstMs: 2000 });
    this.timer = 0;
  }
}

export class Subscriptions {
  changed = new Signal();
  /** A subscription changed its state: (subscription). */
  turned = new Signal();
  /** One came back and has caught up: (subscription, how many events it got). */
  resumed = new Signal();
  /** One went because another means the same: (the one that went). */
  merged = new Signal();

  list = [];

  #connection;
  #bySub = new Map();

  constructor(connection) {
    this.#connection = connection;
    connection.changed.hear(() => this.#follow());
  }

  find(topic, filter) {
    return this.list.find((s) => s.topic === topic && s.filter === filter);
  }

  bySub(sub) {
    return this.#bySub.get(sub);
  }

  add(topic, from, filter = '') {
    const subscription = new Subscription(topic, from, filter);
    this.list.push(subscription);
    this.#ask(subscription);
    this.changed.tell();
    return subscription;
  }

  retry(subscription) {
    this.#turn(subscription, 'pending');
    this.#ask(subscription);
  }

  /** Gives it another filter, or with '' none. Rejects with the gateway's Refusal; the old one stays then. */
  async update(subscription, filter) {
    if (subscription.sub === null || this.#connection.state !== 'live') {
      Object.assign(subscription, { filter, hint: '' });
      this.retry(subscription);
      return;
    }
    const answer = await this.#connection.request({ op: 'update', sub: subscription.sub }, { filter: filterJson(filter) });
    Object.assign(subscription, { filter, hint: answer.hint ?? '' });
    this.#take(subscription, answer.sub);
    this.changed.tell();
  }

  async remove(subscription) {
    clearTimeout(subscription.timer);
    subscription.leaving = true;
    this.changed.tell();
    // A subscribe is on its way; its answer comes first and finishes this.
    if (subscription.asking) return;
    if (subscription.sub !== null && this.#connection.state === 'live') {
      try {
        await this.#connection.request({ op: 'unsubscribe', sub: subscription.sub });
      } catch (refusal) {
        if (this.#connection.state === 'live' && this.list.includes(subscription)) {
          subscription.leaving = false;
          subscription.refusal = refusal;
          this.changed.tell();
          return;
        }
      }
    }
    this.#drop(subscription);
    this.changed.tell();
  }

  /** One event came for a subscription. */
  count({ sub, topic, cursor }) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.events += 1;
    if (subscription.catching !== null) subscription.catching += 1;
    subscription.place.note(topic, cursor);
    this.changed.tell();
  }

  /** So many events were left out, as it asked for. */
  leaveOut(sub, count) {
    const subscription = this.#bySub.get(sub);
    if (!subscription || !Number.isFinite(count)) return;
    subscription.conflated += count;
    this.changed.tell();
  }

  /** What follows is live. */
  arrive(sub) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.place.arrive();
    if (subscription.catching !== null) this.resumed.tell(subscription, subscription.catching);
    subscription.catching = null;
  }

  /** The gateway says whether the sources of a subscription are proven alive. */
  prove(sub, alive) {
    const subscription = this.#bySub.get(sub);
    if (subscription) this.#turn(subscription, alive ? 'live' : 'stale');
  }

  #follow() {
    if (this.#connection.state === 'live') {
      for (const subscription of this.list) this.#ask(subscription);
      return;
    }
    this.#bySub.clear();
    for (const subscription of [...this.list]) {
      clearTimeout(subscription.timer);
      subscription.sub = null;
      if (subscription.leaving && !subscription.asking) this.remove(subscription);
      else if (subscription.state !== 'pending') this.#turn(subscription, 'pending');
    }
  }

  async #ask(subscription) {
    clearTimeout(subscription.timer);
    if (subscription.asking || this.#connection.state !== 'live') return;
    subscription.asking = true;
    try {
      const from = subscription.wasLive ? subscription.place.from : subscription.from;
      const texts = subscription.filter ? { filter: filterJson(subscription.filter) } : {};
      const answer = await this.#connection.request({ op: 'subscribe', topic: subscription.topic, from }, texts);
      subscription.asking = false;
      subscription.hint = answer.hint ?? '';
      subscription.catching = subscription.wasLive && subscription.place.known ? 0 : null;
      subscription.place.begin(answer, subscription.topic);
      subscription.wasLive = true;
      subscription.backoff.reset();
      if (!this.#take(subscription, answer.sub)) return;
      this.#turn(subscription, 'live');
    } catch (refusal) {
      subscription.asking = false;
      this.#refuse(subscription, refusal);
    }
    if (subscription.leaving) this.remove(subscription);
  }

  // The gateway knows filters by what they mean: two that differ in spelling only are one subscription.
  #take(subscription, sub) {
    const twin = this.#bySub.get(sub);
    if (twin && twin !== subscription) {
      this.#drop(subscription);
      this.merged.tell(subscription, twin);
      this.changed.tell();
      return false;
    }
    this.#bySub.delete(subscription.sub);
    subscription.sub = sub;
    this.#bySub.set(sub, subscription);
    return true;
  }

  #drop(subscription) {
    if (this.#bySub.get(subscription.sub) === subscription) this.#bySub.delete(subscription.sub);
    this.list = this.list.filter((s) => s !== subscription);
  }

  #refuse(subscription, refusal) {
    // Lost with the connection: it is asked for again when that is back.
    if (this.#connection.state !== 'live') return;
    let wait = 0;
    if (PASSING.has(refusal.code) || refusal.unknown) {
      wait = Number.isFinite(refusal.retry_ms) ? refusal.retry_ms : subscription.backoff.nextMs();
      subscription.timer = setTimeout(() => this.#ask(subscription), wait);
    }
    this.#turn(subscription, 'error', refusal, wait ? Date.now() + wait : 0);
  }

  #turn(subscription, state, refusal = null, retryAt = 0) {
    Object.assign(subscription, { state, refusal, retryAt });
    this.turned.tell(subscription);
    this.changed.tell();
  }
}
