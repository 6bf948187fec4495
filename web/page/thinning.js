// Thinning: what a subscription leaves out so that the present state comes, not each step. One of
// null (nothing), {key, every_ms} (the latest of each key at a pace), {rate} (so many a second).

import { number } from './words.js';

export const EVERY_MIN = 10;
export const EVERY_MAX = 60000;
export const RATE_MAX = 1000;

const within = (n, low, high) => Number.isInteger(n) && n >= low && n <= high;

/** What stands in the subscribe command for it. */
export function thinningMembers(thinning) {
  if (!thinning) return {};
  return thinning.rate ? { rate: thinning.rate } : { conflate: thinning };
}

/** Reads what the address has: `rate:5`, `latest:200:data.symbol`. */
export function thinningParse(text) {
  const rate = /^rate:(\d{1,4})$/.exec(text);
  if (rate && within(Number(rate[1]), 1, RATE_MAX)) return { rate: Number(rate[1]) };
  const latest = /^latest:(\d{1,5}):(.+)$/.exec(text);
  if (!latest || !within(Number(latest[1]), EVERY_MIN, EVERY_MAX)) return null;
  return { key: latest[2], every_ms: Number(latest[1]) };
}

/** As the address has it; '' for nothing. Two are the same when their texts are. */
export function thinningText(thinning) {
  if (!thinning) return '';
  return thinning.rate ? `rate:${thinning.rate}` : `latest:${thinning.every_ms}:${thinning.key}`;
}

export function thinningWords(thinning) {
  if (!thinning) return '';
  return thinning.rate ? `at most ${number(thinning.rate)}/s` : `latest of each ${thinning.key} every ${number(thinning.every_ms)} ms`;
}
