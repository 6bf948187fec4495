// Composition: makes everything, connects it, decides nothing.

import { addressRead, addressWrite } from './address.js';
import { announce } from './announcer.js';
import { Answers } from './answers.js';
import { Comeback } from './comeback.js';
import { Connection, Refusal } from './connection.js';
import { Emitter } from './emitter.js';
import { Events, Item } from './events.js';
import { speedWords } from './from.js';
import { momentWords } from './moment.js';
import { Rate } from './rate.js';
import { Subscriptions } from './subscriptions.js';
import { Trial } from './trial.js';
import { viewAnswers } from './view-answers.js';
import { viewConnection } from './view-connection.js';
import { viewEmitter } from './view-emitter.js';
import { viewEvents } from './view-events.js';
import { viewFlow } from './view-flow.js';
import { viewInspector } from './view-inspector.js';
import { viewSubscribe } from './view-subscribe.js';
import { viewSubscriptions } from './view-subscriptions.js';

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

const connection = new Connection(socketUrl());
const subscriptions = new Subscriptions(connection);
const comeback = new Comeback(connection, subscriptions);
const events = new Events();
const emitter = new Emitter(connection);
const answers = new Answers(connection);
const trial = new Trial(connection, events);
const rate = new Rate(90);

const hear = {
  event(message, text) {
    const now = Date.now();
    rate.add(now);
    comeback.open();
    subscriptions.count(message);
    events.add(new Item(message, text, now));
  },
  gap(message, text) {
    const item = new Item(message, text, Date.now());
    comeback.open();
    subscriptions.miss(message);
    events.add(item);
    announce(`${item.words} ${item.advice}`);
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

/** A line of the page's own in the list; `quiet` ones ask for no attention. */
function note(words, quiet = true) {
  events.add(new Item({ op: quiet ? 'mark' : 'break', words }, words, Date.now()));
}

comeback.told.hear((words, quiet) => {
  note(words, quiet);
  announce(words);
});
subscriptions.replayed.hear(({ topic, playback }, turn) => {
  const words = turn === 'sought' ? `${topic} goes on from ${momentWords(playback.at)}, at ${speedWords(playback.speed)}.` : `The replay of ${topic} has met the present.`;
  comeback.open();
  note(words);
  announce(words);
});

const inspector = viewInspector({ subscriptions, announce });
viewConnection({ connection, announce });
viewFlow({ connection, events, subscriptions, rate });
viewSubscribe({ subscriptions, trial });
viewSubscriptions({ subscriptions, connection, trial, announce });
viewEvents({ events, subscriptions, trial, inspector, announce });
viewEmitter({ emitter, connection, announce });
viewAnswers({ answers });

for (const wanted of addressRead(location.search)) subscriptions.add(wanted);
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
