// View of the events: the live list, newest first, with pause, clear and filter.

import { byId, element, setText } from './dom.js';
import { Draft } from './draft.js';
import { framed } from './frame.js';
import { clockWords } from './moment.js';
import { VirtualList } from './virtual-list.js';
import { number, plural } from './words.js';

const PREVIEW_CHARACTERS = 400;
const ANNOUNCE_MS = 10000;
const KINDS = { gap: 'Gap', break: 'Break', mark: 'Note' };
const FORM_TAGS = { text: 'text', base64: 'binary' };

/** The shown ring, seen from its newest end. */
function newestFirst(events) {
  return {
    get length() {
      return events.shown.length;
    },
    at(position) {
      return events.shown.at(events.shown.length - 1 - position);
    },
    positionOf(seq) {
      let low = 0;
      let high = events.shown.length - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const found = this.at(middle).seq;
        if (found === seq) return middle;
        if (found > seq) low = middle + 1;
        else high = middle - 1;
      }
      return -1;
    },
  };
}

function makeRow() {
  return element(
    'div',
    { class: 'row' },
    element('span', { class: 'row-time' }, '00:00:00.000'),
    element('bdi', { class: 'row-topic' }),
    element('span', { class: 'row-text' }),
  );
}

function drawRow(row, item) {
  const [time, topic, text] = row.children;
  row.dataset.kind = item.kind;
  time.textContent = clockWords(item.time);
  if (item.kind !== 'event') {
    topic.textContent = KINDS[item.kind];
    text.textContent = item.advice ? `${item.words} ${item.advice}` : item.words;
    return;
  }
  topic.textContent = item.topic;
  const tag = FORM_TAGS[item.form];
  if (tag) text.append(element('span', { class: 'tag' }, tag), ' ');
  text.append(item.raw.slice(0, PREVIEW_CHARACTERS));
}

const MARKS = new Map([
  [true, ['✓', 'Passes the filter being typed:']],
  [false, ['✗', 'Does not pass the filter being typed:']],
]);

/** `result`: what a trial made of it; undefined for rows that were not tried. */
function markRow(row, result) {
  const text = row.lastElementChild;
  text.querySelector('.row-mark')?.remove();
  delete row.dataset.passes;
  if (!result) return;
  const { passes, decided } = result;
  const [sign, words] = MARKS.get(passes);
  row.dataset.passes = passes;
  text.prepend(
    element('span', { class: 'row-mark', title: decided ? `${words} ${decided}` : false }, element('span', { 'aria-hidden': 'true' }, sign), element('span', { class: 'unseen' }, `${words} `)),
  );
}

/** A topic that the pattern would match, quoted for the shell; `any` where the pattern matches everything. */
function exampleTopic(pattern, any) {
  const topic = pattern === '**' ? any : pattern.replace(/\*\*$/, 'one.two').replaceAll('*', 'one');
  if (/^[\w.:/-]+$/.test(topic)) return topic;
  return `'${topic.replaceAll("'", "'\\''")}'`;
}

export function viewEvents({ events, subscriptions, trial, inspector, announce }) {
  const source = newestFirst(events);
  const rows = byId('event-rows');
  const list = new VirtualList({
    viewport: byId('event-list'),
    body: rows,
    source,
    makeRow,
    drawRow: (row, item) => {
      drawRow(row, item);
      markRow(row, trial.results.get(item.seq));
    },
  });
  const pause = byId('pause');
  const newer = byId('newer');
  const form = byId('filter-form');
  const { filter } = form.elements;

  function drawStatus() {
    const { shown, kept, needle, dropped, waiting, paused } = events;
    const parts = [];
    if (needle) parts.push(`${number(shown.length)} of ${number(kept)} match`);
    else if (dropped) parts.push(`Keeping the newest ${number(kept)}`);
    else parts.push(kept ? plural(kept, 'row') : 'Nothing in the list');
    if (dropped) parts.push(`${number(dropped)} older dropped`);
    setText(byId('events-status'), parts.join(' · '));
    setText(pause, paused ? `Resume${waiting ? ` (${number(waiting)} waiting)` : ''}` : 'Pause');
    byId('events').classList.toggle('is-paused', paused);
    byId('clear').disabled = !kept && !waiting;
  }

  function drawNewer() {
    newer.hidden = list.atTop || !source.length;
    if (!newer.hidden) setText(newer, `↑ ${number(list.above)} newer`);
  }

  function drawEmpty() {
    const empty = source.length === 0;
    byId('events-empty').hidden = !empty;
    byId('event-list').hidden = empty;
    if (!empty) return;
    const filtered = Boolean(events.needle) && events.kept > 0;
    const first = subscriptions.list[0]?.topic;
    byId('empty-filtered').hidden = !filtered;
    byId('empty-start').hidden = filtered || Boolean(first);
    byId('empty-waiting').hidden = filtered || !first;
    byId('empty-try').hidden = filtered;
    setText(byId('empty-topic'), first ?? '');
    setText(byId('try-stream-title'), first ? 'If it is a stream' : 'A stream: subscribe to events.*');
    setText(byId('try-channel-title'), first ? 'If it is a channel' : 'A channel: subscribe to prices.*');
    setText(byId('try-xadd'), `redis-cli XADD ${exampleTopic(first ?? 'events.orders', 'events.orders')} '*' event '{"n":1}'`);
    setText(byId('try-publish'), `redis-cli PUBLISH ${exampleTopic(first ?? 'prices.BTC', 'prices.BTC')} '{"n":1}'`);
  }

  function drawAll() {
    drawEmpty();
    list.draw();
    drawStatus();
    drawNewer();
  }

  const draw = framed(drawAll);

  // Screen readers are told in sums, not event by event.
  let toldTotal = 0;
  setInterval(() => {
    const news = events.total - toldTotal;
    toldTotal = events.total;
    const latest = source.at(0);
    if (news > 0 && latest && !events.paused) announce(`${plural(news, 'new event')}. The latest is on ${latest.topic || 'the list'}.`);
  }, ANNOUNCE_MS);

  events.changed.hear(draw);
  trial.changed.hear(() => {
    for (const row of rows.querySelectorAll('[data-seq]')) markRow(row, trial.results.get(Number(row.dataset.seq)));
  });
  subscriptions.changed.hear(draw);
  list.onScroll = drawNewer;
  list.onSelect = (item, byKeyboard) => inspector.show(item, byKeyboard);
  list.onOpen = () => inspector.focus();
  inspector.closed.hear(() => {
    list.select(0);
    byId('event-list').focus({ preventScroll: true });
  });
  newer.addEventListener('click', () => {
    list.toTop();
    byId('event-list').focus({ preventScroll: true });
  });
  pause.addEventListener('click', () => {
    if (events.paused) events.resume();
    else events.pause();
    announce(events.paused ? 'Paused. New events wait.' : 'Resumed.');
  });
  byId('clear').addEventListener('click', () => {
    events.clear();
    list.reset();
    inspector.show(null);
    list.selected = 0;
    announce('The list is empty.');
  });
  byId('filter-clear').addEventListener('click', () => {
    filter.value = '';
    filter.dispatchEvent(new Event('input', { bubbles: true }));
    filter.focus();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  filter.addEventListener('input', () => {
    events.filter(filter.value);
    list.reset();
  });
  new Draft('headgate.filter', form).restore();
  if (filter.value) events.filter(filter.value);
  drawAll();
}
