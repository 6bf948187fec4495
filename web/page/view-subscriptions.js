// View of the subscriptions: the form that makes one and the list of those there are.

import { LAST_MAX } from './address.js';
import { byId, element, setText } from './dom.js';
import { Draft } from './draft.js';
import { framed } from './frame.js';
import { FilterField, filterFaultViews } from './view-filter.js';
import { refusalView } from './view-refusal.js';
import { fromWords, number, plural, refusalWords } from './words.js';

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

/** How one names it to a person: two may have the same topic. */
function nameOf({ topic, filter }) {
  return filter ? `${topic} where ${filter}` : topic;
}

export function viewSubscriptions({ subscriptions, connection, trial, announce }) {
  const form = byId('subscribe-form');
  const fault = byId('subscribe-fault');
  const { topic, from, last } = form.elements;
  const list = byId('subscriptions');
  const rows = new Map();

  const filter = new FilterField({ id: 'subscribe-filter', label: 'Filter, if any', name: 'filter', trial, topic: () => topic.value.trim() });
  byId('subscribe-filter-place').replaceWith(filter.node);
  // What the form asked for last, until the gateway has answered.
  let sent = null;

  new Draft('headgate.subscribe', form).restore();

  function drawFrom() {
    last.disabled = from.value !== 'last';
  }

  function complain(sentence) {
    setText(fault, sentence);
    topic.setAttribute('aria-invalid', sentence ? 'true' : 'false');
  }

  form.addEventListener('input', () => complain(''));
  topic.addEventListener('input', () => filter.text && filter.ask());
  filter.input.addEventListener('focus', () => filter.text && filter.ask());
  form.addEventListener('change', drawFrom);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = topic.value.trim();
    const sentence =
      topicFault(name, 'topic or pattern') ||
      (subscriptions.find(name, filter.text)
        ? `${name} is subscribed already${filter.text ? ' with this filter' : ''}. Unsubscribe it to start elsewhere.`
        : '');
    complain(sentence);
    if (sentence) {
      topic.focus();
      return;
    }
    if (!filter.check()) {
      filter.focus();
      return;
    }
    filter.end();
    const count = Math.min(LAST_MAX, Math.max(1, Math.round(Number(last.value)) || 50));
    last.value = count;
    sent = subscriptions.add(name, from.value === 'last' ? { last: count } : from.value, filter.text);
    topic.select();
  });

  // A filter that the form has just sent and the gateway does not understand is mended where it was typed.
  function mend(subscription) {
    if (subscription !== sent || subscription.state === 'pending') return;
    sent = null;
    if (subscription.state !== 'error' || subscription.refusal.code !== 120 || subscription.filter !== filter.text) return;
    filter.refuse(subscription.refusal);
    if (form.contains(document.activeElement) || document.activeElement === document.body) filter.focus(subscription.refusal);
    subscriptions.remove(subscription);
  }

  // The form in which one subscription is given another filter; made when it is opened, gone when it is closed.
  let editors = 0;
  function openEditor(row, subscription) {
    const id = `filter-${(editors += 1)}`;
    const field = new FilterField({ id, label: `Filter of ${subscription.topic}`, name: 'filter', trial, topic: () => subscription.topic });
    const apply = element('button', { type: 'submit', class: 'main' }, 'Apply');
    const cancel = element('button', { type: 'button' }, 'Cancel');
    const editor = element('form', { class: 'sub-editor', novalidate: true, autocomplete: 'off' }, field.node, element('div', { class: 'buttons' }, apply, cancel));
    const close = () => {
      field.end();
      editor.remove();
      row.editor = null;
      row.change.setAttribute('aria-expanded', 'false');
      row.change.focus();
    };
    field.input.value = subscription.filter;
    field.ask();
    cancel.addEventListener('click', close);
    editor.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
    });
    editor.addEventListener('submit', async (event) => {
      event.preventDefault();
      const { text } = field;
      const twin = subscriptions.find(subscription.topic, text);
      if (text === subscription.filter && subscription.state !== 'error') {
        close();
        return;
      }
      if (!field.check()) {
        field.focus();
        return;
      }
      apply.disabled = true;
      try {
        await subscriptions.update(subscription, text);
        close();
        if (!twin || twin === subscription) announce(text ? `${subscription.topic} has another filter.` : `${subscription.topic} has no filter now.`);
        if (subscription.hint) announce(subscription.hint);
      } catch (refusal) {
        field.refuse(refusal);
        field.focus(refusal);
      }
      apply.disabled = false;
    });
    row.editor = { close };
    row.change.setAttribute('aria-expanded', 'true');
    row.node.append(editor);
    field.focus();
    field.input.select();
  }

  function makeRow(subscription) {
    const name = element('bdi', { class: 'sub-topic' }, subscription.topic);
    const state = element('span', { class: 'sub-state' });
    const facts = element('span', { class: 'sub-facts' });
    const condition = element('span', { class: 'sub-filter' });
    const change = element('button', { type: 'button', class: 'quiet', 'aria-expanded': 'false' });
    const hint = element('p', { class: 'hint advice' });
    const retry = element('button', { type: 'button', class: 'quiet', 'aria-label': `Try ${subscription.topic} again` }, 'Try again');
    const remove = element('button', { type: 'button', class: 'quiet sub-remove' });
    const trouble = element('div', { class: 'sub-trouble' });
    change.addEventListener('click', () => (row.editor ? row.editor.close() : openEditor(row, subscription)));
    retry.addEventListener('click', () => subscriptions.retry(subscription));
    remove.addEventListener('click', async () => {
      const next = rows.get(subscription)?.node.nextElementSibling ?? rows.get(subscription)?.node.previousElementSibling;
      await subscriptions.remove(subscription);
      if (subscriptions.list.includes(subscription)) return;
      announce(`Unsubscribed ${nameOf(subscription)}.`);
      // The button is gone; the keyboard goes on at a neighbour, else at the form.
      (next?.querySelector('.sub-remove') ?? topic).focus();
    });
    const node = element(
      'li',
      { class: 'sub' },
      element('div', { class: 'sub-line' }, name, state),
      element('div', { class: 'sub-line' }, condition, element('span', { class: 'sub-actions' }, change)),
      element('div', { class: 'sub-line' }, facts, element('span', { class: 'sub-actions' }, retry, remove)),
      hint,
      trouble,
    );
    const row = { node, state, condition, change, hint, facts, retry, remove, trouble, shownRefusal: null, editor: null };
    return row;
  }

  function drawRow(row, subscription) {
    const state = subscription.leaving ? 'pending' : subscription.state;
    row.node.dataset.state = state;
    setText(row.state, subscription.leaving ? 'Leaving' : STATES[state]);
    row.state.title = subscription.leaving ? '' : STATE_HINTS[state];
    const sub = subscription.sub === null ? [] : [`sub ${subscription.sub}`];
    const leftOut = subscription.conflated ? [`${number(subscription.conflated)} left out`] : [];
    setText(row.facts, [plural(subscription.events, 'event'), ...leftOut, fromWords(subscription.from), ...sub].join(' · '));
    const verb = state === 'error' ? 'Remove' : 'Unsubscribe';
    setText(row.remove, verb);
    row.remove.setAttribute('aria-label', `${verb} ${nameOf(subscription)}`);
    row.retry.setAttribute('aria-label', `Try ${nameOf(subscription)} again`);
    setText(row.condition, subscription.filter || 'every event');
    row.condition.classList.toggle('is-code', Boolean(subscription.filter));
    setText(row.change, subscription.filter ? 'Change' : 'Filter');
    row.change.setAttribute('aria-label', `${subscription.filter ? 'Change the filter of' : 'Filter'} ${nameOf(subscription)}`);
    row.change.disabled = subscription.leaving || subscription.asking;
    setText(row.hint, subscription.hint);
    row.retry.hidden = state !== 'error';
    row.remove.disabled = subscription.leaving;
    if (row.shownRefusal !== subscription.refusal) {
      row.shownRefusal = subscription.refusal;
      const more = subscription.retryAt ? 'It is tried again by itself.' : '';
      row.trouble.replaceChildren(...(subscription.refusal ? [refusalView(subscription.refusal, more)] : []));
      // Where in the filter it is; the sentence stands above.
      if (subscription.refusal?.code === 120) row.trouble.append(...filterFaultViews(subscription.filter, subscription.refusal).slice(1));
    }
  }

  const draw = framed(() => {
    for (const [subscription, row] of rows) {
      if (subscriptions.list.includes(subscription)) continue;
      row.editor?.close();
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
  subscriptions.merged.hear((subscription, twin) => {
    announce(`${nameOf(subscription)} means the same as ${nameOf(twin)}, which is subscribed already.`);
    if (subscription === sent) sent = null;
  });
  subscriptions.turned.hear(mend);
  subscriptions.turned.hear((subscription) => {
    if (subscription.state === 'live') announce(`Subscribed to ${nameOf(subscription)}. ${subscription.hint}`.trim());
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
