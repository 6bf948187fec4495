// Answers: the newest things the gateway said in answer to what this page asked.

import { Signal } from './signal.js';

const KEPT = 50;
// What the page asks by itself, while somebody types or nobody does anything.
const UNTOLD = new Set(['ping', 'explain']);

export class Answers {
  changed = new Signal();
  /** Newest first: {time, request, answer, refusal, ms}. */
  list = [];

  constructor(connection) {
    connection.answered.hear((request, answer, refusal, ms) => {
      if (!UNTOLD.has(request.op)) this.#add({ request, answer, refusal, ms });
    });
  }

  /** An error that names no request of ours. */
  stray(refusal) {
    this.#add({ request: { op: 'error' }, answer: null, refusal, ms: null });
  }

  #add(entry) {
    this.list.unshift({ time: Date.now(), ...entry });
    this.list.length = Math.min(this.list.length, KEPT);
    this.changed.tell();
  }
}
