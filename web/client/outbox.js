// The outbox: emits until the gateway has answered them. Each is stored before it is sent, sent again under the same id until there is
// an answer, and then told of and removed. Those of one topic go one after the other, so that their order stands whatever is
// refused, lost or sent again; those that a tab left behind go first.
//
// States of an emit: storing → waiting ⇄ sending; undecided (whether it arrived cannot be known any more; the application decides);
// lost (another tab believed us dead and sends it now).

import { Backoff } from './backoff.js';
import { call } from './call.js';
import { HeadgateError, errorMembers } from './error.js';
import { randomId } from './random-id.js';
import { Store } from './store.js';
import { Presence } from './presence.js';

// Unanswered emits at a time, of as many topics: at most half of what the gateway permits, so that it never stops reading from us.
const WINDOW = 64;
const WINDOW_BYTES = 1 << 20;
const LOOK_MS = 3000;
// How long a tab that was reloaded may take to disappear.
const RELOAD_MS = 2000;
// What stands in a command besides topic, id and event.
const COMMAND_BYTES = 100;
// What the gateway has where its configuration says nothing else.
const DEDUPE_WINDOW_MS = 600000;
// The last attempt has to reach Redis within the window: a tenth of it, but no more than this, is for the way there.
const WAY_MS = 30000;
// Clocks are put right by so much without meaning anything.
const CLOCK_MS = 5000;
const OUTCOME_KEPT_MS = 3600000;
const TOO_MANY_REQUESTS = 111;
const UNAVAILABLE = 108;

const utf8 = new TextEncoder();
const bytesOf = (text) => utf8.encode(text).length;

/** Written once: another text under the same id would be another event. */
function jsonText(event) {
  let text;
  let why = 'it is nothing that JSON has';
  try {
    text = JSON.stringify(event);
  } catch (error) {
    why = error.message;
  }
  if (text !== undefined) return text;
  throw new HeadgateError({ code: 121, reason: 'event_invalid', message: `The event cannot be written as JSON: ${why}.` });
}

function outcomeUnknown() {
  const message =
    'No answer came for so long that the gateway may have forgotten the id: sent again, the event might be in the stream twice. It stays in the outbox until it is resent or discarded.';
  return new HeadgateError({ reason: 'outcome_unknown', message });
}

class Emit {
  state = 'storing';
  attempts = 0;
  retryAt = 0;
  backoff = new Backoff({ firstMs: 250, ceilingMs: 10000 });
  /** The first attempt of unknown outcome, by the clock of this page. */
  firstSentHere = 0;
  /** row.firstSent before the attempt under way. */
  firstSentBefore = 0;
  /** {promise, resolve, reject}, where somebody waits. */
  end = null;

  /** `row`: see Store. */
  constructor(row) {
    this.row = row;
  }

  /** What the application sees of it. */
  get told() {
    const { id, topic, text, echo, at, firstSent, owner, author } = this.row;
    const { attempts, state } = this;
    const facts = { id, topic, echo, at, firstSentAt: firstSent || null, attempts, state, takenOver: owner !== author };
    return Object.defineProperty(facts, 'event', { enumerable: true, get: () => JSON.parse(text) });
  }

  wait() {
    const promise = new Promise((resolve, reject) => {
      this.end = { resolve, reject };
    });
    this.end.promise = promise;
    return promise;
  }
}

export class Outbox {
  /** Whether what is emitted now outlives this page. False until it is known. */
  persistent = false;
  /** Resolves when the outbox is open and has taken over what was left behind. */
  ready;

  #connection;
  #options;
  #presence;
  #store = null;
  // In the order in which they are sent.
  #list = [];
  #bytes = 0;
  #fresh = [];
  #opened;
  #storing = null;
  #isReady = false;
  #closed = false;
  #lookTimer = 0;
  #pumpTimer = 0;
  #dedupeWindowMs;

