"""Makes of Redis 7 a Redis 8.6.2, as far as events that are appended once go: a proxy in front of it that knows XADD … IDMP, XCFGSET
and what XINFO STREAM says of them, and passes on the rest byte for byte.

What it follows, each in our own words:
- redis.io/docs/latest/commands/xadd and …/develop/data-types/streams/idempotency: the options of XADD come in any order before the
  id, which must be *; a pair of producer and id that is known is answered with the id of the original entry, even if that is gone
  since; nothing is appended then, nor trimmed; neither part may be empty; NOMKSTREAM answers nil where there is no stream.
- redis.io/docs/latest/commands/xcfgset: 1 to 86,400 seconds (100 unless set), 1 to 10,000 ids of each producer (100 unless set), at
  least one of them given, the stream must be there; what is remembered is cleared. (By the tests of Redis itself only if a number
  changes: `clears_always` chooses.)
- redis.io/docs/latest/commands/xinfo-stream: idmp-duration, idmp-maxsize, pids-tracked, iids-tracked, and for the stream's lifetime
  iids-added, iids-duplicates.
- github.com/redis/redis/pull/14615: the oldest id of a producer goes when it is full, those that are as old as the duration go
  by the time in their entry's id; all is saved with the stream and goes with it. /pull/14858: a duplicate touches the stream's
  counters, but no WATCH. /pull/14794: why not before 8.6.2.

The commands become scripts, which stand in transactions as well as they did. What is remembered lies in keys beside the stream; a
group with a name of its own, not counted in XINFO STREAM, shows that it is still the same stream. Not followed: IDMPAUTO, the other
ends of RENAME, COPY and MOVE, and that Redis looks for what is too old once a second only."""

import collections
import contextlib
import re
import socket
import threading

VERSION = b"8.6.2"

COMMON = """
local stream, prefix = KEYS[1], '$idmp:' .. KEYS[1]
local function mark_of()
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return nil end
  for _, group in ipairs(groups) do
    if string.sub(group[2], 1, 6) == '$idmp:' then return group[2] end
  end
end
local mark = mark_of()
local same = mark and redis.call('HGET', prefix, 'mark') == mark
local function get(name, default)
  return tonumber(same and redis.call('HGET', prefix, name) or default)
end
local function clear()
  for _, pid in ipairs(redis.call('SMEMBERS', prefix .. ':pids')) do
    redis.call('DEL', prefix .. ':order:' .. pid, prefix .. ':ids:' .. pid)
  end
  redis.call('DEL', prefix .. ':pids')
end
local function adopt()
  if same then return end
  clear()
  redis.call('DEL', prefix)
  mark, same = '$idmp:' .. redis.call('INCR', '$idmp'), true
  redis.call('XGROUP', 'CREATE', stream, mark, '$')
  redis.call('HSET', prefix, 'mark', mark)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function is_old(id)
  return tonumber(string.match(id, '%d+')) <= now - get('duration', 100) * 1000
end
"""

ADD = COMMON + """
local pid, iid = ARGV[1], ARGV[2]
local order, ids = prefix .. ':order:' .. pid, prefix .. ':ids:' .. pid
local function oldest()
  local first = redis.call('LINDEX', order, 0)
  return first, first and redis.call('HGET', ids, first)
end
local function forget()
  redis.call('HDEL', ids, redis.call('LPOP', order))
end
if same then
  local known = redis.call('HGET', ids, iid)
  if known and not is_old(known) then
    redis.call('HINCRBY', prefix, 'duplicates', 1)
    return known
  end
end
local id = redis.pcall('XADD', stream, unpack(ARGV, 3))
if type(id) ~= 'string' then return id end
adopt()
local first, of = oldest()
while first and (is_old(of) or redis.call('LLEN', order) >= get('maxsize', 100)) do
  forget()
  first, of = oldest()
end
redis.call('SADD', prefix .. ':pids', pid)
redis.call('RPUSH', order, iid)
redis.call('HSET', ids, iid, id)
redis.call('HINCRBY', prefix, 'added', 1)
return id
"""

