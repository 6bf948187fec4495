// The emitter: sends an event under an id of our own choice, and the last one again under the same id.

import { compact } from './json-text.js';
import { Signal } from './signal.js';

/** A random UUID. crypto.randomUUID is missing where the page is served without TLS from another machine. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export class Emitter {
  changed = new Signal();

  /** The last emit: {topic, id, text, sends, outcome, answer, refusal, firstCursor}, or null. */
  last = null;

  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  emit(topic, id, text) {
    // One line: the gateway takes a line break as the start of the next command.
    this.last = { topic, id, text: compact(text), sends: 0, outcome: 'sending', answer: null, refusal: null };
    return this.#send(this.last);
  }

  again() {
    return this.#send(this.last);
  }

  async #send(emit) {
    Object.assign(emit, { sends: emit.sends + 1, outcome: 'sending', answer: null, refusal: null });
    this.changed.tell();
    try {
      emit.answer = await this.#connection.request({ op: 'emit', topic: emit.topic, id: emit.id }, { event: emit.text });
      emit.outcome = emit.answer.duplicate ? 'duplicate' : 'stored';
    } catch (refusal) {
      emit.refusal = refusal;
      emit.outcome = refusal.unknown ? 'unknown' : 'refused';
    }
    if (emit === this.last) this.changed.tell();
    return emit;
  }
}
