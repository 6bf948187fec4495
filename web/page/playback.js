// A playback: a replay at a multiple of the original pace, until it has met the present; then it may be taken back again.

import { fromSpeed } from './from.js';

export class Playback {
  running = false;
  paused = false;
  /** The time in the past that it has come to, in ms since 1970; 0: not known yet. */
  at = 0;

  constructor(from) {
    this.speed = fromSpeed(from);
    this.running = this.speed > 0;
    this.at = from?.since ?? 0;
  }

  /** Whether this subscription was asked for with a speed at all. */
  get wanted() {
    return this.speed > 0;
  }

  begin(at) {
    this.running = this.wanted;
    this.at = at;
  }

  /** An event came; the id of an entry begins with its time. */
  note(cursor) {
    const ms = Number.parseInt(cursor, 10);
    if (this.wanted && Number.isFinite(ms)) this.at = ms;
  }

  /** It has met the present. True when it was under way. */
  end() {
    const was = this.running;
    this.running = false;
    this.paused = false;
    return was;
  }
}
