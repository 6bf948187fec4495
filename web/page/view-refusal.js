// View of a refusal: what the gateway said no to, with its code and reason, for use next to what caused it.

import { element } from './dom.js';
import { refusalWords } from './words.js';

export function refusalView(refusal, more = '') {
  const { label, sentence } = refusalWords(refusal);
  return element('p', { class: 'refusal' }, label ? element('code', {}, label) : null, ' ', sentence, more && ` ${more}`);
}
