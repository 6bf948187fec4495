// View of one event: its JSON as received or indented, and the facts of its delivery.

import { byId, copyButton, element, setText } from './dom.js';
import { JsonTextError, indented } from './json-text.js';
import { clockWords } from './moment.js';
import { Signal } from './signal.js';
import { bytesWords } from './words.js';

// Above this every token as an element of its own would cost more than colours are worth.
const COLOURED_CHARACTERS_MAX = 100000;
const COLOURED = new Set(['key', 'string', 'number', 'word']);

function bytesOf(item) {
  if (item.form !== 'base64') return new TextEncoder().encode(item.raw).length;
  return Math.floor((item.raw.replace(/=+$/, '').length * 3) / 4);
}

function fill(code, item, indent) {
  code.replaceChildren();
  if (!indent || item.form === 'text' || item.form === 'base64') {
    code.textContent = item.raw;
    return;
  }
  let parts;
  try {
    parts = indented(item.raw);
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    code.textContent = item.raw;
    return;
  }
  if (item.raw.length > COLOURED_CHARACTERS_MAX) {
    code.textContent = parts.map(([, text]) => text).join('');
    return;
  }
  const nodes = parts.map(([kind, text]) => (COLOURED.has(kind) ? element('span', { class: `json-${kind}` }, text) : text));
  code.append(...nodes);
}

export function viewInspector({ subscriptions, announce }) {
  const panel = byId('inspector');
  const asReceived = byId('as-received');
  const code = byId('inspector-code');
  const closed = new Signal();
  let shown = null;

  const facts = {
    cursor: byId('fact-cursor'),
    sub: byId('fact-sub'),
    time: byId('fact-time'),
    size: byId('fact-size'),
  };

  function fact(name, text) {
    facts[name].parentElement.hidden = !text;
    setText(facts[name], text ?? '');
  }

  function subWords(item) {
    if (item.sub === undefined) return '';
    const subscription = subscriptions.bySub(item.sub);
    return subscription ? `${item.sub}, ${subscription.topic}` : `${item.sub}`;
  }

  function show(item) {
    shown = item;
    panel.hidden = !item;
    if (!item) return;
    const isEvent = item.kind === 'event';
    setText(byId('inspector-title'), isEvent ? item.topic : item.kind === 'gap' ? `Gap on ${item.topic}` : 'The connection');
    setText(byId('inspector-words'), isEvent ? '' : item.words);
    setText(byId('inspector-advice'), item.advice);
    fact('cursor', item.cursor ?? (isEvent ? 'none, it came over a channel' : ''));
    fact('sub', subWords(item));
    fact('time', `${new Date(item.time).toLocaleDateString('en-CA')} ${clockWords(item.time)}`);
    const kind = { event: 'JSON', text: 'text that is not JSON', base64: 'binary, as base64' }[item.form];
    fact('size', isEvent ? `${bytesWords(bytesOf(item))} · ${kind ?? 'empty'}` : '');
    const readable = isEvent || item.kind === 'gap';
    byId('inspector-json').hidden = !readable;
    byId('inspector-copy').hidden = !readable;
    asReceived.parentElement.hidden = !readable || (isEvent && item.form !== 'event');
    if (readable) fill(code, item, !asReceived.checked);
    byId('inspector-json').scrollTop = 0;
  }

  function close() {
    show(null);
    closed.tell();
  }

  asReceived.addEventListener('change', () => show(shown));
  byId('inspector-close').addEventListener('click', close);
  panel.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });
  byId('event-list').addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && shown) close();
  });
  copyButton(byId('inspector-copy'), () => code.textContent, announce);
  return { show, closed, focus: () => byId('inspector-title').focus() };
}
