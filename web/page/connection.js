// The connection: one WebSocket to the gateway, kept alive. It opens, matches answers to requests by `ref`,
// notices when the other side has gone silent, and comes back by itself. What the messages mean is not its business.
//
// States: connecting → live → waiting (until `until`, then connecting again); stopped (asked to, or refused for good).

import { Backoff } from './backoff.js';
import { Signal } from './signal.js';
import { closeWords } from './words.js';

const PROTOCOL = 'headgate.v1';
const WELCOME_MS = 10000;
// The gateway itself may take five seconds to answer a subscribe; twice that and some means nobody will.
const ANSWER_MS = 15000;
const PING_MS = 25000;
// After these closes the same attempt would end the same way; a person has to decide.
const FINAL_CLOSES = new Set([4401, 4403, 4409]);

/** Why a request was not done: by the gateway's word (code, reason) or because no word came (code 0). */
export class Refusal extends Error {
  constructor({ code = 0, reason = 'failed', message = '', ...rest }) {
    super(message);
    Object.assign(this, rest, { code, reason });
  }

  /** True when the gateway may or may not have done what was asked. */
  get unknown() {
    return this.reason === 'connection_lost' || this.reason === 'no_answer';
  }
}

export class Connection {
  changed = new Signal();
  /** Messages that answer nothing: (message, text). */
  received = new Signal();
  /** Requests that ended: (request, answer or null, refusal or null, milliseconds). */
  answered = new Signal();

  state = 'stopped';
  reason = '';
  until = 0;
  session = '';
  limits = {};

  #url;
  #socket = null;
  #pending = new Map();
  #lastRef = 0;
  #backoff = new Backoff();
  #timer = 0;
  #goodbye = null;
  #heardAt = 0;

  constructor(url) {
    this.#url = url;
  }

  open() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#goodbye = null;
    let socket;
    try {
      socket = new WebSocket(this.#url, PROTOCOL);
    } catch (error) {
      this.#become('stopped', { reason: error.message });
      return;
    }
    this.#socket = socket;
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => this.#lose(event.code, event.reason);
    this.#timer = setTimeout(() => this.#abandon(), WELCOME_MS);
    this.#become('connecting', { reason: this.reason });
  }

  close() {
    clearTimeout(this.#timer);
    const socket = this.#drop();
    socket?.close(1000);
    this.#failAll();
    this.#become('stopped', { reason: 'Disconnected.' });
  }

  /** Asks for something; resolves with the `ok` message or rejects with a Refusal.
   *  `texts` are further members given as JSON text, sent as they are. */
  request(members, texts = {}) {
    return this.requestAll([[members, texts]])[0];
  }

  /** The same for several at once, in one message: a list of [members, texts] gives a list of promises. */
  requestAll(requests) {
    const lines = [];
    const ends = requests.map(([members, texts]) => this.#prepare(members, texts, lines));
    if (lines.length) this.#socket.send(lines.join('\n'));
    return ends;
  }

  #prepare(members, texts, lines) {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const end = (answer, refusal) => {
        this.answered.tell(members, answer, refusal, performance.now() - started);
        if (refusal) reject(refusal);
        else resolve(answer);
      };
      if (this.state !== 'live') {
        end(null, new Refusal({ reason: 'not_connected', message: 'There is no connection to the gateway.' }));
        return;
      }
      const ref = (this.#lastRef += 1);
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        end(null, new Refusal({ reason: 'no_answer', message: 'The gateway has not answered.' }));
      }, ANSWER_MS);
      this.#pending.set(ref, (answer, refusal) => {
        clearTimeout(timer);
        this.#pending.delete(ref);
        end(answer, refusal);
      });
      let text = JSON.stringify({ ...members, ref });
      for (const [name, value] of Object.entries(texts)) {
        text = `${text.slice(0, -1)},${JSON.stringify(name)}:${value}}`;
      }
      lines.push(text);
    });
  }

  #hear(text) {
    this.#heardAt = performance.now();
    if (typeof text !== 'string') return;
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    if (message.op === 'welcome') {
      this.#welcome(message);
      return;
    }
    if (message.op === 'goodbye') this.#goodbye = message;
    const end = message.op === 'ok' || message.op === 'error' ? this.#pending.get(message.ref) : undefined;
    if (end) end(...(message.op === 'ok' ? [message, null] : [null, new Refusal(message)]));
    else this.received.tell(message, text);
  }

  #welcome({ session = '', limits = {}, ping_ms: pingMs = PING_MS }) {
    clearTimeout(this.#timer);
    this.#backoff.reset();
    this.#watch(Math.max(1000, pingMs));
    this.#become('live', { session, limits });
  }

  // Browsers cannot see WebSocket pings; a half-open connection would look alive for ever. So when nothing was heard
  // for a while we ask, and when that too stays unanswered the connection is given up.
  #watch(pingMs) {
    this.#timer = setTimeout(() => {
      const silent = performance.now() - this.#heardAt;
      if (silent >= pingMs * 0.9) {
        const socket = this.#socket;
        this.request({ op: 'ping' }).catch((refusal) => {
          if (refusal.reason === 'no_answer' && socket === this.#socket) this.#abandon();
        });
      }
      this.#watch(pingMs);
    }, pingMs);
  }

  #abandon() {
    const socket = this.#socket;
    if (!socket) return;
    // The close handshake with a dead peer takes a long time; nobody waits for it.
    this.#drop();
    socket.close();
    this.#lose(4408, '');
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
    const reached = this.state === 'live';
    clearTimeout(this.#timer);
    this.#drop();
    this.#failAll();
    const reason = closeWords(code, this.#goodbye?.reason || text, reached);
    if (FINAL_CLOSES.has(code)) {
      this.#become('stopped', { reason });
      return;
    }
    const told = this.#goodbye?.reconnect_ms;
    const wait = Number.isFinite(told) && told >= 0 ? told : this.#backoff.nextMs();
    this.#timer = setTimeout(() => this.open(), wait);
    this.#become('waiting', { reason, until: Date.now() + wait });
  }

  #failAll() {
    const refusal = { reason: 'connection_lost', message: 'The connection was lost before an answer came.' };
    for (const end of [...this.#pending.values()]) end(null, new Refusal(refusal));
  }

  #become(state, { reason = '', until = 0, session = '', limits = {} } = {}) {
    Object.assign(this, { state, reason, until, session, limits });
    this.changed.tell();
  }
}
