// Answers: the newest things the gateway said in answer to what this page asked.

import { Signal } from './signal.js';

const KEPT = 50;

export class Answers {
  changed = new Signal();
  /** Newest first: {time, request, answer, refusal, ms}. */
  list = [];

  constructor(connection) {
    connection.answered.hear((request, answer, refusal, ms) => {
      if (request.op !== 'ping') this.#add({ request, answer, refusal, ms });
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
