// View of the answers: what the gateway said to each request, newest first.

import { byId, element } from './dom.js';
import { framed } from './frame.js';
import { clockWords } from './moment.js';
import { refusalWords } from './words.js';

function resultWords({ answer, refusal }) {
  if (refusal) {
    const { label, sentence } = refusalWords(refusal);
    return label ? `${label}: ${sentence}` : sentence;
  }
  const parts = [];
  if (answer.sub !== undefined) parts.push(`sub ${answer.sub}`);
  if (answer.cursor !== undefined) parts.push(`cursor ${answer.cursor}`);
  if (answer.duplicate !== undefined) parts.push(`duplicate ${answer.duplicate}`);
  return parts.length ? `ok · ${parts.join(' · ')}` : 'ok';
}

function entryView(entry) {
  const { request, refusal, ms, time } = entry;
  const about = request.topic ?? (request.sub === undefined ? '' : `sub ${request.sub}`);
  return element(
    'li',
    { class: 'answer', 'data-result': refusal ? 'refused' : 'ok' },
    element(
      'div',
      { class: 'answer-line' },
      element('span', { class: 'answer-what' }, `${request.op} `, element('bdi', {}, about)),
      element('span', { class: 'answer-time' }, `${clockWords(time)}${ms === null ? '' : ` · ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`}`),
    ),
    element('div', { class: 'answer-result' }, resultWords(entry)),
  );
}

export function viewAnswers({ answers }) {
  const list = byId('answers-list');
  const nodes = new Map();

  const draw = framed(() => {
    for (const [entry, node] of nodes) {
      if (answers.list.includes(entry)) continue;
      node.remove();
      nodes.delete(entry);
    }
    for (const entry of [...answers.list].reverse()) {
      if (nodes.has(entry)) continue;
      nodes.set(entry, entryView(entry));
      list.prepend(nodes.get(entry));
    }
    byId('answers-empty').hidden = answers.list.length > 0;
  });

  answers.changed.hear(draw);
  draw();
}
