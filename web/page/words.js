// Words: what codes and reasons of the wire mean, said to a person.

const GAPS = {
  trimmed: 'the stream was trimmed before they could be read',
  rolled_back: 'Redis came back with another history of the stream; some events shown above may not be in it',
  deleted: 'they were deleted from the stream',
  gone: 'the stream was deleted or made anew',
  overflow: 'they came faster than this page could take them, or were too large',
  disconnected: 'the gateway had lost its connection to Redis',
};

const CLOSES = {
  1000: 'The gateway closed the connection.',
  1001: 'The gateway is going away.',
  1002: 'The gateway saw a protocol error.',
  1003: 'The gateway refused the kind of message.',
  1007: 'The gateway refused a text that is not UTF-8.',
  1008: 'The gateway refused the connection.',
  1009: 'The gateway refused a message that is too large.',
  1011: 'The gateway met an internal error.',
  1012: 'The gateway is restarting.',
  1013: 'The gateway is overloaded.',
  4401: 'The gateway asks for authorisation.',
  4403: 'The gateway does not allow this connection.',
  4408: 'The gateway went silent.',
  4409: 'Another connection took the place of this one.',
  4429: 'There are too many connections.',
};

const FALLBACKS = {
  internal: 'The gateway met an internal error.',
  unauthorized: 'The gateway asks for authorisation.',
  unknown_topic: 'The gateway has no such topic.',
  forbidden: 'This is not allowed.',
  unknown_op: 'This gateway does not know that request.',
  limit_exceeded: 'A limit of the gateway is reached.',
  bad_request: 'The gateway does not understand the request.',
  unavailable: 'Redis cannot be reached at the moment.',
  too_many_requests: 'Too many requests at once.',
  position_lost: 'That position is no longer in the stream.',
  filter_invalid: 'The gateway does not understand the filter.',
  event_invalid: 'The event is not valid.',
  id_conflict: 'Another event already has this id.',
  event_too_large: 'The event is too large.',
};

export function number(n) {
  return n.toLocaleString('en-GB');
}

export function plural(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** A gap as one sentence. */
export function gapWords({ topic, reason, count }) {
  const what = Number.isFinite(count) ? plural(count, 'event') : 'Events';
  const why = GAPS[reason] ?? `the gateway gives the reason “${reason}”`;
  return `${what} missed on ${topic}: ${why}.`;
}

export function closeWords(code, text, reached) {
  if (code === 1006 || code === 1005) return reached ? 'The connection broke.' : 'The gateway cannot be reached.';
  const words = CLOSES[code] ?? `The connection was closed (${code}).`;
  return text ? `${words} It says “${text}”.` : words;
}

/** A refusal in two parts: the label of the gateway (may be empty) and the sentence. */
export function refusalWords({ code, reason, message }) {
  return { label: code ? `${code} ${reason}` : '', sentence: message || FALLBACKS[reason] || 'The request failed.' };
}

export function fromWords(from) {
  if (from === 'start') return 'from the start';
  if (from?.last) return `last ${number(from.last)}`;
  return 'live';
}

export function bytesWords(bytes) {
  if (bytes < 1024) return plural(bytes, 'byte');
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

const pad = (n, width = 2) => String(n).padStart(width, '0');

/** Time of day with milliseconds. Written by hand: it is asked for on every row, and Intl is slow at it. */
export function clockWords(ms) {
  const t = new Date(ms);
  return `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}.${pad(t.getMilliseconds(), 3)}`;
}
