// A trial: what a filter that somebody is typing makes of the last events in the list, asked of the gateway itself.
// There is one at a time; the field that asked last owns it. A gateway that does not know the question is not asked again.

import { filterJson } from './filter-text.js';
import { compact } from './json-text.js';
import { patternTest } from './pattern.js';
import { Signal } from './signal.js';

const EVENTS_MAX = 20;
// What is sent for one trial stays well below what a message may have.
const BYTES_MAX = 256 * 1024;
// Each answer explains itself; a gateway closes on clients whose answers pile up, so long filters are tried on fewer events.
const ANSWER_BYTES_MAX = 96 * 1024;
const UNKNOWN_OP = 104;

// To a filter everything that is no JSON object looks alike: only its topic is known.
function eventJson(item) {
  return item.form === 'event' ? compact(item.raw) : '""';
}

export class Trial {
  changed = new Signal();

  /** What became of each event tried, by its number in the list: {passes, decided}, the part of the filter that decided. */
  results = new Map();
  owner = null;

  #connection;
  #events;
  #run = 0;
  #absent = false;

  constructor(connection, events) {
    this.#connection = connection;
    this.#events = events;
    connection.changed.hear(() => {
      if (connection.state !== 'live') this.#absent = false;
    });
  }

  /** Resolves with {refusal} or {hint, tried, passed}; with null when there is nothing to say. */
  async ask(owner, text, pattern) {
    const run = (this.#run += 1);
    this.owner = owner;
    if (!text || this.#absent || this.#connection.state !== 'live') {
      this.#show(new Map());
      return null;
    }
    const filter = filterJson(text);
    const items = pattern ? this.#lastOf(pattern, filter) : [];
    const asked = items.map(({ item, json }) => [{ op: 'explain', topic: item.topic }, { filter, event: json }]);
    const ends = await Promise.allSettled(this.#connection.requestAll([[{ op: 'explain' }, { filter }], ...asked]));
    if (run !== this.#run) return null;
    const [first, ...others] = ends;
    const results = new Map();
    others.forEach((end, i) => {
      if (end.status === 'fulfilled') results.set(items[i].item.seq, { passes: end.value.passes === true, decided: end.value.explain?.decided ?? '' });
    });
    this.#show(results);
    if (first.status === 'rejected') {
      this.#absent = first.reason.code === UNKNOWN_OP;
      return first.reason.code === 120 ? { refusal: first.reason } : null;
    }
    const passed = [...results.values()].filter(({ passes }) => passes).length;
    return { hint: first.value.hint ?? '', tried: results.size, passed };
  }

  /** Forgets it, unless somebody else has asked meanwhile. */
  end(owner) {
    if (this.owner !== owner) return;
    this.#run += 1;
    this.owner = null;
    this.#show(new Map());
  }

  #lastOf(pattern, filter) {
    const test = patternTest(pattern);
    const encoder = new TextEncoder();
    const most = Math.min(EVENTS_MAX, Math.max(1, Math.floor(ANSWER_BYTES_MAX / (500 + 40 * filter.length))));
    let room = Math.min(BYTES_MAX, (this.#connection.limits.message_bytes ?? BYTES_MAX) / 2);
    const items = [];
    for (const item of this.#events.newestFirst()) {
      if (items.length === most || room <= 0) break;
      if (item.kind !== 'event' || !test(item.topic)) continue;
      const json = eventJson(item);
      room -= encoder.encode(json + filter).length + 600;
      if (room > 0) items.push({ item, json });
    }
    return items;
  }

  #show(results) {
    if (!results.size && !this.results.size) return;
    this.results = results;
    this.changed.tell();
  }
}
