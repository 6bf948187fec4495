// View of a filter being typed: the field, what the gateway says is wrong and where, its hint, and how many of the last
// events in the list would pass. Used by the form and by each subscription that is being changed.

import { element, setText } from './dom.js';
import { filterFault, placeOf, placeOfByte } from './filter-text.js';
import { plural, refusalWords } from './words.js';

const PAUSE_MS = 250;

/** The place of a fault: the text around it, with a caret below the character. Decoration; the sentence has the column. */
export function placeView(text, at) {
  const { before, mark, after } = placeOf(text, at);
  return element('span', { class: 'place', 'aria-hidden': 'true' }, before, element('mark', {}, mark || '\u00a0'), after);
}

/** Sentence and place of a refusal with code 120, for the text that was refused. */
export function filterFaultViews(text, refusal) {
  if (!Number.isFinite(refusal.at)) return [refusalWords(refusal).sentence];
  const at = placeOfByte(text, refusal.at);
  return [`Column ${placeOf(text, at).column}: ${refusalWords(refusal).sentence}`, placeView(text, at)];
}

export class FilterField {
  /** `topic()` gives the topic or pattern that the filter is meant for. */
  constructor({ id, label, name, trial, topic }) {
    this.trial = trial;
    this.topic = topic;
    this.input = element('input', {
      id,
      name,
      placeholder: 'data.total > 100',
      spellcheck: 'false',
      autocapitalize: 'none',
      autocomplete: 'off',
      'aria-describedby': `${id}-fault ${id}-hint ${id}-trial`,
    });
    this.fault = element('p', { class: 'fault', id: `${id}-fault`, role: 'status' });
    this.hint = element('p', { class: 'hint advice', id: `${id}-hint` });
    this.tried = element('p', { class: 'hint trial', id: `${id}-trial`, role: 'status' });
    const help = element('a', { href: 'docs/filters.html', class: 'help' }, 'How filters are written');
    this.node = element(
      'div',
      { class: 'field filter-field' },
      element('label', { for: id }, label),
      this.input,
      this.fault,
      this.hint,
      this.tried,
      element('p', { class: 'hint' }, help),
    );
    this.input.addEventListener('input', () => {
      this.#say({});
      this.ask();
    });
    trial.changed.hear(() => {
      if (trial.owner !== this) setText(this.tried, '');
    });
  }

  get text() {
    return this.input.value.trim();
  }

  /** Asks, after a short rest, what the gateway makes of what stands here. */
  ask() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), PAUSE_MS);
  }

  /** False when it cannot even be sent; says so then. */
  check() {
    const wrong = filterFault(this.text);
    if (!wrong) return true;
    this.#say({ fault: [`Column ${wrong.at + 1}: ${wrong.message}`, placeView(this.text, wrong.at)] });
    return false;
  }

  /** Shows what the gateway refused, and leads to the place. */
  refuse(refusal) {
    this.#say({ fault: refusal.code === 120 ? filterFaultViews(this.text, refusal) : [refusalWords(refusal).sentence] });
  }

  /** Puts the keyboard where the fault is. */
  focus(refusal = null) {
    this.input.focus();
    if (!Number.isFinite(refusal?.at)) return;
    const spaces = this.input.value.length - this.input.value.trimStart().length;
    const at = spaces + placeOfByte(this.text, refusal.at);
    this.input.setSelectionRange(at, at);
  }

  /** Nobody is typing here any more. */
  end() {
    clearTimeout(this.timer);
    this.trial.end(this);
    this.#say({});
  }

  async #ask() {
    if (!this.check()) {
      this.trial.end(this);
      return;
    }
    const { text } = this;
    const result = await this.trial.ask(this, text, this.topic());
    if (!result || text !== this.text) return;
    if (result.refusal) {
      this.refuse(result.refusal);
      return;
    }
    const { tried, passed } = result;
    const sum = tried ? `✓ ${passed} · ✗ ${tried - passed} of the last ${plural(tried, 'event')} in the list` : '';
    this.#say({ hint: result.hint, tried: sum });
  }

  #say({ fault = [], hint = '', tried = '' }) {
    const words = element('p', {}, ...fault).textContent;
    if (this.fault.textContent !== words) this.fault.replaceChildren(...fault);
    setText(this.hint, hint);
    setText(this.tried, tried);
    this.input.setAttribute('aria-invalid', fault.length ? 'true' : 'false');
  }
}
