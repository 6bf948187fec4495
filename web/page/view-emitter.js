// View of the emitter: the form, checked while one types, and what became of the last emit.

import { byId, element, setText } from './dom.js';
import { Draft } from './draft.js';
import { newId } from './emitter.js';
import { fault } from './json-text.js';
import { topicFault } from './pattern.js';
import { refusalView } from './view-refusal.js';
import { bytesWords, plural } from './words.js';

const TITLES = {
  sending: 'Sending…',
  stored: 'Stored',
  duplicate: 'Duplicate: nothing was added',
  refused: 'Refused',
  unknown: 'No answer',
};

function sentence({ outcome, sends }) {
  if (outcome === 'stored') return sends > 1 ? 'The earlier try had not arrived; this one did.' : 'It stands in the stream, once.';
  if (outcome === 'duplicate') return 'This id was in the stream already. The cursor is that of the first.';
  if (outcome === 'unknown') return 'It may or may not have arrived. Send it again with the same id; it cannot be stored twice.';
  return '';
}

export function viewEmitter({ emitter, connection, announce }) {
  const form = byId('emit-form');
  const { topic, event: text, id } = form.elements;
  const again = byId('emit-again');
  const outcome = byId('emit-outcome');

  function mark(field, note, message) {
    setText(byId(note), message);
    field.setAttribute('aria-invalid', message ? 'true' : 'false');
    return Boolean(message);
  }

  function checkTopic() {
    const name = topic.value.trim();
    const pattern = name.includes('*') ? 'An event goes to one topic; patterns with * are for subscribing.' : '';
    return mark(topic, 'emit-topic-fault', topicFault(name, 'topic') || pattern);
  }

  function checkText() {
    if (!text.value.trim()) return mark(text, 'emit-event-fault', 'Type an event as JSON.');
    const wrong = fault(text.value);
    if (wrong) return mark(text, 'emit-event-fault', `Line ${wrong.line}, column ${wrong.column}: ${wrong.message}.`);
    const most = connection.limits.event_bytes;
    const bytes = new TextEncoder().encode(text.value).length;
    const large = most && bytes > most ? `The event has ${bytesWords(bytes)}; the gateway takes ${bytesWords(most)}.` : '';
    return mark(text, 'emit-event-fault', large);
  }

  function checkId() {
    return mark(id, 'emit-id-fault', id.value.trim() ? '' : 'An event needs an id; it is what a duplicate is known by.');
  }

  const draft = new Draft('headgate.emit', form);
  draft.restore();
  function renewId() {
    id.value = newId();
    checkId();
    draft.save();
  }
  if (!id.value) renewId();

  function draw() {
    const { last } = emitter;
    again.hidden = !last;
    outcome.hidden = !last;
    if (!last) return;
    again.disabled = last.outcome === 'sending';
    outcome.dataset.outcome = last.outcome;
    const facts = element('dl', { class: 'facts' });
    const fact = (name, value) => facts.append(element('div', {}, element('dt', {}, name), element('dd', {}, value)));
    fact('Id', last.id);
    if (last.answer?.cursor) fact('Cursor', last.answer.cursor);
    if (last.answer) fact('Duplicate', String(Boolean(last.answer.duplicate)));
    if (last.answer?.durability) fact('Durability', last.answer.durability);
    if (last.refusal?.pointer !== undefined) fact('Where', last.refusal.pointer || 'The event as a whole');
    fact('Sent', plural(last.sends, 'time'));
    const words = sentence(last);
    outcome.replaceChildren(
      element('p', { class: 'outcome-title' }, TITLES[last.outcome]),
      ...(words ? [element('p', {}, words)] : []),
      ...(last.outcome === 'refused' ? [refusalView(last.refusal)] : []),
      facts,
    );
    if (last.outcome !== 'sending') announce(`${TITLES[last.outcome]}. ${words || outcome.querySelector('.refusal')?.textContent || ''}`);
  }

  topic.addEventListener('input', checkTopic);
  text.addEventListener('input', checkText);
  id.addEventListener('input', checkId);
  byId('emit-new-id').addEventListener('click', renewId);
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const wrong = [checkTopic() && topic, checkText() && text, checkId() && id].find(Boolean);
    if (wrong) {
      wrong.focus();
      return;
    }
    const sent = id.value.trim();
    const emit = await emitter.emit(topic.value.trim(), sent, text.value);
    // The next event is another one. A refused one keeps its id: it was not stored, and one may mend it.
    const settled = emit.outcome === 'stored' || emit.outcome === 'duplicate';
    if (settled && id.value.trim() === sent) renewId();
  });
  again.addEventListener('click', () => emitter.again());
  emitter.changed.hear(draw);
  connection.changed.hear(() => {
    if (text.value) checkText();
  });
  draw();
}
