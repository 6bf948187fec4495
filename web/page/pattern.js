// A pattern: which topics it means, as the gateway reads it. `*` is one segment; `**`, at the end, one or more.

const TOPIC_BYTES_MAX = 255;
const SEGMENT = '[^.:/]*';

function quoted(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** A test for topics. Patterns that the gateway would refuse match what is written there. */
export function patternTest(pattern) {
  if (!pattern.includes('*')) return (topic) => topic === pattern;
  const parts = pattern.split(/([.:/])/);
  const last = parts.length - 1;
  const source = parts.map((part, i) => {
    if (part === '*') return SEGMENT;
    if (part === '**' && i === last) return `${SEGMENT}(?:[.:/]${SEGMENT})*`;
    return quoted(part);
  });
  const whole = new RegExp(`^${source.join('')}$`, 'su');
  return (topic) => whole.test(topic) && (!topic.startsWith('$') || pattern.startsWith('$'));
}

/** What is wrong with the text of a topic or pattern that no gateway need be asked about; '' when nothing is. */
export function topicFault(topic, what) {
  if (!topic) return `Type a ${what}.`;
  const bytes = new TextEncoder().encode(topic).length;
  if (bytes > TOPIC_BYTES_MAX) return `A ${what} has at most ${TOPIC_BYTES_MAX} bytes; this one has ${bytes}.`;
  return '';
}
