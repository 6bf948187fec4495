// From: where a subscription begins, as the wire has it ('live', 'start', {last}, {since}, with a speed or not), as the address
// writes it, and in words.

import { momentRead, momentWords } from './moment.js';
import { number } from './words.js';

export const LAST_MAX = 5000;
export const SPEED_MIN = 0.01;
export const SPEED_MAX = 1000;

/** The speed of a replay, or 0 where the past comes as fast as it is taken. */
export function fromSpeed(from) {
  return from?.speed ?? 0;
}

/** The same place, at another speed; 0 for none. Only the start and times can have one. */
export function fromAt(from, speed) {
  const start = from === 'start' || from?.start;
  if (!start && from?.since === undefined) return from;
  if (start) return speed ? { start: true, speed } : 'start';
  return speed ? { since: from.since, speed } : { since: from.since };
}

function speedRead(text) {
  const speed = Number(text);
  return speed >= SPEED_MIN && speed <= SPEED_MAX ? speed : 0;
}

/** Reads what the address has: `live`, `start`, `last:50`, `since:2026-11-23T10:00:00Z`, the last two of them with `@10` for a speed. */
export function fromParse(text) {
  const [, place, speed] = /^(.*?)(?:@([\d.]{1,12}))?$/s.exec(text ?? '');
  if (place === 'start') return fromAt('start', speedRead(speed));
  const last = /^last:(\d{1,9})$/.exec(place);
  if (last && Number(last[1]) > 0) return { last: Math.min(Number(last[1]), LAST_MAX) };
  const since = place.startsWith('since:') ? momentRead(place.slice(6)) : NaN;
  return Number.isNaN(since) ? 'live' : fromAt({ since }, speedRead(speed));
}

export function fromText(from) {
  const speed = fromSpeed(from) ? `@${from.speed}` : '';
  if (from?.last) return `last:${from.last}`;
  if (from?.since !== undefined) return `since:${new Date(from.since).toISOString()}${speed}`;
  return from?.start ? `start${speed}` : from;
}

export function speedWords(speed) {
  return `${number(speed)}×`;
}

export function fromWords(from) {
  const speed = fromSpeed(from) ? ` at ${speedWords(from.speed)}` : '';
  if (from === 'start' || from?.start) return `from the start${speed}`;
  if (from?.last) return `last ${number(from.last)}`;
  if (from?.since !== undefined) return `since ${momentWords(from.since)}${speed}`;
  return 'live';
}
