// View of the form that makes a subscription: topic, filter, where to begin and, behind "More", what to leave out and how fast.

import { byId, setText } from './dom.js';
import { Draft } from './draft.js';
import { LAST_MAX, SPEED_MAX, SPEED_MIN, fromAt, speedWords } from './from.js';
import { momentRead, momentWords } from './moment.js';
import { topicFault } from './pattern.js';
import { EVERY_MAX, EVERY_MIN, RATE_MAX, thinningWords } from './thinning.js';
import { FilterField, filterFaultViews } from './view-filter.js';
import { number } from './words.js';

const within = (text, low, high, otherwise) => Math.min(high, Math.max(low, Math.round(Number(text)) || otherwise));

/** One field of the form with the place beneath it that says what is wrong. */
class Field {
  constructor(input, fault) {
    this.input = input;
    this.fault = fault;
    input.addEventListener('input', () => this.complain());
  }

  complain(...parts) {
    const views = parts.filter(Boolean);
    if (views.length || this.fault.childNodes.length) this.fault.replaceChildren(...views);
    this.input.setAttribute('aria-invalid', views.length ? 'true' : 'false');
  }
}

export function viewSubscribe({ subscriptions, trial }) {
  const form = byId('subscribe-form');
  const more = byId('subscribe-more');
  const { topic, from, last, since, speed, deliver, key, every, rate } = form.elements;
  const fields = {
    topic: new Field(topic, byId('subscribe-fault')),
    since: new Field(since, byId('since-fault')),
    speed: new Field(speed, byId('speed-fault')),
    key: new Field(key, byId('key-fault')),
  };
  const filter = new FilterField({ id: 'subscribe-filter', label: 'Filter, if any', name: 'filter', trial, topic: () => topic.value.trim() });
  byId('subscribe-filter-place').replaceWith(filter.node);
  // What the form asked for last, until the gateway has answered.
  let sent = null;

  const replays = () => from.value === 'start' || from.value === 'since';

  function speedTyped() {
    if (!replays() || !speed.value.trim()) return 0;
    const n = Number(speed.value.trim().replace(/\s*[x×]$/i, ''));
    return n >= SPEED_MIN && n <= SPEED_MAX ? n : NaN;
  }

  function fromTyped() {
    if (from.value === 'last') return { last: within(last.value, 1, LAST_MAX, 50) };
    const place = from.value === 'since' ? { since: momentRead(since.value) } : from.value;
    return fromAt(place, speedTyped());
  }

  function thinningTyped() {
    if (deliver.value === 'latest') return { key: key.value.trim(), every_ms: within(every.value, EVERY_MIN, EVERY_MAX, 200) };
    return deliver.value === 'rate' ? { rate: within(rate.value, 1, RATE_MAX, 10) } : null;
  }

  function draw() {
    byId('from-last').hidden = from.value !== 'last';
    byId('from-since').hidden = from.value !== 'since';
    const ms = since.value.trim() ? momentRead(since.value) : NaN;
    setText(byId('since-hint'), Number.isNaN(ms) ? 'Such as 15m, 10:30 or 2026-11-23T10:00:00Z.' : `${momentWords(ms)} on this computer’s clock.`);
    byId('speed-field').hidden = !replays();
    byId('speed-absent').hidden = replays();
    byId('deliver-latest').hidden = deliver.value !== 'latest';
    byId('deliver-rate').hidden = deliver.value !== 'rate';
    // What is folded away still counts, so it is said.
    const pace = speedTyped();
    const thinning = thinningTyped();
    const parts = [pace ? `at ${speedWords(pace)}` : '', thinning?.key === '' ? 'latest of each key' : thinningWords(thinning)].filter(Boolean);
    setText(byId('subscribe-more-sum'), parts.length ? parts.join(', ') : 'replay speed, leave out');
    more.classList.toggle('is-used', parts.length > 0);
  }

  /** The field that stands in the way, after it has said why; null when the form can go. */
  function fault(wanted) {
    const name = wanted.topic;
    const twin = subscriptions.find(wanted);
    const same = `${name} is subscribed already${wanted.filter ? ' with this filter' : ''}. Unsubscribe it to start elsewhere.`;
    const says = {
      topic: topicFault(name, 'topic or pattern') || (twin ? same : ''),
      since: from.value === 'since' && Number.isNaN(wanted.from.since) ? 'This is no time. Type 15m for fifteen minutes ago, 10:30, or a date.' : '',
      speed: Number.isNaN(speedTyped()) ? `A number from ${SPEED_MIN} to ${number(SPEED_MAX)}.` : '',
      key: wanted.thinning?.key === '' ? 'Type what tells them apart, such as data.symbol.' : '',
    };
    for (const [part, words] of Object.entries(says)) fields[part].complain(words);
    return Object.keys(says).find((part) => says[part]) ?? null;
  }

  function lead(part) {
    if (more.contains(fields[part].input)) more.open = true;
    fields[part].input.focus();
  }

  form.addEventListener('input', () => {
    fields.topic.complain();
    draw();
  });
  form.addEventListener('change', draw);
  topic.addEventListener('input', () => filter.text && filter.ask());
  filter.input.addEventListener('focus', () => filter.text && filter.ask());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = { topic: topic.value.trim(), from: fromTyped(), filter: filter.text, thinning: thinningTyped() };
    const wrong = fault(wanted);
    if (wrong) {
      lead(wrong);
      return;
    }
    if (!filter.check()) {
      filter.focus();
      return;
    }
    filter.end();
    if (wanted.from.last) last.value = wanted.from.last;
    if (wanted.thinning?.key) every.value = wanted.thinning.every_ms;
    if (wanted.thinning?.rate) rate.value = wanted.thinning.rate;
    sent = subscriptions.add(wanted);
    topic.select();
  });

  // An expression that the form has just sent and the gateway does not understand is mended where it was typed.
  function mend(subscription) {
    if (subscription !== sent || subscription.state === 'pending') return;
    sent = null;
    const { refusal } = subscription;
    if (subscription.state !== 'error' || refusal.code !== 120) return;
    const ours = form.contains(document.activeElement) || document.activeElement === document.body;
    if (refusal.of === 'key') {
      if (subscription.thinning.key !== key.value.trim()) return;
      fields.key.complain(...filterFaultViews(subscription.thinning.key, refusal));
      if (ours) lead('key');
    } else {
      if (subscription.filter !== filter.text) return;
      filter.refuse(refusal);
      if (ours) filter.focus(refusal);
    }
    subscriptions.remove(subscription);
  }

  subscriptions.turned.hear(mend);
  subscriptions.merged.hear((subscription) => {
    if (subscription === sent) sent = null;
  });
  new Draft('headgate.subscribe', form).restore();
  draw();
  more.open = more.classList.contains('is-used');
}
