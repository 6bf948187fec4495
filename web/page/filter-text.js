// A filter as somebody types it: an expression, or a filter object when it begins with a brace. Empty: no filter.

import { fault } from './json-text.js';

export function isObject(text) {
  return text.startsWith('{');
}

/** The JSON that goes on the wire. An object is sent as it is typed, so that the gateway's offsets fit what one sees. */
export function filterJson(text) {
  if (!text) return 'null';
  return isObject(text) && !fault(text) ? text : JSON.stringify(text);
}

/** What is wrong with it as JSON: {message, at} with the place in characters, or null. */
export function filterFault(text) {
  const wrong = isObject(text) ? fault(text) : null;
  return wrong && { message: `${wrong.message[0].toUpperCase()}${wrong.message.slice(1)}.`, at: wrong.column - 1 };
}

/** Where in the text (in UTF-16 units) the byte number `bytes` of its UTF-8 stands. */
export function placeOfByte(text, bytes) {
  let at = 0;
  let seen = 0;
  for (const character of text) {
    if (seen >= bytes) break;
    const point = character.codePointAt(0);
    seen += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    at += character.length;
  }
  return at;
}

const BEFORE = 20;
const AROUND = 32;

/** The part of the text around a place: {before, mark, after, column}, shortened with … where it is long. */
export function placeOf(text, at) {
  const characters = [...text];
  const here = [...text.slice(0, at)].length;
  const from = characters.length <= AROUND ? 0 : Math.max(0, Math.min(here - BEFORE, characters.length - AROUND));
  const to = Math.min(characters.length, from + AROUND);
  return {
    before: (from > 0 ? '…' : '') + characters.slice(from, here).join(''),
    mark: characters[here] ?? '',
    after: characters.slice(here + 1, to).join('') + (to < characters.length ? '…' : ''),
    column: here + 1,
  };
}