SET = COMMON + """
local type = redis.call('TYPE', stream).ok
if type == 'none' then return redis.error_reply('ERR no such key') end
if type ~= 'stream' then
  return redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value')
end
adopt()
local changed = ARGV[1] == '1'
for i = 2, #ARGV, 2 do
  changed = changed or get(ARGV[i], 100) ~= tonumber(ARGV[i + 1])
  redis.call('HSET', prefix, ARGV[i], ARGV[i + 1])
end
if changed then
  clear()
  local ends = redis.call('PEXPIRETIME', stream) -- what WATCH sees, and nobody else
  redis.call('PEXPIREAT', stream, ends > 0 and ends or now + 1000000)
  if ends < 0 then redis.call('PERSIST', stream) end
end
return redis.status_reply('OK')
"""

INFO = COMMON + """
local info = redis.pcall('XINFO', 'STREAM', stream)
if info.err then return info end
for i = 1, #info, 2 do
  if info[i] == 'groups' and mark then info[i + 1] = info[i + 1] - 1 end
end
local pids, iids = 0, 0
for _, pid in ipairs(same and redis.call('SMEMBERS', prefix .. ':pids') or {}) do
  local count = 0
  for _, id in ipairs(redis.call('HVALS', prefix .. ':ids:' .. pid)) do
    count = count + (is_old(id) and 0 or 1)
  end
  pids, iids = pids + (count > 0 and 1 or 0), iids + count
end
local n = #info
for i, item in ipairs({'idmp-duration', get('duration', 100), 'idmp-maxsize', get('maxsize', 100), 'pids-tracked', pids,
                       'iids-tracked', iids, 'iids-added', get('added', 0), 'iids-duplicates', get('duplicates', 0)}) do
  info[n + i] = item
end
return info
"""

FAIL = "return redis.error_reply(ARGV[1])"
LIMITS = {b"IDMP-DURATION": (b"duration", 86400, b"seconds"), b"IDMP-MAXSIZE": (b"maxsize", 10000, b"entries")}


class Wrong(Exception):
    """What Redis would say once the command is done."""


def encode(command):
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def script(text, key, *argv):
    return [b"EVAL", text.encode(), b"1", key, *argv]


def _add(command):
    """XADD with IDMP as a script; None: it has none."""
    words, at, pair = command[2:], 0, None
    rest = []
    while at < len(words):
        word = words[at].upper()
        if word in (b"IDMP", b"IDMPAUTO"):
            if pair:
                raise Wrong("ERR IDMP/IDMPAUTO specified multiple times")
            if word == b"IDMPAUTO":
                raise Wrong("ERR IDMPAUTO is not imitated")
            pair = words[at + 1:at + 3]
            if len(pair) < 2:
                raise Wrong("ERR syntax error")
            at += 3
        elif word in (b"NOMKSTREAM", b"KEEPREF", b"DELREF", b"ACKED"):
            rest += [words[at]] if word == b"NOMKSTREAM" else []
            at += 1
        elif word in (b"MAXLEN", b"MINID", b"LIMIT"):
            count = 3 if words[at + 1:at + 2] in ([b"="], [b"~"]) else 2
            rest += words[at:at + count]
            at += count
        else:
            break
    if not pair:
        return None
    if not pair[0]:
        raise Wrong("ERR IDMP requires a non-empty producer ID")
    if not pair[1]:
        raise Wrong("ERR IDMP requires a non-empty idempotent ID")
    if words[at:at + 1] != [b"*"]:
        raise Wrong("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs")
    fields = words[at + 1:]
    if not fields or len(fields) % 2:
        raise Wrong("ERR wrong number of arguments for 'xadd' command")
    return script(ADD, command[1], *pair, *rest, *words[at:])


def _set(command, clears_always):
    argv, words = [], command[2:]
    while words:
        if words[0].upper() not in LIMITS or len(words) < 2:
            raise Wrong("ERR syntax error")
        name, most, unit = LIMITS[words[0].upper()]
        if not re.fullmatch(rb"0|-?[1-9]\d*", words[1]):
            raise Wrong("ERR value is not an integer or out of range")
        if not 1 <= int(words[1]) <= most:
            raise Wrong(f"ERR {words[0].upper().decode()} must be between 1 and {most} {unit.decode()}")
        argv += [name, words[1]]
        words = words[2:]
    if not argv:
        raise Wrong("ERR At least one parameter must be specified")
    return script(SET, command[1], b"1" if clears_always else b"0", *argv)


