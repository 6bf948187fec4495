// The address: the subscriptions as they stand in the page's URL, so that a link or a reload brings them back.
// ?sub=orders.*&sub=prices.BTC&from=last:50 – one `from` holds for all, several go pairwise; the last one repeats.
// `filter` and `thin` go pairwise too and do not repeat: a subscription without one has none.

import { fromParse, fromText } from './from.js';
import { thinningParse, thinningText } from './thinning.js';

export function addressRead(search) {
  const query = new URLSearchParams(search);
  const froms = query.getAll('from');
  // The text of a filter is one line: a line break would end the command it stands in.
  const filters = query.getAll('filter').map((filter) => filter.replace(/[\r\n]+/g, ' ').trim());
  const thins = query.getAll('thin').map((thin) => thinningParse(thin.replace(/[\r\n]+/g, ' ').trim()));
  const seen = new Set();
  return query
    .getAll('sub')
    .map((topic, i) => ({ topic, from: fromParse(froms[i] ?? froms[froms.length - 1]), filter: filters[i] ?? '', thinning: thins[i] ?? null }))
    .filter(({ topic, filter, thinning }) => {
      const key = [topic, filter, thinningText(thinning)].join('\n');
      return topic && !seen.has(key) && seen.add(key);
    });
}

export function addressWrite(search, subscriptions) {
  const query = new URLSearchParams(search);
  for (const name of ['sub', 'from', 'filter', 'thin']) query.delete(name);
  for (const { topic } of subscriptions) query.append('sub', topic);
  const froms = subscriptions.map(({ from }) => fromText(from));
  const same = froms.every((from) => from === froms[0]);
  if (!same) for (const from of froms) query.append('from', from);
  else if (froms.length && froms[0] !== 'live') query.append('from', froms[0]);
  if (subscriptions.some(({ filter }) => filter)) for (const { filter } of subscriptions) query.append('filter', filter);
  if (subscriptions.some(({ thinning }) => thinning)) for (const { thinning } of subscriptions) query.append('thin', thinningText(thinning));
  // Patterns and places read better with their marks left alone; all of these are allowed in a query.
  return query.toString().replaceAll('%2A', '*').replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%40', '@');
}
