// View of the flow: the counters, and the canal – events per second as a level of water. It enters at the gate on the
// left and moves to the right as it ages.

import { byId, setText } from './dom.js';
import { framed } from './frame.js';
import { number, plural } from './words.js';

const WIDTH = 1000;
const DEPTH = 100;
// The bed is never dry: a thin line of water shows where the canal is.
const BED = 6;

const tenth = (x) => Math.round(x * 10) / 10;

/** A smooth line through the points; flat tangents keep it from overshooting. */
function curve(points) {
  let d = `M${points[0][0]},${points[0][1]}`;
  for (let i = 1; i < points.length; i += 1) {
    const [x0, y0] = points[i - 1];
    const [x1, y1] = points[i];
    const middle = tenth((x0 + x1) / 2);
    d += `C${middle},${y0} ${middle},${y1} ${x1},${y1}`;
  }
  return d;
}

export function viewFlow({ connection, events, subscriptions, rate }) {
  const surface = byId('canal-surface');
  const water = byId('canal-water');

  function drawCanal() {
    const history = rate.history(Date.now());
    const peak = Math.max(...history);
    const scale = (DEPTH - BED - 8) / Math.max(peak, 4);
    const step = WIDTH / (history.length - 1);
    const points = history.map((n, i) => [tenth(i * step), tenth(DEPTH - BED - n * scale)]);
    const line = curve(points);
    surface.setAttribute('d', line);
    water.setAttribute('d', `${line}L${WIDTH},${DEPTH}L0,${DEPTH}Z`);
    setText(byId('count-rate'), number(history[0]));
    setText(byId('canal-peak'), peak ? `peak ${number(peak)}/s` : '');
    byId('canal').setAttribute(
      'aria-label',
      `Events per second over the last ${history.length} seconds: now ${number(history[0])}, peak ${number(peak)}.`,
    );
  }

  const drawCounts = framed(() => {
    setText(byId('count-total'), number(events.total));
    setText(byId('count-gaps'), number(events.gaps));
    byId('count-gaps').parentElement.classList.toggle('has-gaps', events.gaps > 0);
    const live = subscriptions.list.filter((s) => s.state === 'live' || s.state === 'stale').length;
    const all = subscriptions.list.length;
    setText(byId('count-subscriptions'), live === all ? number(all) : `${number(live)} of ${number(all)}`);
    byId('count-subscriptions').title = `${plural(live, 'subscription')} of this session confirmed`;
  });

  events.changed.hear(drawCounts);
  subscriptions.changed.hear(drawCounts);
  connection.changed.hear(drawCounts);
  drawCounts();
  drawCanal();
  setInterval(drawCanal, 1000);
}
