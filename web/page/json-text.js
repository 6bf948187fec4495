// JSON as text. JSON.parse turns 9007199254740993 into 9007199254740992 and forgets how things were written;
// everything here works on the text itself, so numbers, escapes and the order of members stay as they came.

const SPACE = new Set([' ', '\t', '\n', '\r']);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
const WORDS = new Set(['true', 'false', 'null']);

const EXPECTED = {
  value: 'a value',
  valueOrEnd: 'a value or ]',
  key: 'a member name in double quotes',
  keyOrEnd: 'a member name in double quotes or }',
  colon: 'a colon after the member name',
};

export class JsonTextError extends Error {
  constructor(message, text, at) {
    super(message);
    const before = text.slice(0, at);
    this.line = before.split('\n').length;
    this.column = at - before.lastIndexOf('\n');
  }
}

function endOfString(text, start) {
  let at = start + 1;
  for (;;) {
    if (at >= text.length) throw new JsonTextError('this string has no closing quote', text, start);
    const c = text[at];
    if (c === '"') return at + 1;
    if (c === '\\') {
      ESCAPE.lastIndex = at;
      const escape = ESCAPE.exec(text);
      if (!escape) throw new JsonTextError('this is not an escape JSON knows; write \\\\ for a backslash', text, at);
      at += escape[0].length;
    } else if (c < ' ') {
      throw new JsonTextError('a line break or control character in a string; write \\n, \\t or \\u00…', text, at);
    } else {
      at += 1;
    }
  }
}

function endOfScalar(text, start) {
  NUMBER.lastIndex = start;
  const number = NUMBER.exec(text);
  if (number) {
    const end = start + number[0].length;
    if (/[\w.]/.test(text[end] ?? '')) throw new JsonTextError('this number is not written as JSON numbers are', text, start);
    return ['number', end];
  }
  WORD.lastIndex = start;
  const word = WORD.exec(text)?.[0];
  if (word && WORDS.has(word)) return ['word', start + word.length];
  if (word) throw new JsonTextError(`${word.slice(0, 40)} is not JSON; texts stand in double quotes`, text, start);
  if (text[start] === "'") throw new JsonTextError('texts stand in double quotes', text, start);
  return null;
}

/**
 * One pass over the text, without recursion. Calls visit(kind, start, end) for each token; kinds are
 * open, close, comma, colon, key, string, number, word. Throws a JsonTextError where the text is not JSON.
 */
export function scan(text, visit) {
  const open = [];
  let expect = 'value';
  let at = 0;
  for (;;) {
    while (SPACE.has(text[at])) at += 1;
    const c = text[at];
    const inside = open[open.length - 1];
    if (expect === 'after') {
      if (c === undefined && !inside) return;
      if (c === ',' && inside) {
        visit('comma', at, at + 1);
        expect = inside === '{' ? 'key' : 'value';
        at += 1;
        continue;
      }
      if (!inside) throw new JsonTextError('there is more text after the end of the JSON', text, at);
      if (c !== (inside === '{' ? '}' : ']')) {
        throw new JsonTextError(`expected a comma or ${inside === '{' ? '}' : ']'}`, text, at);
      }
    }
    if (c === undefined) throw new JsonTextError(`the text ends; expected ${EXPECTED[expect]}`, text, at);
    if ((c === '}' || c === ']') && (expect === 'after' || expect === (c === '}' ? 'keyOrEnd' : 'valueOrEnd'))) {
      open.pop();
      visit('close', at, at + 1);
      expect = 'after';
      at += 1;
    } else if (expect === 'colon') {
      if (c !== ':') throw new JsonTextError(`expected ${EXPECTED.colon}`, text, at);
      visit('colon', at, at + 1);
      expect = 'value';
      at += 1;
    } else if (expect === 'key' || expect === 'keyOrEnd') {
      if (c === '}') throw new JsonTextError('there is a comma too many before }', text, at);
      if (c !== '"') throw new JsonTextError(`expected ${EXPECTED[expect]}`, text, at);
      const end = endOfString(text, at);
      visit('key', at, end);
      expect = 'colon';
      at = end;
    } else if (c === '{' || c === '[') {
      open.push(c);
      visit('open', at, at + 1);
      expect = c === '{' ? 'keyOrEnd' : 'valueOrEnd';
      at += 1;
    } else if (c === '"') {
      const end = endOfString(text, at);
      visit('string', at, end);
      expect = 'after';
      at = end;
    } else {
      const scalar = endOfScalar(text, at);
      if (!scalar && c === ']') throw new JsonTextError('there is a comma too many before ]', text, at);
      if (!scalar) throw new JsonTextError(`expected ${EXPECTED[expect]}`, text, at);
      visit(scalar[0], at, scalar[1]);
      expect = 'after';
      at = scalar[1];
    }
  }
}

/** What is wrong with the text, or null. */
export function fault(text) {
  try {
    scan(text, () => {});
    return null;
  } catch (error) {
    if (error instanceof JsonTextError) return error;
    throw error;
  }
}

/** The same JSON without the space between its tokens, so that it fits one line. */
export function compact(text) {
  const parts = [];
  scan(text, (kind, start, end) => parts.push(text.slice(start, end)));
  return parts.join('');
}

/** The text of one member of the outermost object, exactly as written; undefined when it is not there. */
export function memberText(text, name) {
  let depth = 0;
  let wanted = false;
  let from = -1;
  let found;
  scan(text, (kind, start, end) => {
    if (depth === 1 && kind === 'key') wanted = JSON.parse(text.slice(start, end)) === name;
    else if (depth === 1 && wanted && kind !== 'colon' && kind !== 'comma' && from < 0) from = start;
    if (kind === 'open') depth += 1;
    if (kind === 'close') depth -= 1;
    if (depth === 1 && from >= 0) {
      found = text.slice(from, end);
      from = -1;
      wanted = false;
    }
  });
  return found;
}

// Beyond this depth the indentation stops growing; else a deep event would be mostly spaces.
const DEEPEST_INDENT = 24;

/** Indented for reading, as a list of [kind, text]; joined, the texts are the same JSON. */
export function indented(text) {
  const parts = [];
  let depth = 0;
  let last = null;
  const newline = () => parts.push(['space', `\n${'  '.repeat(Math.min(depth, DEEPEST_INDENT))}`]);
  scan(text, (kind, start, end) => {
    if (kind === 'close') {
      depth -= 1;
      if (last !== 'open') newline();
    } else if (last === 'open' || last === 'comma') {
      newline();
    } else if (last === 'colon') {
      parts.push(['space', ' ']);
    }
    if (kind === 'open') depth += 1;
    parts.push([kind, text.slice(start, end)]);
    last = kind;
  });
  return parts;
}