  /** `name`: tabs with outboxes of the same name share them. `options`: those of connect(). */
  constructor(name, connection, options) {
    this.#connection = connection;
    const { maxEmits = 1000, maxBytes = 5e6, maxAgeMs = Infinity, ordered = true, dedupeWindowMs = DEDUPE_WINDOW_MS } = options;
    this.#options = { ...options, maxEmits, maxBytes, maxAgeMs, ordered, dedupeWindowMs };
    this.#dedupeWindowMs = dedupeWindowMs;
    this.#presence = new Presence(name);
    this.#opened = this.#open(name);
    this.ready = this.#begin();
  }

  get size() {
    return this.#list.length;
  }

  /** Of the events, as UTF-8. */
  get bytes() {
    return this.#bytes;
  }

  list() {
    return this.#list.map((emit) => emit.told);
  }

  emit(topic, event, { id = randomId(), echo = true } = {}) {
    let emit;
    try {
      emit = this.#admit(topic, event, id, echo);
    } catch (error) {
      return Promise.reject(error);
    }
    const promise = emit.wait();
    this.#insert([emit], this.#list.length);
    const tooLarge = this.#tooLarge(emit);
    if (tooLarge) {
      queueMicrotask(() => this.#giveUp(emit, tooLarge));
    } else {
      this.#fresh.push(emit);
      this.#storing ??= this.#keep();
    }
    return promise;
  }

  /** Sends an undecided emit again, although it may be in the stream already. */
  resend(id) {
    const emit = this.#list.find(({ row, state }) => row.id === id && state === 'undecided');
    if (!emit) {
      return Promise.reject(new HeadgateError({ reason: 'not_in_outbox', message: `No undecided emit in the outbox has the id ${id}.` }));
    }
    Object.assign(emit.row, { firstSent: 0, undecided: false });
    emit.state = 'waiting';
    const promise = emit.wait();
    this.#write([emit]);
    this.#pump();
    return promise;
  }

  /** Forgets an emit that is undecided or waits, whether or not it is in the stream. False when there is none. */
  discard(id) {
    const emit = this.#list.find(({ row, state }) => row.id === id && (state === 'undecided' || state === 'waiting'));
    if (!emit) return false;
    const error = new HeadgateError({ reason: 'discarded', message: 'The application discarded this emit.' });
    this.#end(emit, error);
    this.#remove(emit, { error: errorMembers(error) });
    this.#pump();
    return true;
  }

  /** The connection has changed its state. */
  follow() {
    const { state, limits } = this.#connection;
    if (state !== 'live') return;
    this.#dedupeWindowMs = limits.dedupe_window_ms ?? this.#options.dedupeWindowMs;
    this.#pump();
  }

  /** What is stored stays for the next page; what is not has nowhere to go. Resolves when that is so. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#lookTimer);
    clearTimeout(this.#pumpTimer);
    await this.#opened;
    await this.#storing;
    for (const emit of [...this.#list]) {
      const message = 'The connection was closed by the application before an answer came';
      if (!this.#isStored(emit)) this.#giveUp(emit, new HeadgateError({ reason: 'closed', message: `${message}, and the browser cannot keep the emit.` }));
      else this.#end(emit, new HeadgateError({ reason: 'closed', message: `${message}; the emit stays in the outbox.` }));
    }
    this.#presence.leave();
    this.#store?.close();
  }

  // --- opening, and other tabs

  async #open(name) {
    let store = null;
    try {
      store = await Store.open(name);
      await store.sweep(Date.now() - OUTCOME_KEPT_MS);
      await this.#presence.hold();
      this.#store = store;
      this.persistent = true;
    } catch {
      // No IndexedDB, or none that works here: memory has to do.
      store?.close();
    }
  }

  async #begin() {
    await this.#opened;
    const { before } = this.#presence;
    const end = performance.now() + RELOAD_MS;
    while (this.#store && before && performance.now() < end && !(await this.#isGone(before))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await this.#look();
    this.#isReady = true;
    this.#pump();
  }

  async #isGone(owner) {
    try {
      return await this.#presence.gone(owner);
    } catch {
      return false;
    }
  }

  /** Every few seconds: what others left behind, what became of what we lost, what waited too long. */
  async #look() {
    if (this.#closed) return;
    try {
      if (this.#store) {
        this.#presence.beat();
        const others = (await this.#store.owners()).filter((owner) => owner !== this.#presence.owner);
        const dead = [];
        for (const owner of others) if (await this.#isGone(owner)) dead.push(owner);
        if (dead.length && !this.#closed) this.#takeOver(await this.#store.adopt(dead, this.#presence.owner));
        await this.#lookForLost();
      }
    } catch {
      // IndexedDB fails for the moment; the next look may be luckier.
    }
    if (this.#closed) return;
    this.#expire();
    this.#pump();
    clearTimeout(this.#lookTimer);
    this.#lookTimer = setTimeout(() => this.#look(), LOOK_MS);
  }

  #takeOver(rows) {
    const latest = Math.max(0, ...rows.map(({ at, firstSent, tried }) => Math.max(at, firstSent, tried)));
    const clockWentBack = latest > Date.now() + CLOCK_MS;
    // One that we had lost comes back; lookForLost() finds it.
    const ours = new Set(this.#list.map(({ row }) => row.seq));
    const emits = rows.filter(({ seq }) => !ours.has(seq)).map((row) => {
      const emit = new Emit(row);
      // This page has not shown the event as its own: it gets it like everybody else.
      row.echo = true;
      if (row.firstSent) emit.firstSentHere = clockWentBack ? -Infinity : performance.now();
      emit.state = row.undecided ? 'undecided' : 'waiting';
      return emit;
    });
    this.#insert(emits, 0);
    for (const emit of emits) if (emit.state === 'undecided') this.#tellUndeliverable(emit, outcomeUnknown());
  }

  async #lookForLost() {
    const lost = this.#list.filter(({ state }) => state === 'lost');
    if (!lost.length) return;
    const rows = await this.#store.look(lost.map(({ row }) => row.seq));
    lost.forEach((emit, i) => {
      const { owner, outcome } = rows[i] ?? { owner: this.#presence.owner };
      if (owner === this.#presence.owner) {
        emit.state = 'waiting';
      } else if (outcome) {
        // The tab that sent it has told its application; here somebody may wait for the promise.
        if (outcome.error) this.#end(emit, new HeadgateError(outcome.error));
        else emit.end?.resolve(outcome.result);
        this.#remove(emit, outcome, true);
      }
    });
  }

  // --- the list

  /** What may not go in is thrown as an error. */
  #admit(topic, event, id, echo) {
    if (this.#closed) throw new HeadgateError({ reason: 'closed', message: 'This connection was closed by the application.' });
    const bad = (what) => new HeadgateError({ code: 107, reason: 'bad_request', message: `${what} must be a string that is not empty.` });
    if (typeof topic !== 'string' || topic === '') throw bad('The topic');
    if (typeof id !== 'string' || id === '') throw bad('The id');
    const text = jsonText(event);
    const bytes = bytesOf(text);
    const { maxEmits, maxBytes } = this.#options;
    if (this.size + 1 > maxEmits || this.#bytes + bytes > maxBytes) {
      const message = `The outbox holds ${this.size} emits of ${this.#bytes} bytes, and takes ${maxEmits} emits and ${maxBytes} bytes.`;
      throw new HeadgateError({ reason: 'outbox_full', message });
    }
    const { owner } = this.#presence;
    const times = { at: Date.now(), firstSent: 0, tried: 0 };
    return new Emit({ owner, author: owner, id, topic, text, bytes, echo: echo !== false, ...times, undecided: false });
  }

  #insert(emits, at) {
    this.#list.splice(at, 0, ...emits);
    for (const { row } of emits) this.#bytes += row.bytes;
  }

  /** `outcome`: for another tab that may still wait for it; `always`: nobody does. */
  #remove(emit, outcome, always = false) {
    const at = this.#list.indexOf(emit);
    if (at < 0) return;
    this.#list.splice(at, 1);
    this.#bytes -= emit.row.bytes;
    if (!this.#isStored(emit)) return;
    const row = always ? { ...emit.row, owner: emit.row.author } : emit.row;
    // Left there, it is sent once more by a later page, and answered as a duplicate.
    this.#store.finish(row, outcome).catch(() => {});
  }

  #isStored(emit) {
    return this.#store !== null && emit.row.seq !== undefined;
  }

  async #keep() {
    await this.#opened;
    while (this.#fresh.length) {
      const emits = this.#fresh.splice(0);
      try {
        await this.#store?.add(emits.map(({ row }) => row));
        this.persistent = this.#store !== null;
      } catch {
        // Full, or broken: these live in memory.
        this.persistent = false;
      }
      for (const emit of emits) emit.state = 'waiting';
      this.#pump();
    }
    this.#storing = null;
  }

  /** Returns those that another tab has taken over. */
  async #write(emits) {
    const stored = emits.filter((emit) => this.#isStored(emit));
    if (!stored.length) return [];
    try {
      const lost = await this.#store.claim(stored.map(({ row }) => row));
      return stored.filter(({ row }) => lost.includes(row));
    } catch {
      this.persistent = false;
      return [];
    }
  }

  // --- sending

  #pump() {
    clearTimeout(this.#pumpTimer);
    if (!this.#isReady || this.#closed || this.#connection.state !== 'live') return;
    this.#expire();
    const now = performance.now();
    const sending = this.#list.filter(({ state }) => state === 'sending');
    let room = Math.max(1, Math.min(WINDOW, Math.floor((this.#connection.limits.emits ?? WINDOW) / 2))) - sending.length;
    let roomBytes = WINDOW_BYTES - sending.reduce((sum, { row }) => sum + row.bytes, 0);
    let nextAt = Infinity;
    const behind = new Set();
    const next = [];
    for (const emit of [...this.#list]) {
      const { row, state, retryAt } = emit;
      if (state === 'undecided' || state === 'lost') continue;
      const first = !this.#options.ordered || !behind.has(row.topic);
      behind.add(row.topic);
      if (!first || state !== 'waiting') continue;
      if (retryAt > now) {
        nextAt = Math.min(nextAt, retryAt);
        continue;
      }
      const tooLarge = this.#tooLarge(emit);
      if (tooLarge) {
        this.#giveUp(emit, tooLarge);
        nextAt = now;
        continue;
      }
      if (room <= 0 || (roomBytes < row.bytes && sending.length + next.length > 0)) break;
      room -= 1;
      roomBytes -= row.bytes;
      next.push(emit);
    }
    if (next.length) this.#send(next);
    if (nextAt < Infinity) this.#pumpTimer = setTimeout(() => this.#pump(), Math.max(0, nextAt - now));
  }

  async #send(emits) {
    const { session } = this.#connection;
    for (const emit of emits) {
      emit.state = 'sending';
      emit.firstSentBefore = emit.row.firstSent;
      if (!emit.row.firstSent) {
        emit.row.firstSent = Date.now();
        emit.firstSentHere = performance.now();
      }
      emit.row.tried = Date.now();
    }
    // That it was sent is written down before it is: after a crash that is what counts.
    const lost = await this.#write(emits);
    for (const emit of emits) {
      if (lost.includes(emit)) {
        emit.state = 'lost';
      } else if (this.#closed || this.#connection.session !== session) {
        emit.row.firstSent = emit.firstSentBefore;
        emit.state = 'waiting';
      } else {
        this.#attempt(emit);
      }
    }
    if (lost.length || this.#connection.session !== session) this.#pump();
  }

  #attempt(emit) {
    const { topic, id, echo, text } = emit.row;
    emit.attempts += 1;
    this.#connection.request({ op: 'emit', topic, id, ...(echo ? {} : { echo }) }, { event: text }).then(
      ({ op, ref, ...result }) => this.#acknowledge(emit, result),
      (error) => this.#refused(emit, error),
    );
  }

  #acknowledge(emit, result) {
    if (this.#closed) return;
    // Told first and removed then: a page that ends in between is told twice rather than never.
    emit.state = 'acknowledged';
    emit.end?.resolve(result);
    call(this.#options.onAcknowledged, emit.told, result);
    this.#remove(emit, { result });
    this.#pump();
  }

  #refused(emit, error) {
    if (this.#closed) return;
    const passing = error.code === UNAVAILABLE || error.code === TOO_MANY_REQUESTS || Number.isFinite(error.retry_ms);
    if (!error.unknown && !passing) {
      this.#giveUp(emit, error);
      this.#pump();
      return;
    }
    emit.state = 'waiting';
    if (error.code === TOO_MANY_REQUESTS || error.tried === false) {
      emit.row.firstSent = emit.firstSentBefore;
      this.#write([emit]);
    }
    if (error.reason !== 'connection_lost') {
      emit.retryAt = performance.now() + emit.backoff.nextMs(Number.isFinite(error.retry_ms) ? Math.max(0, error.retry_ms) : 0);
    }
    this.#pump();
  }

  // --- giving up

  #tooLarge({ row }) {
    const { event_bytes: eventMax = Infinity, message_bytes: messageMax = Infinity } = this.#connection.limits;
    const members = bytesOf(JSON.stringify(row.topic)) + bytesOf(JSON.stringify(row.id)) + COMMAND_BYTES;
    if (row.bytes <= eventMax && row.bytes + members <= messageMax) return null;
    const message = `The event has ${row.bytes} bytes; the gateway takes ${Math.min(eventMax, messageMax - members)}.`;
    return new HeadgateError({ code: 123, reason: 'event_too_large', message });
  }

  #expire() {
    for (const emit of this.#list.filter(({ state }) => state === 'waiting')) {
      const age = Date.now() - emit.row.at;
      if (emit.row.firstSent) {
        const window = this.#dedupeWindowMs;
        if (this.#unknownFor(emit) > window - Math.min(WAY_MS, window / 10)) this.#letGo(emit, 'undecided', outcomeUnknown());
      } else if (age > this.#options.maxAgeMs) {
        const message = `The event is ${age} ms old and was to be sent within ${this.#options.maxAgeMs}.`;
        this.#letGo(emit, 'undeliverable', new HeadgateError({ reason: 'too_old', message }));
      }
    }
  }

  // By whichever clock says more: that of the page may stand still while the machine sleeps, that of the wall may be put back.
  #unknownFor(emit) {
    return Math.max(Date.now() - emit.row.firstSent, performance.now() - emit.firstSentHere);
  }

  async #letGo(emit, state, error) {
    emit.state = state;
    emit.row.undecided = state === 'undecided';
    // While this tab slept another one may have taken it over, and know more.
    const lost = await this.#write([emit]);
    if (this.#closed || emit.state !== state || !this.#list.includes(emit)) return;
    if (lost.length) {
      emit.state = 'lost';
      emit.row.undecided = false;
    } else if (state === 'undecided') {
      this.#tellUndeliverable(emit, error);
    } else {
      this.#giveUp(emit, error);
    }
    this.#pump();
  }

  #giveUp(emit, error) {
    emit.state = 'undeliverable';
    this.#tellUndeliverable(emit, error);
    this.#remove(emit, { error: errorMembers(error) });
  }

  #tellUndeliverable(emit, error) {
    this.#end(emit, error);
    call(this.#options.onUndeliverable, emit.told, error);
  }

  #end(emit, error) {
    // Whoever takes the callback need not take the promise as well.
    if (this.#options.onUndeliverable) emit.end?.promise.catch(() => {});
    emit.end?.reject(error);
    emit.end = null;
  }
}
