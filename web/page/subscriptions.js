// Subscriptions: what this page listens to. They outlive connections: after every reconnect each goes on where it was.
//
// States: pending → live ⇄ stale; error (with the gateway's refusal); every loss of the connection leads back to pending.

import { Backoff } from './backoff.js';
import { filterJson } from './filter-text.js';
import { fromAt } from './from.js';
import { Place } from './place.js';
import { Playback } from './playback.js';
import { Signal } from './signal.js';
import { thinningMembers, thinningText } from './thinning.js';

// The gateway says these may pass; the others would be refused again.
const PASSING = new Set([108, 111]);
const FILTER_INVALID = 120;

class Subscription {
  constructor({ topic, from = 'live', filter = '', thinning = null }) {
    this.topic = topic;
    this.from = from;
    this.filter = filter;
    this.thinning = thinning;
    this.hint = '';
    this.state = 'pending';
    this.sub = null;
    this.refusal = null;
    this.retryAt = 0;
    this.events = 0;
    this.gaps = 0;
    this.leftOut = 0;
    this.staleSince = 0;
    this.place = new Place(from);
    this.playback = new Playback(from);
    // Some of its topics are channels: events came without a cursor, or it has no place at all.
    this.channels = false;
    // Since it came back, until it has caught up: {events, gaps}; null: it has.
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
  /** One came back after a break: (subscription, {events, gaps} until it had caught up, or null: it was still on its way). */
  resumed = new Signal();
  /** A replay turned: (subscription, 'sought' or 'ended'). */
  replayed = new Signal();
  /** One went because another means the same: (the one that went). */
  merged = new Signal();

  list = [];

  #connection;
  #bySub = new Map();

  constructor(connection) {
    this.#connection = connection;
    connection.changed.hear(() => this.#follow());
  }

  find({ topic, filter, thinning = null }) {
    const text = thinningText(thinning);
    return this.list.find((s) => s.topic === topic && s.filter === filter && thinningText(s.thinning) === text);
  }

  bySub(sub) {
    return this.#bySub.get(sub);
  }

  /** `wanted`: {topic, from, filter, thinning}. */
  add(wanted) {
    const subscription = new Subscription(wanted);
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

  /** The replay stands still until it is resumed. Rejects with the gateway's Refusal, as do the next three. */
  async pause(subscription) {
    await this.#steer(subscription, { op: 'pause' });
    subscription.playback.paused = true;
    this.changed.tell();
  }

  async resume(subscription) {
    await this.#steer(subscription, { op: 'resume', speed: subscription.playback.speed });
    subscription.playback.paused = false;
    this.changed.tell();
  }

  /** Another speed; one that stands still takes it up when it is resumed. */
  async pace(subscription, speed) {
    if (!subscription.playback.paused) await this.#steer(subscription, { op: 'resume', speed });
    subscription.playback.speed = speed;
    subscription.place.pace(speed);
    this.changed.tell();
  }

  /** It goes on from a time (ms since 1970), at its speed. */
  async seek(subscription, since) {
    const from = fromAt({ since }, subscription.playback.speed);
    await this.#steer(subscription, { op: 'seek', from });
    subscription.place.go(from);
    subscription.playback.begin(since);
    subscription.catching = null;
    this.replayed.tell(subscription, 'sought');
    this.changed.tell();
  }

  async #steer(subscription, members) {
    try {
      await this.#connection.request({ ...members, sub: subscription.sub });
      subscription.refusal = null;
    } catch (refusal) {
      subscription.refusal = refusal;
      throw refusal;
    } finally {
      this.changed.tell();
    }
  }

  /** One event came for a subscription. */
  count({ sub, topic, cursor }) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.events += 1;
    if (subscription.catching) subscription.catching.events += 1;
    if (typeof cursor === 'string') {
      subscription.place.note(topic, cursor);
      subscription.playback.note(cursor);
    } else {
      subscription.channels = true;
    }
    this.changed.tell();
  }

  /** Events of a subscription were missed. */
  miss({ sub, topic, reason }) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.gaps += 1;
    if (subscription.catching) subscription.catching.gaps += 1;
    subscription.place.miss(topic, reason);
    this.changed.tell();
  }

  /** So many events were left out, as it asked for. */
  leaveOut(sub, count) {
    const subscription = this.#bySub.get(sub);
    if (!subscription || !Number.isFinite(count)) return;
    subscription.leftOut += count;
    this.changed.tell();
  }

  /** What follows is live. */
  arrive(sub) {
    const subscription = this.#bySub.get(sub);
    if (!subscription) return;
    subscription.place.arrive();
    if (subscription.catching) this.resumed.tell(subscription, subscription.catching);
    subscription.catching = null;
    if (subscription.playback.end()) this.replayed.tell(subscription, 'ended');
    this.changed.tell();
  }

  /** The gateway says whether the sources of a subscription are proven alive. */
  prove(sub, alive) {
    const subscription = this.#bySub.get(sub);
    if (subscription && subscription.state !== (alive ? 'live' : 'stale')) this.#turn(subscription, alive ? 'live' : 'stale');
  }

  #follow() {
    if (this.#connection.state === 'live') {
      for (const subscription of this.list) this.#ask(subscription);
      return;
    }
    this.#bySub.clear();
    for (const subscription of [...this.list]) {
      clearTimeout(subscription.timer);
      if (subscription.sub !== null) subscription.place.halt();
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
      const { topic, filter, place, thinning, wasLive } = subscription;
      // Beside the cursors a message has room for the rest.
      const room = (this.#connection.limits.message_bytes ?? Infinity) * 0.75 - filter.length * 3 - 2000;
      const from = wasLive ? place.from(room) : subscription.from;
      const texts = filter ? { filter: filterJson(filter) } : {};
      const answer = await this.#connection.request({ op: 'subscribe', topic, from, ...thinningMembers(thinning) }, texts);
      subscription.asking = false;
      subscription.hint = answer.hint ?? '';
      subscription.wasLive = true;
      subscription.backoff.reset();
      const resumes = wasLive && place.known && place.complete;
      subscription.catching = resumes ? { events: 0, gaps: 0 } : null;
      place.begin(answer, topic);
      if (!place.known && place.complete) subscription.channels = true;
      if (!this.#take(subscription, answer.sub)) return;
      this.#turn(subscription, 'live');
      if (wasLive && !resumes) this.resumed.tell(subscription, null);
      if (subscription.playback.paused) this.pause(subscription).catch(() => {});
    } catch (refusal) {
      subscription.asking = false;
      this.#refuse(subscription, await this.#placed(subscription, refusal));
    }
    if (subscription.leaving) this.remove(subscription);
  }

  // Both the filter and the key of a thinning are expressions; a refusal does not say which of them it is about.
  async #placed(subscription, refusal) {
    if (refusal.code !== FILTER_INVALID || !subscription.thinning?.key) return refusal;
    const { filter } = subscription;
    const wrong = filter && (await this.#connection.request({ op: 'explain' }, { filter: filterJson(filter) }).then(
      () => false,
      ({ code }) => code === FILTER_INVALID,
    ));
    return Object.assign(refusal, { of: wrong ? 'filter' : 'key' });
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
    if (state === 'stale') subscription.staleSince = Date.now();
    Object.assign(subscription, { state, refusal, retryAt });
    this.turned.tell(subscription);
    this.changed.tell();
  }
}
