// Words: what codes and reasons of the wire mean, said to a person.

// What happened, and what somebody who builds on these events should do.
const GAPS = {
  trimmed: {
    says: (what, topic) => `${what} missed on ${topic}: the stream was trimmed before they could be read.`,
    advice: 'Fetch the present state from where it is kept, or let the stream keep more entries.',
  },
  rolled_back: {
    says: (what, topic) => `The history of ${topic} was rewritten, as by a failover that loses the newest entries: some events shown here may not be in Redis any more.`,
    advice: 'Drop what was derived from the newest events and fetch the present state. They may come again under new ids.',
  },
  deleted: {
    says: (what, topic) => `${what} missed on ${topic}: they were deleted from the stream.`,
    advice: 'Usually nothing is to be done; fetch the present state if each event counts.',
  },
  gone: {
    says: (what, topic) => `The stream of ${topic} was deleted, flushed or made anew: there is no history to go on from.`,
    advice: 'Fetch the present state. What comes now is a new stream’s.',
  },
  overflow: {
    says: (what, topic) => `${what} missed on ${topic}: they came faster than this page took them, or were larger than the gateway’s limits.`,
    advice: 'Fetch the present state. Filter, leave more out, or use a stream for what must not be lost.',
  },
  disconnected: {
    says: (what, topic) => `${what} missed on ${topic}: the gateway had lost its connection to Redis, and channels keep nothing.`,
    advice: 'Fetch the present state. Use a stream for what must not be lost.',
  },
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

/** A gap in two parts: what happened and what to do (may be empty). */
export function gapWords({ topic, reason, count }) {
  const what = Number.isFinite(count) && count > 0 ? plural(count, 'event') : 'Events';
  if (!Object.hasOwn(GAPS, reason)) return { sentence: `${what} missed on ${topic}: the gateway gives the reason “${reason}”.`, advice: '' };
  const { says, advice } = GAPS[reason];
  return { sentence: says(what, topic), advice };
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

export function bytesWords(bytes) {
  if (bytes < 1024) return plural(bytes, 'byte');
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
