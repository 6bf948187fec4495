// The announcer: one polite live region through which screen readers hear what matters. Sentences that come close
// together are said together; the same sentence twice in a row is said twice.

import { byId } from './dom.js';

let waiting = [];
let timer = 0;

function say() {
  const region = byId('announcer');
  region.textContent = '';
  const text = waiting.slice(-4).join(' ');
  waiting = [];
  setTimeout(() => {
    region.textContent = text;
    // What came while the region was empty has its turn now.
    timer = waiting.length ? setTimeout(say, 150) : 0;
  }, 100);
}

export function announce(sentence) {
  waiting.push(sentence);
  timer ||= setTimeout(say, 150);
}
