// The address: the subscriptions as they stand in the page's URL, so that a link or a reload brings them back.
// ?sub=orders.*&sub=prices.BTC&from=last:50 – one `from` holds for all, several go pairwise; the last one repeats.
// `filter` goes pairwise too and does not repeat: a subscription without one has none.

export const LAST_MAX = 5000;

function fromParse(text) {
  if (text === 'start') return 'start';
  const last = /^last:(\d{1,9})$/.exec(text ?? '');
  return last && Number(last[1]) > 0 ? { last: Math.min(Number(last[1]), LAST_MAX) } : 'live';
}

function fromText(from) {
  return from?.last ? `last:${from.last}` : from;
}

export function addressRead(search) {
  const query = new URLSearchParams(search);
  const froms = query.getAll('from');
  // The text of a filter is one line: a line break would end the command it stands in.
  const filters = query.getAll('filter').map((filter) => filter.replace(/[\r\n]+/g, ' ').trim());
  const seen = new Set();
  return query
    .getAll('sub')
    .map((topic, i) => ({ topic, from: fromParse(froms[i] ?? froms[froms.length - 1]), filter: filters[i] ?? '' }))
    .filter(({ topic, filter }) => {
      const key = `${topic}\n${filter}`;
      return topic && !seen.has(key) && seen.add(key);
    });
}

export function addressWrite(search, subscriptions) {
  const query = new URLSearchParams(search);
  query.delete('sub');
  query.delete('from');
  query.delete('filter');
  for (const { topic } of subscriptions) query.append('sub', topic);
  const froms = subscriptions.map(({ from }) => fromText(from));
  const same = froms.every((from) => from === froms[0]);
  if (!same) for (const from of froms) query.append('from', from);
  else if (froms.length && froms[0] !== 'live') query.append('from', froms[0]);
  if (subscriptions.some(({ filter }) => filter)) for (const { filter } of subscriptions) query.append('filter', filter);
  // Patterns read better with their asterisks and colons left alone; both are allowed in a query.
  return query.toString().replaceAll('%2A', '*').replaceAll('%3A', ':').replaceAll('%2F', '/');
}