def read_command(stream):
    """The words of the next command, or None at the end."""
    line = stream.readline()
    if not line.startswith(b"*"):
        return None
    words = []
    for _ in range(int(line[1:])):
        length = int(stream.readline()[1:])
        words.append(stream.read(length + 2)[:length])
    return words


def read_reply(stream):
    """The bytes of the next reply (RESP2), or None at the end."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        return None
    if line[:1] == b"$" and line != b"$-1\r\n":
        return line + stream.read(int(line[1:]) + 2)
    parts = [line]
    if line[:1] == b"*":
        for _ in range(int(line[1:])):
            part = read_reply(stream)
            if part is None:
                return None
            parts.append(part)
    return b"".join(parts)


def _newer(reply):
    """INFO's, of another version."""
    if not reply.startswith(b"$") or reply == b"$-1\r\n":
        return reply
    text = re.sub(rb"redis_version:\S+", b"redis_version:" + VERSION, reply.split(b"\r\n", 1)[1][:-2])
    return b"$%d\r\n%b\r\n" % (len(text), text)


class IdmpRedis:
    """`port`: of the Redis behind it, or a function that tells it. Commands that come are counted by name in `counts`, and kept in
    `commands` as far as `keeps` names them. `hooks`: by name, a function that is called with a command before it goes on."""

    def __init__(self, port, clears_always=True):
        self._behind = port if callable(port) else lambda: port
        self.clears_always = clears_always
        self.counts = collections.Counter()
        self.keeps = {"XCFGSET"}
        self.commands = []
        self.hooks = {}
        self.denied = set()
        self._sockets = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def deny(self, *commands):
        """Such as "xcfgset" or "xinfo|stream"; none: all is allowed again."""
        self.denied = set(commands)

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with contextlib.suppress(OSError):
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far = socket.create_connection(("127.0.0.1", self._behind()))
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(self, near, far)
            with self._lock:
                self._sockets |= {near, far}
            answers = threading.Thread(target=pair.carry_answers, daemon=True)
            answers.start()
            pair.carry_commands()
            answers.join()
            with self._lock:
                self._sockets -= {near, far}
            far.close()
        near.close()

    def rewrite(self, command):
        """(what goes to Redis, what becomes of the answer or None)"""
        name = command[0].upper().decode("latin-1")
        self.counts[name] += 1
        if name in self.keeps:
            self.commands.append(command)
        if name in self.hooks:
            self.hooks[name](command)
        full = "|".join(word.lower().decode("latin-1") for word in command[:2])
        for said in {name.lower(), full} & self.denied:
            # Redis knows no such command either: in a transaction that makes EXEC refuse.
            return [b"$DENIED"], lambda _: f"-NOPERM User default has no permissions to run the '{said}' command\r\n".encode()
        try:
            if name == "INFO":
                return command, _newer
            if name == "XADD" and len(command) > 4:
                return _add(command) or command, None
            if name == "XCFGSET" and len(command) > 1:
                return _set(command, self.clears_always), None
            if full.startswith("xinfo|stream") and len(command) == 3:
                return script(INFO, command[2]), None
        except Wrong as wrong:
            return script(FAIL, command[1], str(wrong).encode()), None
        return command, None

    def done(self):
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Pair:
    """A connection and that to Redis behind it."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.changes = collections.deque()  # of the answers that are awaited, in order
        self.raw = False  # a subscriber: answers come unasked

    def carry_commands(self):
        try:
            stream = self.near.makefile("rb", buffering=1 << 16)
            while (command := read_command(stream)) is not None:
                self.raw = self.raw or command[0].upper() in (b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"MONITOR")
                command, change = self.proxy.rewrite(command)
                self.changes.append(change)
                self.far.sendall(encode(command))
        except (OSError, ValueError):
            pass
        self._end()

    def carry_answers(self):
        try:
            stream = self.far.makefile("rb", buffering=1 << 16)
            while (reply := read_reply(stream)) is not None:
                change = self.changes.popleft() if self.changes and not self.raw else None
                self.near.sendall(change(reply) if change else reply)
        except (OSError, ValueError):
            pass
        self._end()

    def _end(self):
        for each in (self.near, self.far):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
