// A moment: a time as people type and read it. "15m" ago, "10:30" today, a date, or what a log has; in the zone of this browser
// unless one is given.

const UNITS = { s: 1000, sec: 1000, m: 60000, min: 60000, h: 3600000, d: 86400000, w: 604800000 };
const DAY_MS = UNITS.d;
// Shorter whole numbers are more likely a mistyped something than a time of the last century.
const EPOCH_MS = /^\d{11,14}$/;
const AGO = /^(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d|w)(?:\s+ago)?$/i;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:\d{2})?)?$/i;

function clockRead([, hour, minute, second = '0'], now) {
  const t = new Date(now);
  t.setHours(Number(hour), Number(minute), Number(second), 0);
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return NaN;
  // A clock that is yet to show that time showed it yesterday.
  if (t.getTime() > now) t.setDate(t.getDate() - 1);
  return t.getTime();
}

function dateRead([, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone = '']) {
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number);
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  if (mo < 1 || mo > 12 || h > 23 || mi > 59 || s > 59 || d < 1 || d > new Date(Date.UTC(y, mo, 0)).getUTCDate()) return NaN;
  if (!zone) return new Date(y, mo - 1, d, h, mi, s, ms).getTime();
  const [, sign, zh, zm] = /^([+-])(\d{2}):(\d{2})$/.exec(zone) ?? ['', '+', '0', '0'];
  return Date.UTC(y, mo - 1, d, h, mi, s, ms) - Number(`${sign}1`) * (Number(zh) * 60 + Number(zm)) * 60000;
}

/** Milliseconds since 1970, or NaN when it is no time. */
export function momentRead(text, now = Date.now()) {
  const typed = text.trim();
  if (EPOCH_MS.test(typed)) return Number(typed);
  const ago = AGO.exec(typed);
  if (ago) return Math.max(0, Math.round(now - Number(ago[1]) * UNITS[ago[2].toLowerCase()]));
  const clock = CLOCK.exec(typed);
  if (clock) return clockRead(clock, now);
  const date = DATE.exec(typed);
  return date ? Math.max(0, dateRead(date)) : NaN;
}

const pad = (n, width = 2) => String(n).padStart(width, '0');

/** Time of day with milliseconds. Written by hand: it is asked for on every row, and Intl is slow at it. */
export function clockWords(ms) {
  const t = new Date(ms);
  return `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}.${pad(t.getMilliseconds(), 3)}`;
}

/** Time of day, with the day where it is not today's. */
export function momentWords(ms, now = Date.now()) {
  const t = new Date(ms);
  if (Number.isNaN(t.getTime())) return 'an unknown time';
  const clock = clockWords(ms).slice(0, 8);
  const today = Math.abs(now - ms) < DAY_MS && new Date(now).getDate() === t.getDate();
  return today ? clock : `${t.toLocaleDateString('en-CA')} ${clock}`;
}

/** A span in its largest unit: "40 s", "3 min". */
export function spanWords(ms) {
  if (ms < 90000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  if (ms < 5400000) return `${Math.round(ms / 60000)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / 3600000)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}
