// The connection: one WebSocket to the gateway, kept alive. It opens, matches answers to requests by `ref`, notices when the other
// side has gone silent, and comes back by itself as the same session. What the messages mean is not its business.
//
// States: connecting → live → waiting (until `until`, then connecting again); stopped (refused for good, until reconnect() is
// called); closed.

import { Backoff } from './backoff.js';
import { HeadgateError } from './error.js';

const PROTOCOL = 'headgate.v1';
const WELCOME_MS = 10000;
// The gateway itself may take ten seconds to answer an emit; three times that means that nobody will.
const ANSWER_MS = 30000;
const PING_MS = 25000;
const PONG_MS = 15000;
// When there is a reason to doubt the connection.
const DOUBTED_PONG_MS = 5000;
// Many machines come back together, when the network of their house does.
const TOGETHER_MS = 500;
// A connection that stood this long was a good one: the next loss is a new one.
const STOOD_MS = 5000;
// After these closes the same attempt would end the same way.
const FINAL_CLOSES = new Set([4401, 4403, 4409]);

export class Connection {
  state = 'connecting';
  reason = '';
  /** When waiting: the time (ms since 1970) of the next attempt. */
  until = 0;
  /** The gateway's name for this connection, '' while there is none. */
  session = '';
  limits = {};

  #url;
  #changed;
  #received;
  #socket = null;
  #pending = new Map();
  #lastRef = 0;
  #backoff = new Backoff();
  #timer = 0;
  #goodbye = null;
  #heardAt = 0;
  #welcomedAt = 0;
  #firstSession = '';
  #deaf = new AbortController();

  /** `changed()`: the state is another one. `received(message, text)`: whatever comes that answers no request. */
  constructor(url, { changed, received }) {
    this.#url = url;
    this.#changed = changed;
    this.#received = received;
    const { signal } = this.#deaf;
    const on = (target, name, hear) => target?.addEventListener?.(name, hear, { signal });
    on(globalThis, 'online', () => this.#wake());
    on(globalThis, 'offline', () => this.#doubt());
    on(globalThis, 'pageshow', (event) => event.persisted && this.#wake());
    on(globalThis.document, 'visibilitychange', () => globalThis.document.visibilityState === 'visible' && this.#wake());
  }

  open() {
    if (this.#socket || this.state === 'closed') return;
    clearTimeout(this.#timer);
    this.#goodbye = null;
    try {
      const socket = new WebSocket(this.#url, PROTOCOL);
      socket.onmessage = (event) => this.#hear(event.data);
      socket.onclose = (event) => this.#lose(event.code, event.reason);
      this.#socket = socket;
    } catch (error) {
      // Not an address that this page may connect to.
      this.#become('stopped', { reason: error.message });
      return;
    }
    this.#timer = setTimeout(() => this.#abandon(), WELCOME_MS);
    this.#become('connecting', { reason: this.reason });
  }

  close() {
    if (this.state === 'closed') return;
    this.#deaf.abort();
    clearTimeout(this.#timer);
    const socket = this.#drop();
    this.#become('closed', { reason: 'closed' });
    socket?.close(1000);
    this.#failAll();
  }

  /** Asks for something; resolves with the answer `ok` or rejects with a HeadgateError. `texts` are further members given as JSON
   *  text, sent as they are. */
  request(members, texts = {}, patienceMs = ANSWER_MS) {
    return new Promise((resolve, reject) => {
      if (this.state !== 'live') {
        reject(new HeadgateError({ reason: 'connection_lost', message: 'There is no connection to the gateway.' }));
        return;
      }
      const ref = (this.#lastRef += 1);
      const end = (answer, error) => {
        clearTimeout(timer);
        this.#pending.delete(ref);
        if (error) reject(new HeadgateError(error));
        else resolve(answer);
      };
      const timer = setTimeout(() => end(null, { reason: 'no_answer', message: 'The gateway has not answered.' }), patienceMs);
      this.#pending.set(ref, end);
      let text = JSON.stringify({ ...members, ref });
      for (const [name, value] of Object.entries(texts)) text = `${text.slice(0, -1)},${JSON.stringify(name)}:${value}}`;
      this.#socket.send(text);
    });
  }

  #hear(text) {
    this.#heardAt = performance.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    if (message.op === 'goodbye') this.#goodbye = message;
    if (message.op === 'welcome') this.#welcome(message);
    const end = message.op === 'ok' || message.op === 'error' ? this.#pending.get(message.ref) : undefined;
    if (end) end(...(message.op === 'ok' ? [message, null] : [null, message]));
    else this.#received(message, text);
  }

  #welcome({ session = '', limits = {}, ping_ms: pingMs = PING_MS }) {
    clearTimeout(this.#timer);
    this.#welcomedAt = performance.now();
    this.#watch(Math.max(1000, pingMs));
    Object.assign(this, { state: 'live', reason: '', until: 0, session, limits });
    // Before anything else, so that events emitted before the break with echo:false stay hidden. Gateways that do not know it say so.
    if (this.#firstSession) this.request({ op: 'hello', session: this.#firstSession }).catch(() => {});
    this.#firstSession ||= session;
    this.#changed();
  }

  // Browsers cannot see WebSocket pings; a half-open connection would look alive for ever. So when nothing was heard for a while
  // we ask, and when that too stays unanswered the connection is given up.
  #watch(pingMs) {
    this.#timer = setTimeout(() => {
      if (performance.now() - this.#heardAt >= pingMs * 0.9) this.#probe(PONG_MS);
      this.#watch(pingMs);
    }, pingMs);
  }

  #probe(patienceMs) {
    const socket = this.#socket;
    this.request({ op: 'ping' }, {}, patienceMs).catch(({ reason }) => {
      if (reason === 'no_answer' && socket === this.#socket) this.#abandon();
    });
  }

  #doubt() {
    if (this.state === 'live') this.#probe(DOUBTED_PONG_MS);
  }

  /** The network is back, or somebody looks at the page: no more waiting. */
  #wake() {
    this.#doubt();
    if (this.state !== 'waiting') return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), TOGETHER_MS * Math.random());
  }

  #abandon() {
    const socket = this.#drop();
    // The close handshake with a dead peer takes a long time; nobody waits for it.
    socket?.close();
    this.#lose(1006, 'no answer');
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
    }
    return socket;
  }

  #lose(code, text) {
    clearTimeout(this.#timer);
    this.#drop();
    if (this.state === 'live' && performance.now() - this.#welcomedAt >= STOOD_MS) this.#backoff.reset();
    const reason = this.#goodbye?.reason || text || `closed with ${code}`;
    if (FINAL_CLOSES.has(code)) {
      this.#become('stopped', { reason });
    } else {
      const told = this.#goodbye?.reconnect_ms;
      const wait = Number.isFinite(told) && told >= 0 ? told : this.#backoff.nextMs();
      this.#timer = setTimeout(() => this.open(), wait);
      this.#become('waiting', { reason, until: Date.now() + wait });
    }
    this.#failAll();
  }

  #failAll() {
    const error = { reason: 'connection_lost', message: 'The connection was lost before an answer came.' };
    for (const end of [...this.#pending.values()]) end(null, error);
  }

  #become(state, { reason = '', until = 0 } = {}) {
    Object.assign(this, { state, reason, until, session: '', limits: {} });
    this.#changed();
  }
}
