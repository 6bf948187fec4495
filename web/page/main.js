// Composition: makes everything, connects it, decides nothing.

import { addressRead, addressWrite } from './address.js';
import { announce } from './announcer.js';
import { Answers } from './answers.js';
import { Connection, Refusal } from './connection.js';
import { Emitter } from './emitter.js';
import { Events, Item } from './events.js';
import { Rate } from './rate.js';
import { Subscriptions } from './subscriptions.js';
import { Trial } from './trial.js';
import { viewAnswers } from './view-answers.js';
import { viewConnection } from './view-connection.js';
import { viewEmitter } from './view-emitter.js';
import { viewEvents } from './view-events.js';
import { viewFlow } from './view-flow.js';
import { viewInspector } from './view-inspector.js';
import { viewSubscriptions } from './view-subscriptions.js';
import { plural } from './words.js';

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

const connection = new Connection(socketUrl());
const subscriptions = new Subscriptions(connection);
const events = new Events();
const emitter = new Emitter(connection);
const answers = new Answers(connection);
const trial = new Trial(connection, events);
const rate = new Rate(90);

const hear = {
  event(message, text) {
    const now = Date.now();
    rate.add(now);
    subscriptions.count(message);
    events.add(new Item(message, text, now));
  },
  gap(message, text) {
    const item = new Item(message, text, Date.now());
    events.add(item);
    announce(item.words);
  },
  conflated({ sub, count }) {
    subscriptions.leaveOut(sub, count);
  },
  caught_up({ sub }) {
    subscriptions.arrive(sub);
  },
  stale({ sub }) {
    subscriptions.prove(sub, false);
  },
  live({ sub }) {
    subscriptions.prove(sub, true);
  },
  error(message) {
    answers.stray(new Refusal(message));
  },
};

connection.received.hear((message, text) => {
  if (Object.hasOwn(hear, message.op)) hear[message.op](message, text);
});

// The list says where the connection broke. Streams go on where they were; what passed on a channel nobody knows.
let lostAt = 0;
connection.changed.hear(() => {
  if (connection.state === 'waiting' && !lostAt) lostAt = Date.now();
  if (connection.state !== 'live' || !lostAt) return;
  const seconds = Math.max(1, Math.round((Date.now() - lostAt) / 1000));
  lostAt = 0;
  if (!events.total && !events.gaps) return;
  const words = `This page was not connected for ${seconds} s. Streams go on where they were; what channels carried meanwhile is not shown.`;
  events.add(new Item({ op: 'break', words }, words, Date.now()));
});
subscriptions.resumed.hear(({ topic }, count) => {
  if (count === 0) return;
  const words = `${topic} has caught up with ${plural(count, 'event')} from that time.`;
  events.add(new Item({ op: 'break', words }, words, Date.now()));
  announce(words);
});

const inspector = viewInspector({ subscriptions, announce });
viewConnection({ connection, announce });
viewFlow({ connection, events, subscriptions, rate });
viewSubscriptions({ subscriptions, connection, trial, announce });
viewEvents({ events, subscriptions, trial, inspector, announce });
viewEmitter({ emitter, connection, announce });
viewAnswers({ answers });

for (const { topic, from, filter } of addressRead(location.search)) subscriptions.add(topic, from, filter);
let written = location.search.slice(1);
subscriptions.changed.hear(() => {
  const query = addressWrite(
    location.search,
    subscriptions.list.filter((s) => !s.leaving),
  );
  if (query === written) return;
  written = query;
  history.replaceState(null, '', query ? `?${query}` : location.pathname);
});

connection.open();
addEventListener('online', () => {
  if (connection.state === 'waiting') connection.open();
});
// A page that rests in the browser's back-forward cache must hold no socket.
addEventListener('pagehide', () => connection.close());
addEventListener('pageshow', (event) => {
  if (event.persisted) connection.open();
});
