// The announcer: one polite live region through which screen readers hear what matters. Sentences that come close
// together are said together; the same sentence twice in a row is said twice.

import { byId } from './dom.js';

let waiting = [];
let timer = 0;

export function announce(sentence) {
  waiting.push(sentence);
  if (timer) return;
  timer = setTimeout(() => {
    const region = byId('announcer');
    region.textContent = '';
    const text = waiting.slice(-4).join(' ');
    waiting = [];
    setTimeout(() => {
      region.textContent = text;
      timer = 0;
    }, 100);
  }, 150);
}
