// The presence: whether the tab that owns some emits is still there. Each gate is an owner of its own, under a name never used again.
//
// Where the browser has Web Locks (pages on https: and on the machine itself), an owner holds a lock of its name; the browser lets go
// of it when the tab is closed, reloaded, or crashes. Elsewhere it keeps a mark in localStorage: gone when the page is left, and
// written again every few seconds. An owner whose mark stands unchanged for so long that a tab in the background, whose timers
// run once a minute, would have written it, is taken for dead. That may be wrong of a tab that was frozen; see Store.claim().

import { randomId } from './random-id.js';

const SILENT_MS = 150000;
const here = new Set();

function remembered(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // a worker, or forbidden
  }
}

export class Presence {
  owner;
  /** Who owned before us in this tab, when that is not another gate of this page: on a reload it is about to be gone. */
  before;

  #locks = globalThis.navigator?.locks;
  #prefix;
  #leave = () => {};
  #deaf = new AbortController();
  #marks = new Map();

  constructor(name) {
    this.#prefix = `${name} `;
    this.owner = `${this.#locks ? 'lock' : 'mark'}-${randomId()}`;
    this.before = remembered(name);
    if (here.has(this.before)) this.before = null;
    here.add(this.owner);
    try {
      sessionStorage.setItem(name, this.owner);
    } catch {
      // Then nobody waits for us.
    }
  }

  /** From now on we are there. Rejects where that cannot be told to others. */
  async hold() {
    const { signal } = this.#deaf;
    if (this.#locks) {
      await this.#lock();
      // Browsers may let go of it while a page lies in the back-forward cache.
      globalThis.addEventListener('pageshow', ({ persisted }) => persisted && this.#lock().catch(() => {}), { signal });
      return;
    }
    this.#mark();
    globalThis.addEventListener('pagehide', () => this.#unmark(), { signal });
    globalThis.addEventListener('pageshow', () => this.#mark(), { signal });
  }

  /** To be called every few seconds. */
  beat() {
    if (!this.#locks && !this.#deaf.signal.aborted) this.#mark();
  }

  leave() {
    this.#deaf.abort();
    here.delete(this.owner);
    this.#leave();
    if (!this.#locks) this.#unmark();
  }

  /** Whether another owner is gone for good. */
  async gone(owner) {
    if (owner.startsWith('lock-')) {
      if (!this.#locks) return false;
      return this.#locks.request(this.#prefix + owner, { mode: 'shared', ifAvailable: true }, (lock) => lock !== null);
    }
    const mark = localStorage.getItem(this.#prefix + owner);
    const seen = this.#marks.get(owner);
    if (mark === null) return true;
    if (seen?.mark !== mark) this.#marks.set(owner, { mark, at: performance.now() });
    else if (performance.now() - seen.at > SILENT_MS) localStorage.removeItem(this.#prefix + owner);
    return localStorage.getItem(this.#prefix + owner) === null;
  }

  #lock() {
    return new Promise((resolve, reject) => {
      const until = new Promise((leave) => {
        const before = this.#leave;
        this.#leave = () => {
          before();
          leave();
        };
      });
      // Not available: it is held by ourselves.
      const hold = (lock) => {
        resolve();
        return lock && until;
      };
      this.#locks.request(this.#prefix + this.owner, { ifAvailable: true }, hold).catch(reject);
    });
  }

  #mark() {
    localStorage.setItem(this.#prefix + this.owner, String(Date.now()));
  }

  #unmark() {
    try {
      localStorage.removeItem(this.#prefix + this.owner);
    } catch {
      // Then it was never written.
    }
  }
}
