// Subscriptions: what this page listens to. They outlive connections: each is made again, live, after every reconnect.
//
// States: pending → live ⇄ stale; error (with the gateway's refusal); every loss of the connection leads back to pending.

import { Backoff } from './backoff.js';
import { Signal } from './signal.js';

// The gateway says these may pass; the others would be refused again.
const PASSING = new Set([108, 111]);

class Subscription {
  constructor(topic, from) {
    this.topic = topic;
    this.from = from;
    this.state = 'pending';
    this.sub = null;
    this.refusal = null;
    this.retryAt = 0;
    this.events = 0;
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

  list = [];

  #connection;
  #bySub = new Map();

  constructor(connection) {
    this.#connection = connection;
    connection.changed.hear(() => this.#follow());
  }

  find(topic) {
    return this.list.find((s) => s.topic === topic);
  }

  bySub(sub) {
    return this.#bySub.get(sub);
  }

  add(topic, from) {
    const subscription = new Subscription(topic, from);
    this.list.push(subscription);
    this.#ask(subscription);
    this.changed.tell();
    return subscription;
  }

  retry(subscription) {
    this.#turn(subscription, 'pending');
    this.#ask(subscription);
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
    this.#bySub.delete(subscription.sub);
    this.list = this.list.filter((s) => s !== subscription);
    this.changed.tell();
  }

  /** One event came for a subscription. */
  count(sub) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.events += 1;
    this.changed.tell();
  }

  /** The gateway says whether the sources of these topics are proven alive. */
  prove(topics, alive) {
    for (const subscription of this.list) {
      if (subscription.sub === null || !topics.includes(subscription.topic)) continue;
      this.#turn(subscription, alive ? 'live' : 'stale');
    }
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
      const from = subscription.wasLive ? 'live' : subscription.from;
      const answer = await this.#connection.request({ op: 'subscribe', topic: subscription.topic, from });
      subscription.asking = false;
      subscription.sub = answer.sub;
      subscription.wasLive = true;
      subscription.backoff.reset();
      this.#bySub.set(answer.sub, subscription);
      this.#turn(subscription, 'live');
    } catch (refusal) {
      subscription.asking = false;
      this.#refuse(subscription, refusal);
    }
    if (subscription.leaving) this.remove(subscription);
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
