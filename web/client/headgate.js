// Headgate in a browser: events out of Redis, and events into it, each once.
//
//   import { connect } from '/client/headgate.js';
//   const gate = connect();
//   gate.subscribe('orders.*', { onEvent: ({ topic, event }) => show(topic, event) });
//   await gate.emit('carts', { type: 'Added', sku: 'A-1' });
//
// web/docs/client.md tells the rest.

import { call } from './call.js';
import { Connection } from './connection.js';
import { HeadgateError } from './error.js';
import { Outbox } from './outbox.js';
import { Subscriptions } from './subscriptions.js';

export { HeadgateError };

/** What the application sees of the outbox. */
function view(outbox) {
  return Object.freeze({
    get size() {
      return outbox.size;
    },
    get bytes() {
      return outbox.bytes;
    },
    get persistent() {
      return outbox.persistent;
    },
    ready: outbox.ready,
    list: () => outbox.list(),
    resend: (id) => outbox.resend(id),
    discard: (id) => outbox.discard(id),
  });
}

class Gate {
  /** Emits that wait for their answers. */
  outbox;

  #connection;
  #subscriptions;
  #outbox;

  constructor(url, options) {
    const { name = url, onState, onMessage } = options;
    let told = 'connecting';
    this.#connection = new Connection(url, {
      changed: () => {
        const { state, reason, until } = this.#connection;
        this.#subscriptions.follow();
        this.#outbox.follow();
        if (state !== told) {
          told = state;
          call(onState, state, { reason, until });
        }
      },
      received: (message, text) => {
        call(onMessage, message, text);
        this.#subscriptions.hear(message, text);
      },
    });
    this.#subscriptions = new Subscriptions(this.#connection);
    this.#outbox = new Outbox(`headgate ${name}`, this.#connection, options);
    this.outbox = view(this.#outbox);
    this.#connection.open();
  }

  /** connecting, live, waiting, stopped, closed */
  get state() {
    return this.#connection.state;
  }

  /** What the gateway said in its welcome, {} while there is no connection. */
  get limits() {
    return this.#connection.limits;
  }

  /** Stores the event and sends it until it is answered. Resolves with {cursor, duplicate}, rejects with a HeadgateError. */
  emit(topic, event, options) {
    return this.#outbox.emit(topic, event, options);
  }

  subscribe(topic, options = {}) {
    return this.#subscriptions.add(topic, options);
  }

  /** Tries at once, instead of waiting; also after the gateway has refused this client. */
  reconnect() {
    this.#connection.open();
  }

  /** Ends it all. Resolves when what is unanswered stands in the outbox for the next page. */
  close() {
    this.#subscriptions.close();
    const kept = this.#outbox.close();
    this.#connection.close();
    return kept;
  }
}

/** `url`: of the gateway's WebSocket, absolute or as seen from the page; without one, that of the gateway which served this file. */
export function connect(url, options = {}) {
  const address = url === undefined ? new URL('../ws', import.meta.url) : new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  address.protocol = address.protocol.replace(/^http/, 'ws');
  return new Gate(address.href, options);
}
