// View of the subscriptions: the list of those there are, each with its state, its numbers and what can be done with it.

import { byId, element, setText } from './dom.js';
import { framed } from './frame.js';
import { fromWords } from './from.js';
import { momentWords } from './moment.js';
import { thinningWords } from './thinning.js';
import { FilterField, filterFaultViews } from './view-filter.js';
import { playbackView } from './view-playback.js';
import { refusalView } from './view-refusal.js';
import { number, plural, refusalWords } from './words.js';

const STATES = { pending: 'Pending', live: 'Live', stale: 'Stale', error: 'Refused' };
const STATE_HINTS = {
  pending: 'Waiting for the gateway to confirm.',
  live: 'Confirmed; events arrive as they are published.',
  stale: 'The gateway cannot prove at the moment that its source in Redis is alive.',
  error: 'The gateway refused it.',
};

/** How one names it to a person: two may have the same topic. */
function nameOf({ topic, filter, thinning }) {
  return [topic, filter && `where ${filter}`, thinning && `(${thinningWords(thinning)})`].filter(Boolean).join(' ');
}

export function viewSubscriptions({ subscriptions, connection, trial, announce }) {
  const list = byId('subscriptions');
  const rows = new Map();

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
      const twin = subscriptions.find({ ...subscription, filter: text });
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
    const proof = element('p', { class: 'sub-proof' });
    const trouble = element('div', { class: 'sub-trouble' });
    const playback = playbackView({ subscriptions, subscription, announce });
    change.addEventListener('click', () => (row.editor ? row.editor.close() : openEditor(row, subscription)));
    retry.addEventListener('click', () => subscriptions.retry(subscription));
    remove.addEventListener('click', async () => {
      const next = rows.get(subscription)?.node.nextElementSibling ?? rows.get(subscription)?.node.previousElementSibling;
      await subscriptions.remove(subscription);
      if (subscriptions.list.includes(subscription)) return;
      announce(`Unsubscribed ${nameOf(subscription)}.`);
      // The button is gone; the keyboard goes on at a neighbour, else at the form.
      (next?.querySelector('.sub-remove') ?? byId('subscribe-topic')).focus();
    });
    const node = element(
      'li',
      { class: 'sub' },
      element('div', { class: 'sub-line' }, name, state),
      element('div', { class: 'sub-line' }, condition, element('span', { class: 'sub-actions' }, change)),
      element('div', { class: 'sub-line' }, facts, element('span', { class: 'sub-actions' }, retry, remove)),
      proof,
      playback.node,
      hint,
      trouble,
    );
    const row = { node, state, condition, change, hint, facts, retry, remove, proof, trouble, playback, shownRefusal: null, editor: null };
    return row;
  }

  function drawRow(row, subscription) {
    const state = subscription.leaving ? 'pending' : subscription.state;
    row.node.dataset.state = state;
    setText(row.state, subscription.leaving ? 'Leaving' : STATES[state]);
    row.state.title = subscription.leaving ? '' : STATE_HINTS[state];
    const sub = subscription.sub === null ? [] : [`sub ${subscription.sub}`];
    const leftOut = subscription.leftOut ? [`${number(subscription.leftOut)} left out`] : [];
    const gaps = subscription.gaps ? [plural(subscription.gaps, 'gap')] : [];
    const thinned = subscription.thinning ? [thinningWords(subscription.thinning)] : [];
    setText(row.facts, [plural(subscription.events, 'event'), ...leftOut, ...gaps, fromWords(subscription.from), ...thinned, ...sub].join(' · '));
    const stale = `Not proven alive since ${momentWords(subscription.staleSince)}; events may be happening unseen.`;
    setText(row.proof, state === 'stale' ? stale : '');
    row.playback.draw();
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
      // Where in the filter or the key it is; the sentence stands above.
      const wrong = subscription.refusal?.of === 'key' ? subscription.thinning.key : subscription.filter;
      if (subscription.refusal?.code === 120) row.trouble.append(...filterFaultViews(wrong, subscription.refusal).slice(1));
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
  });
  subscriptions.turned.hear((subscription) => {
    if (subscription.state === 'live') announce(`Subscribed to ${nameOf(subscription)}. ${subscription.hint}`.trim());
    if (subscription.state === 'stale') announce(`${subscription.topic} is stale: its source is not proven alive.`);
    if (subscription.state === 'error') {
      const { label, sentence } = refusalWords(subscription.refusal);
      announce(`${subscription.topic} was refused: ${sentence} ${label}`);
    }
  });
  connection.changed.hear(draw);
  draw();
}
