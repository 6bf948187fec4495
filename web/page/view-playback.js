// View of a playback: in the row of its subscription, where in the past it is, and what steers it.

import { element, setText } from './dom.js';
import { speedWords } from './from.js';
import { momentWords } from './moment.js';

const SPEEDS = [0.1, 0.5, 1, 2, 5, 10, 60, 100, 1000];
const JUMPS = [
  ['10 s', 10000],
  ['1 min', 60000],
  ['10 min', 600000],
  ['1 h', 3600000],
  ['1 day', 86400000],
];
const JUMP_MS = 60000;

export function playbackView({ subscriptions, subscription, announce }) {
  const { topic, playback } = subscription;
  const where = element('span', { class: 'playback-at' });
  const pause = element('button', { type: 'button' });
  const speeds = [...new Set([...SPEEDS, playback.speed])].filter(Boolean).sort((a, b) => a - b);
  const speed = element('select', { 'aria-label': `Speed of the replay of ${topic}` }, ...speeds.map((n) => element('option', { value: n }, speedWords(n))));
  const jump = element('button', { type: 'button' }, 'Jump back');
  const far = element('select', { 'aria-label': `How far to jump back on ${topic}` }, ...JUMPS.map(([words, ms]) => element('option', { value: ms, selected: ms === JUMP_MS }, words)));
  const node = element(
    'div',
    { class: 'playback', role: 'group', 'aria-label': `Replay of ${topic}` },
    where,
    element('div', { class: 'playback-line' }, pause, speed),
    element('div', { class: 'playback-line' }, jump, far),
  );
  let busy = false;

  /** One thing at a time; a refusal is shown in the row. */
  async function steer(act, words) {
    if (busy) return;
    busy = true;
    try {
      await act();
      if (words) announce(words);
    } catch {
      // The row says why.
    }
    busy = false;
  }

  pause.addEventListener('click', () =>
    playback.paused ? steer(() => subscriptions.resume(subscription), `The replay of ${topic} goes on.`) : steer(() => subscriptions.pause(subscription), `The replay of ${topic} stands still.`),
  );
  speed.addEventListener('change', () => steer(() => subscriptions.pace(subscription, Number(speed.value)), `The replay of ${topic} runs at ${speedWords(Number(speed.value))}.`));
  jump.addEventListener('click', () => steer(() => subscriptions.seek(subscription, Math.max(0, playback.at - Number(far.value)))));

  function draw() {
    node.hidden = !playback.wanted;
    if (node.hidden) return;
    const known = playback.at > 0;
    const at = known ? ` at ${momentWords(playback.at)}` : '';
    const state = !playback.running ? `Caught up${known ? '; last event' : ''}${at}` : `${playback.paused ? 'Paused' : 'Replaying'}${at}`;
    setText(where, state);
    const steerable = subscription.sub !== null && !subscription.leaving;
    // The keyboard stays in the group when the replay ends under it.
    const held = !playback.running && (document.activeElement === pause || document.activeElement === speed);
    pause.parentElement.hidden = !playback.running;
    setText(pause, playback.paused ? 'Resume' : 'Pause');
    pause.setAttribute('aria-label', `${playback.paused ? 'Resume' : 'Pause'} the replay of ${topic}`);
    jump.setAttribute('aria-label', `Jump back on ${topic}`);
    pause.disabled = !steerable;
    speed.disabled = !steerable;
    jump.disabled = !steerable || !known;
    if (document.activeElement !== speed) speed.value = playback.speed;
    if (held) jump.focus();
  }

  return { node, draw };
}
