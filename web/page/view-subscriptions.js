// View of the subscriptions: the form that makes one and the list of those there are.

import { LAST_MAX } from './address.js';
import { byId, element, setText } from './dom.js';
import { Draft } from './draft.js';
import { framed } from './frame.js';
import { refusalView } from './view-refusal.js';
import { fromWords, plural, refusalWords } from './words.js';

const STATES = { pending: 'Pending', live: 'Live', stale: 'Stale', error: 'Refused' };
const STATE_HINTS = {
  pending: 'Waiting for the gateway to confirm.',
  live: 'Confirmed; events arrive as they are published.',
  stale: 'The gateway cannot prove at the moment that its source in Redis is alive.',
  error: 'The gateway refused it.',
};
const TOPIC_BYTES_MAX = 255;

export function topicFault(topic, what) {
  if (!topic) return `Type a ${what}.`;
  const bytes = new TextEncoder().encode(topic).length;
  if (bytes > TOPIC_BYTES_MAX) return `A ${what} has at most ${TOPIC_BYTES_MAX} bytes; this one has ${bytes}.`;
  return '';
}

export function viewSubscriptions({ subscriptions, connection, announce }) {
  const form = byId('subscribe-form');
  const fault = byId('subscribe-fault');
  const { topic, from, last } = form.elements;
  const list = byId('subscriptions');
  const rows = new Map();

  new Draft('headgate.subscribe', form).restore();

  function drawFrom() {
    last.disabled = from.value !== 'last';
  }

  function complain(sentence) {
    setText(fault, sentence);
    topic.setAttribute('aria-invalid', sentence ? 'true' : 'false');
  }

  form.addEventListener('input', () => complain(''));
  form.addEventListener('change', drawFrom);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = topic.value.trim();
    const sentence =
      topicFault(name, 'topic or pattern') ||
      (subscriptions.find(name) ? `${name} is subscribed already. Unsubscribe it to start elsewhere.` : '');
    complain(sentence);
    if (sentence) {
      topic.focus();
      return;
    }
    const count = Math.min(LAST_MAX, Math.max(1, Math.round(Number(last.value)) || 50));
    last.value = count;
    subscriptions.add(name, from.value === 'last' ? { last: count } : from.value);
    topic.select();
  });

  function makeRow(subscription) {
    const name = element('bdi', { class: 'sub-topic' }, subscription.topic);
    const state = element('span', { class: 'sub-state' });
    const facts = element('span', { class: 'sub-facts' });
    const retry = element('button', { type: 'button', class: 'quiet', 'aria-label': `Try ${subscription.topic} again` }, 'Try again');
    const remove = element('button', { type: 'button', class: 'quiet' });
    const trouble = element('div', { class: 'sub-trouble' });
    retry.addEventListener('click', () => subscriptions.retry(subscription));
    remove.addEventListener('click', async () => {
      const next = rows.get(subscription)?.node.nextElementSibling ?? rows.get(subscription)?.node.previousElementSibling;
      await subscriptions.remove(subscription);
      if (subscriptions.list.includes(subscription)) return;
      announce(`Unsubscribed ${subscription.topic}.`);
      // The button is gone; the keyboard goes on at a neighbour, else at the form.
      (next?.querySelector('button:last-of-type') ?? topic).focus();
    });
    const node = element(
      'li',
      { class: 'sub' },
      element('div', { class: 'sub-line' }, name, state),
      element('div', { class: 'sub-line' }, facts, element('span', { class: 'sub-actions' }, retry, remove)),
      trouble,
    );
    return { node, state, facts, retry, remove, trouble, shownRefusal: null };
  }

  function drawRow(row, subscription) {
    const state = subscription.leaving ? 'pending' : subscription.state;
    row.node.dataset.state = state;
    setText(row.state, subscription.leaving ? 'Leaving' : STATES[state]);
    row.state.title = subscription.leaving ? '' : STATE_HINTS[state];
    const sub = subscription.sub === null ? [] : [`sub ${subscription.sub}`];
    setText(row.facts, [plural(subscription.events, 'event'), fromWords(subscription.from), ...sub].join(' · '));
    const verb = state === 'error' ? 'Remove' : 'Unsubscribe';
    setText(row.remove, verb);
    row.remove.setAttribute('aria-label', `${verb} ${subscription.topic}`);
    row.retry.hidden = state !== 'error';
    row.remove.disabled = subscription.leaving;
    if (row.shownRefusal !== subscription.refusal) {
      row.shownRefusal = subscription.refusal;
      const more = subscription.retryAt ? 'It is tried again by itself.' : '';
      row.trouble.replaceChildren(...(subscription.refusal ? [refusalView(subscription.refusal, more)] : []));
    }
  }

  const draw = framed(() => {
    for (const [subscription, row] of rows) {
      if (subscriptions.list.includes(subscription)) continue;
      row.node.remove();
      rows.delete(subscription);
    }
    for (const subscription of subscriptions.list) {
      if (!rows.has(subscription)) {
        const row = makeRow(subscription);
        rows.set(subscription, row);
        list.append(row.node);
      }
      drawRow(rows.get(subscription), subscription);
    }
    byId('subscriptions-empty').hidden = subscriptions.list.length > 0;
  });

  subscriptions.changed.hear(draw);
  subscriptions.turned.hear((subscription) => {
    if (subscription.state === 'live') announce(`Subscribed to ${subscription.topic}.`);
    if (subscription.state === 'stale') announce(`${subscription.topic} is stale: its source is not proven alive.`);
    if (subscription.state === 'error') {
      const { label, sentence } = refusalWords(subscription.refusal);
      announce(`${subscription.topic} was refused: ${sentence} ${label}`);
    }
  });
  connection.changed.hear(draw);
  drawFrom();
  draw();
}
