// Events: what came in, newest last, bounded in number and in size. Knows pause and filter; knows no DOM.

import { memberText } from './json-text.js';
import { Ring } from './ring.js';
import { Signal } from './signal.js';
import { gapWords } from './words.js';

const CAPACITY = 5000;
// Five thousand events of a megabyte would be too much for any page.
const CHARACTERS_MAX = 32 * 1024 * 1024;

/** One row of the list. Its raw text is cut out of the message only when somebody looks. */
export class Item {
  #raw;

  constructor(message, text, time) {
    this.seq = 0;
    this.kind = message.op;
    this.time = time;
    this.topic = message.topic ?? '';
    this.sub = message.sub;
    this.cursor = message.cursor;
    this.form = ['event', 'text', 'base64'].find((form) => form in message) ?? null;
    this.text = text;
    const told = message.op === 'gap' ? gapWords(message) : { sentence: message.words ?? '', advice: '' };
    this.words = told.sentence;
    this.advice = told.advice;
    if (this.form !== 'event') this.#raw = this.form ? String(message[this.form]) : text;
  }

  /** The event as it was received; for other rows the whole message. */
  get raw() {
    this.#raw ??= memberText(this.text, 'event') ?? this.text;
    return this.#raw;
  }

  holds(needle) {
    return `${this.topic}\n${this.words ? `${this.words} ${this.advice}` : this.raw}\n${this.cursor ?? ''}`.toLowerCase().includes(needle);
  }
}

export class Events {
  changed = new Signal();

  total = 0;
  gaps = 0;
  dropped = 0;
  paused = false;

  #kept = new Ring(CAPACITY);
  #held = new Ring(CAPACITY);
  #heldCount = 0;
  #matching = this.#kept;
  #needle = '';
  #characters = 0;
  #seq = 0;

  /** Rows that pass the filter, oldest first. */
  get shown() {
    return this.#matching;
  }

  /** How many rows are kept, filtered or not. */
  get kept() {
    return this.#kept.length;
  }

  /** How many came while paused. */
  get waiting() {
    return this.#heldCount;
  }

  get needle() {
    return this.#needle;
  }

  /** All rows that are kept, filtered or not, from the newest on. */
  *newestFirst() {
    for (let i = this.#kept.length - 1; i >= 0; i -= 1) yield this.#kept.at(i);
  }

  add(item) {
    if (item.kind === 'event') this.total += 1;
    if (item.kind === 'gap') this.gaps += 1;
    item.seq = this.#seq += 1;
    if (this.paused) {
      this.#heldCount += 1;
      this.#account(item, this.#held.push(item));
    } else {
      this.#keep(item);
    }
    this.changed.tell();
  }

  pause() {
    this.paused = true;
    this.changed.tell();
  }

  resume() {
    this.paused = false;
    this.#heldCount = 0;
    for (const item of this.#held) {
      this.#characters -= item.text.length;
      this.#keep(item);
    }
    this.#held.clear();
    this.changed.tell();
  }

  /** Empties the list, waiting rows included. Totals go on. */
  clear() {
    this.#kept.clear();
    this.#held.clear();
    this.#heldCount = 0;
    this.#characters = 0;
    this.dropped = 0;
    this.#sieve();
    this.changed.tell();
  }

  filter(needle) {
    this.#needle = needle.trim().toLowerCase();
    this.#sieve();
    this.changed.tell();
  }

  #keep(item) {
    this.#account(item, this.#kept.push(item));
    if (this.#matching !== this.#kept && item.holds(this.#needle)) this.#matching.push(item);
  }

  #account(item, gone) {
    this.#characters += item.text.length;
    if (gone) this.#forget(gone);
    while (this.#characters > CHARACTERS_MAX && this.#kept.length + this.#held.length > 1) {
      this.#forget(this.#kept.shift() ?? this.#held.shift());
    }
  }

  #forget(item) {
    this.#characters -= item.text.length;
    this.dropped += 1;
    if (this.#matching !== this.#kept && this.#matching.at(0) === item) this.#matching.shift();
  }

  #sieve() {
    if (!this.#needle) {
      this.#matching = this.#kept;
      return;
    }
    this.#matching = new Ring(CAPACITY);
    for (const item of this.#kept) if (item.holds(this.#needle)) this.#matching.push(item);
  }
}
