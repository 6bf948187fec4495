"""A real Redis, the real gateway and real clients, with verbs that wait for conditions and never for time.

HEADGATE_BIN   the gateway to test (default build/release/gateway/headgate)
HEADGATE_WRAP  a command put before it, such as valgrind
HEADGATE_SLOW  a factor on every deadline, for binaries that are slow by nature (sanitizers, valgrind)
HEADGATE_TEST_REDIS  the redis-server to test with (default redis-server, as it is found)
"""

import asyncio
import base64
import contextlib
import ctypes
import http.client
import inspect
import itertools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

import redis as redis_py
import websockets
from redis.backoff import NoBackoff
from redis.retry import Retry

ROOT = Path(__file__).resolve().parent.parent.parent
SLOW = float(os.environ.get("HEADGATE_SLOW", "1"))
BINARY = os.environ.get("HEADGATE_BIN", str(ROOT / "build/release/gateway/headgate"))
WRAP = shlex.split(os.environ.get("HEADGATE_WRAP", ""))
REDIS = shlex.split(os.environ.get("HEADGATE_TEST_REDIS", "redis-server"))
DEADLINE = 20 * SLOW

# What none of our logs may hold.
BAD_SIGNS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|panic at|Sanitizer:"
    r"|ERROR SUMMARY: [1-9]|definitely lost: [1-9]"
)


class Timeout(AssertionError):
    pass


def wait_until(condition, what="the condition", timeout=None, every=0.01):
    """Polls until condition() is truthy and returns its value."""
    end = time.monotonic() + (DEADLINE if timeout is None else timeout * SLOW)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"{what() if callable(what) else what} did not come about in time")
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    """In the child: ended by the kernel when this test run is killed; and Ctrl-C is ours to handle."""
    _libc.prctl(1, signal.SIGKILL)
    os.setpgid(0, 0)


# ---------------------------------------------------------------------------------------------------------------- Redis


class RedisServer:
    """A redis-server of our own on loopback and a unix socket. Options are those of redis.conf with '_' for '-'."""

    def __init__(self, tmpdir, start=True, **opts):
        self.dir = Path(tmpdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.socket = f"{tempfile.gettempdir()}/hgt-{os.getpid()}-{self.port}.sock"  # short: the system limits such paths
        self.opts = {
            "bind": "127.0.0.1",
            "unixsocket": self.socket,
            "dir": str(self.dir),
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
            "databases": "16",
            **{name.replace("_", "-"): str(value) for name, value in opts.items()},
        }
        self.process = None
        self.command = list(REDIS)
        self.logfile = self.dir / "redis.log"
        if start:
            self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    @property
    def unix_url(self):
        return "unix://" + quote(self.socket)

    def version(self):
        """As a tuple that compares; Valkey's own, not the one it is compatible with."""
        with self.client() as client:
            info = client.info("server")
        text = info.get("valkey_version", info["redis_version"])
        return tuple(int(part) for part in str(text).split("."))

    def client(self, **kw):
        kw.setdefault("password", self.opts.get("requirepass"))
        kw.setdefault("retry", Retry(NoBackoff(), 0))  # newer versions would try again by themselves and hide what we look for
        return redis_py.Redis(host="127.0.0.1", port=self.port, **kw)

    def start(self, wait=True):
        assert self.process is None
        for attempt in range(5):
            config = self.dir / "redis.conf"
            lines = [f"{name} {value}" for name, value in self.opts.items()]
            config.write_text("\n".join(lines + [f"port {self.port}", ""]))
            with open(self.logfile, "ab") as log:
                self.process = subprocess.Popen(
                    [*self.command, str(config)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent,
                )
            if not wait:
                return self
            answered = wait_until(self._answers, f"redis-server on port {self.port}", timeout=30)
            if answered == "yes":
                return self
            self.process = None
            # Somebody took the port between our look and its bind: only for a first start may it move.
            if attempt == 4 or b"already in use" not in self.logfile.read_bytes():
                raise AssertionError("redis-server ended: " + self.logfile.read_text()[-2000:])
            self.port = free_port()
        return self

    def repair_log(self):
        """What its operator does after a crash. Left to itself Redis cuts a transaction that was written in part within the
        transaction, and at the start after next takes what stands there for the beginning of the one that follows."""
        log = next((self.dir / "appendonlydir").glob("*.manifest"))
        done = subprocess.run(["redis-check-aof", "--fix", str(log)], input=b"y\n", capture_output=True)
        assert done.returncode == 0, done.stdout[-2000:]

    def _answers(self):
        if self.process.poll() is not None:
            return "ended"
        try:
            with self.client(socket_timeout=5) as client:
                client.ping()
            return "yes"
        except redis_py.exceptions.ResponseError:
            return "yes"  # NOAUTH and the like: it speaks
        except redis_py.exceptions.BusyLoadingError:
            return None
        except redis_py.exceptions.AuthenticationError:
            return "yes"
        except (redis_py.exceptions.RedisError, OSError):
            return None

    def _end(self, number):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(timeout=30 * SLOW)
            self.process = None

    def stop(self):
        self._end(signal.SIGTERM)

    def kill9(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def pause(self):
        """Stops the process where it is: connected, but deaf."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def done(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
        self._end(signal.SIGKILL)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)


class FakeRedis:
    """A server that speaks RESP as badly as the test wants. handler(command, connection) gets a list of bytes and returns the
    bytes to answer with, None for silence, or CLOSE to hang up. Without a handler's answer see `polite`."""

    CLOSE = object()

    def __init__(self, handler):
        self.handler = handler
        self.commands = []
        self.connections = 0
        self._sockets = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def polite(command):
        """Answers to what any client says on connecting."""
        word = command[0].upper()
        if word == b"CLIENT" and len(command) > 1 and command[1].upper() == b"ID":
            return b":7\r\n"
        if word == b"PING":
            return b"+PONG\r\n"
        if word in (b"AUTH", b"SELECT", b"CLIENT"):
            return b"+OK\r\n"
        return None

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            stream = connection.makefile("rb")
            while True:
                command = self._read_command(stream)
                if command is None:
                    break
                self.commands.append(command)
                answer = self.handler(command, connection)
                if answer is self.CLOSE:
                    break
                if answer:
                    connection.sendall(answer)
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._sockets.discard(connection)
            # The stream holds the descriptor too; shutdown reaches the peer at once.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    @staticmethod
    def _read_command(stream):
        line = stream.readline()
        if not line.startswith(b"*"):
            return None
        command = []
        for _ in range(int(line[1:])):
            length = int(stream.readline()[1:])
            command.append(stream.read(length))
            stream.read(2)
        return command

    def done(self):
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


# -------------------------------------------------------------------------------------------------------------- gateway

# Quick in everything that a test would wait for.
DEFAULT_CONFIG = {
    "linger_ms": 100,
    "discover_ms": 50,
    "redis_backoff_min_ms": 10,
    "redis_backoff_max_ms": 200,
    "overload_turn_ms": int(250 * SLOW),
    "topics": [
        {"match": "ch.**", "source": "channel"},
        {"match": "st.**", "source": "stream"},
        {"match": "mapped.*", "source": "stream", "key": "events:{topic}", "payload_field": "payload"},
        {"match": "away.*", "source": "channel", "channel": "elsewhere:{topic}"},
        {"match": "short.*", "source": "stream", "maxlen": 100},
        {"match": "readonly.*", "source": "stream", "emit": False},
        {"match": "auto.**", "source": "auto"},
    ],
}


class Gateway:
    """The real binary. `config` is laid over DEFAULT_CONFIG (a member None leaves the default out)."""

    def __init__(self, tmpdir, redis_url, config=None, env=None, args=(), start=True, listen="127.0.0.1:0"):
        self.dir = Path(tmpdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.config = {"listen": listen, "redis": redis_url, **DEFAULT_CONFIG, **(config or {})}
        self.config = {name: value for name, value in self.config.items() if value is not None}
        self.config_file = self.dir / "headgate.json"
        self.config_file.write_text(json.dumps(self.config, indent=2))
        self.env = env or {}
        self.args = list(args)
        self.binary = BINARY
        self.logfile = self.dir / "gateway.log"
        self.process = None
        self.port = None
        self.clients = []
        self.tls = None  # an ssl.SSLContext: clients speak TLS with it
        if start:
            self.start()

    def start(self):
        valgrind_log = self.dir / "valgrind.log"
        wrap = [part.replace("{log}", str(valgrind_log)) for part in WRAP]
        env = {
            **os.environ,
            "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            **self.env,
        }
        for name in [name for name in env if name.startswith("HEADGATE_") and name not in self.env]:
            del env[name]
        self.log_start = self.logfile.stat().st_size if self.logfile.exists() else 0
        with open(self.logfile, "ab") as log:
            self.process = subprocess.Popen(
                wrap + [self.binary, "--config", str(self.config_file), *self.args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.dir, preexec_fn=_die_with_parent,
            )
        found = self.wait_log(r"listening on https?://(\S+):(\d+)")
        self.port = int(found.group(2))
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def log(self):
        with open(self.logfile, "rb") as file:
            file.seek(self.log_start)
            return file.read().decode("utf-8", "replace")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_log(self, regex, timeout=None):
        """The first match in the log of this run."""
        pattern = re.compile(regex)

        def look():
            found = pattern.search(self.log)
            if not found and not self.alive():
                raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log[-4000:]}")
            return found

        return wait_until(look, lambda: f"log line /{regex}/ in:\n{self.log[-4000:]}\n", timeout)

    def client(self, **kw):
        return WsClient(self, **kw)

    def fd_count(self):
        return len(os.listdir(f"/proc/{self._real_pid()}/fd"))

    def _real_pid(self):
        return self.pid  # valgrind runs its client in the same process

    def client_sockets(self):
        """How many connections to our listening port this process holds."""
        inodes = set()
        for name in ("tcp", "tcp6"):
            with open(f"/proc/{self._real_pid()}/net/{name}", encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    parts = line.split()
                    if int(parts[1].rsplit(":", 1)[1], 16) == self.port and parts[3] != "0A":
                        inodes.add(parts[9])
        held = 0
        base = f"/proc/{self._real_pid()}/fd"
        for fd in os.listdir(base):
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(f"{base}/{fd}")
                held += target.startswith("socket:[") and target[8:-1] in inodes
        return held

    def check_serves(self):
        """Another client still gets a welcome and an answer."""
        client = self.client()
        assert client.request({"op": "ping"})["op"] == "ok"
        client.close()

    def stop(self, check=True):
        """SIGTERM, and everything that must hold of a clean end. Clients still open are closed first and their descriptors counted."""
        if self.process is None:
            return
        for client in self.clients:
            client.close()
        self.clients.clear()
        if check and self.alive():
            wait_until(lambda: self.client_sockets() == 0, lambda: f"{self.client_sockets()} client sockets: their end")
        self.end_with(signal.SIGTERM, check)

    def end_with(self, number, check=True):
        if self.alive():
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=30 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not end on signal {number}:\n{self.log[-4000:]}") from None
        self.process = None
        if check:
            assert code == 0, f"the gateway ended with {code}:\n{self.log[-6000:]}"
            self.check_log()

    def check_log(self):
        text = self.log
        found = BAD_SIGNS.search(text)
        assert not found, f"found {found.group(0)!r} in the log:\n{text[-8000:]}"
        valgrind_log = self.dir / "valgrind.log"
        if valgrind_log.exists():
            text = valgrind_log.read_text(errors="replace")
            assert not BAD_SIGNS.search(text), text[-8000:]
            for block in re.findall(r"==\d+== Open (?:file descriptor|AF_\w+ socket) \d+.*(?:\n==\d+== {3,}.*)*", text):
                assert "<inherited from parent>" in block, f"a descriptor is open at the end:\n{block}\n{text[-4000:]}"

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def done(self):
        """For teardown: stop without masking the test's own failure."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        elif self.process is not None:
            code = self.process.returncode
            self.process = None
            raise AssertionError(f"the gateway ended by itself with {code}:\n{self.log[-6000:]}")


def run_gateway(*args, env=None, timeout=20):
    """Runs the binary to its end, as for --version; returns CompletedProcess with text."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
    return subprocess.run(
        [BINARY, *map(str, args)], env={**environ, **(env or {})}, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=timeout * SLOW, check=False,
    )


# -------------------------------------------------------------------------------------------------------------- clients


class _Loop:
    """One event loop in one thread for all clients of the test run."""

    _instance = None

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    @classmethod
    def get(cls):
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def call(self, coroutine, timeout=None):
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(DEADLINE if timeout is None else timeout)


def _connect(url, headers, **kw):
    """websockets renamed and added parameters over the years."""
    known = inspect.signature(websockets.connect.__init__ if inspect.isclass(websockets.connect) else websockets.connect).parameters
    kw["additional_headers" if "additional_headers" in known else "extra_headers"] = headers
    if "proxy" in known:
        kw["proxy"] = None
    return websockets.connect(url, **kw)


class Refused(AssertionError):
    """The gateway answered with op "error"; .error is the message."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.error = error
        self.code = error.get("code")


class Message(dict):
    """A decoded message that remembers its text."""

    def __init__(self, raw):
        super().__init__(json.loads(raw))
        self.raw = raw

    @property
    def raw_event(self):
        """The bytes of the event as they came, for comparing byte for byte; the event is the last member."""
        mark = '"event":'
        start = self.raw.index(mark, self.raw.index('"topic":')) + len(mark)
        assert self.raw.endswith("}")
        return self.raw[start:-1].encode("utf-8")


class WsClient:
    """A client of the protocol with a blocking interface; a thread receives, the test looks at `messages`."""

    def __init__(self, gateway, subprotocols=("headgate.v1",), origin=None, headers=None, path="/ws", welcome=True,
                 max_queue=None, compression=None):
        self.gateway = gateway
        self.messages = []
        self.close_code = self.close_reason = None
        self._changed = threading.Condition()
        self._taken = 0
        self._version = 0  # changes with every message and with the end
        self._refs = itertools.count(1)
        self._closed = False
        headers = dict(headers or {})
        if origin is not None:
            headers["Origin"] = origin
        self._loop = _Loop.get()
        self._ws = self._loop.call(self._open(gateway, path, headers, subprotocols, max_queue, compression))
        gateway.clients.append(self)
        self._reader = asyncio.run_coroutine_threadsafe(self._read(), self._loop.loop)
        self.welcome = self.recv_until(lambda m: m["op"] == "welcome") if welcome else None

    async def _open(self, gateway, path, headers, subprotocols, max_queue, compression):
        return await _connect(
            f"{'wss' if gateway.tls else 'ws'}://127.0.0.1:{gateway.port}{path}", headers, ssl=gateway.tls,
            subprotocols=list(subprotocols) or None, compression=compression, max_size=None, max_queue=max_queue,
            ping_interval=None, open_timeout=DEADLINE, close_timeout=2 * SLOW,
        )

    async def _read(self):
        try:
            async for raw in self._ws:
                if isinstance(raw, bytes):
                    raw = raw.decode("utf-8")
                message = Message(raw)
                with self._changed:
                    self.messages.append(message)
                    self._version += 1
                    self._changed.notify_all()
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            with self._changed:
                self.close_code = self._ws.close_code
                self.close_reason = self._ws.close_reason
                self._closed = True
                self._version += 1
                self._changed.notify_all()

    @property
    def subprotocol(self):
        return self._ws.subprotocol

    # --- waiting

    def wait(self, condition, what="the condition", timeout=None):
        """Waits until condition() is truthy; looks whenever a message arrived or the connection ended."""
        end = time.monotonic() + (DEADLINE if timeout is None else timeout * SLOW)
        while True:
            seen = self._version
            value = condition()  # outside the lock: the thread that receives must not wait for it
            if value:
                return value
            with self._changed:
                if not self._changed.wait_for(lambda: self._version != seen, end - time.monotonic()):
                    last = [m.raw[:200] for m in self.messages[-10:]]
                    raise Timeout(f"{what} did not come about; closed={self.close_code}, last messages: {last}")

    def recv_until(self, predicate, timeout=None):
        """The next message, after those taken before, that fulfils the predicate."""

        def look():
            while self._taken < len(self.messages):
                message = self.messages[self._taken]
                self._taken += 1
                if predicate(message):
                    return message
            if self._closed:
                raise AssertionError(f"closed with {self.close_code} {self.close_reason!r} before the message came")
            return None

        return self.wait(look, "the message", timeout)

    def wait_closed(self, timeout=None):
        self.wait(lambda: self._closed, "the close", timeout)
        return self.close_code, self.close_reason

    @property
    def closed(self):
        return self._closed

    # --- saying

    def send(self, message):
        """A dict is sent as JSON, a str as it is, bytes as a binary message."""
        if isinstance(message, dict):
            message = json.dumps(message, ensure_ascii=False)
        self._loop.call(self._ws.send(message))

    def answer_to(self, ref, timeout=None):
        return self.recv_once(lambda m: m["op"] in ("ok", "error") and m.get("ref") == ref, timeout)

    def recv_once(self, predicate, timeout=None):
        """The first message of all that fulfils the predicate, whether taken before or not."""
        return self.wait(lambda: next((m for m in list(self.messages) if predicate(m)), None), "the message", timeout)

    def request(self, message, timeout=None):
        """Sends with a fresh ref and returns the answer, ok or error."""
        ref = message.get("ref", f"r{next(self._refs)}")
        self.send({**message, "ref": ref})
        return self.answer_to(ref, timeout)

    def _must(self, message, timeout=None):
        answer = self.request(message, timeout)
        if answer["op"] != "ok":
            raise Refused(answer)
        return answer

    def subscribe(self, topic, **kw):
        """Returns the sub; raises Refused. `from_` stands for the member "from"."""
        if "from_" in kw:
            kw["from"] = kw.pop("from_")
        return self._must({"op": "subscribe", "topic": topic, **kw})["sub"]

    def unsubscribe(self, sub):
        return self._must({"op": "unsubscribe", "sub": sub})

    def emit(self, topic, event, id, timeout=None):  # noqa: A002 - the protocol's own word
        """`event`: a value, or bytes to be sent exactly so. Returns the answer ok; raises Refused."""
        ref = f"r{next(self._refs)}"
        text = event.decode("utf-8") if isinstance(event, bytes) else json.dumps(event)
        head = json.dumps({"op": "emit", "ref": ref, "topic": topic, "id": id}, ensure_ascii=False)
        self.send(f'{head[:-1]},"event":{text}}}')
        answer = self.answer_to(ref, timeout)
        if answer["op"] != "ok":
            raise Refused(answer)
        return answer

    def ping(self):
        return self._must({"op": "ping"})

    # --- looking

    def events(self, sub=None, topic=None):
        return [m for m in list(self.messages) if m["op"] == "event"
                and (sub is None or m["sub"] == sub) and (topic is None or m["topic"] == topic)]

    def ops(self, op, sub=None):
        return [m for m in list(self.messages) if m["op"] == op and (sub is None or m.get("sub") == sub)]

    def wait_events(self, count, sub=None, topic=None, timeout=None):
        """Waits for at least so many events and returns all that are there."""
        self.wait(lambda: len(self.events(sub, topic)) >= count, f"{count} events of sub {sub} topic {topic}", timeout)
        return self.events(sub, topic)

    def wait_op(self, op, sub=None, timeout=None):
        return self.wait(lambda: (self.ops(op, sub) or [None])[0], f"an {op} for sub {sub}", timeout)

    def settle(self):
        """After this everything the gateway sent before the answer to a ping has arrived."""
        self.ping()

    def close(self):
        with contextlib.suppress(Exception):
            self._loop.call(self._ws.close(), timeout=5 * SLOW)
        with contextlib.suppress(Exception):
            self._reader.result(5 * SLOW)

    def abort(self):
        """Cuts the connection without a close frame."""

        async def cut():
            self._ws.transport.abort()

        self._loop.call(cut())
        self.wait_closed()


class RawSocket:
    """Bytes to and from the gateway's port, for what no decent client would say."""

    def __init__(self, gateway, plain=False):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=DEADLINE)
        if gateway.tls and not plain:
            self.socket = gateway.tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = b""
        self.deflated = False  # the frame that was read last has RSV1 set

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """The gateway may hang up while we still talk; what it said before can be read all the same."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def finish(self):
        """Nothing more comes from us; the gateway may have hung up already."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        except socket.timeout:
            raise Timeout(f"no more bytes came after {self.buffer[-200:]!r}") from None
        self.buffer += data
        return bool(data)

    def read_all(self):
        """Everything until the gateway hangs up."""
        while self._fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def read_response(self):
        """(status, headers in lower case, body) of one HTTP response; status None: hung up without one."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                return None, {}, self.buffer
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(lines[0].split()[1]), headers, self.buffer

    def handshake(self, key="dGhlIHNhbXBsZSBub25jZQ==", method="GET", path="/ws", version="13", upgrade="websocket",
                  connection="Upgrade", host="127.0.0.1", protocol=None, http_version="1.1", extra=()):
        lines = [f"{method} {path} HTTP/{http_version}"]
        for name, value in (("Host", host), ("Upgrade", upgrade), ("Connection", connection), ("Sec-WebSocket-Key", key),
                            ("Sec-WebSocket-Version", version), ("Sec-WebSocket-Protocol", protocol)):
            if value is not None:
                lines.append(f"{name}: {value}")
        lines += [f"{name}: {value}" for name, value in extra]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return self.read_response()

    def send_frame(self, opcode, payload=b"", fin=True, masked=True, rsv=0, length=None):
        """One WebSocket frame; `length` may lie about the payload's."""
        n = len(payload) if length is None else length
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        bit = 0x80 if masked else 0
        if n < 126:
            head += bytes([bit | n])
        elif n < 65536:
            head += bytes([bit | 126]) + n.to_bytes(2, "big")
        else:
            head += bytes([bit | 127]) + n.to_bytes(8, "big")
        if masked:
            mask = b"\x12\x34\x56\x78"
            head += mask
            payload = bytes(b ^ mask[i & 3] for i, b in enumerate(payload))
        self.send(head + payload)

    def read_frame(self):
        """(opcode, payload) of the next frame from the gateway, or (None, b"") when it hung up."""

        def need(count):
            while len(self.buffer) < count:
                if not self._fill():
                    return False
            return True

        if not need(2):
            return None, b""
        opcode, n, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
        assert not self.buffer[1] & 0x80, "a server's frame is masked"
        if n >= 126:
            size = 2 if n == 126 else 8
            if not need(2 + size):
                return None, b""
            n, at = int.from_bytes(self.buffer[2:2 + size], "big"), 2 + size
        if not need(at + n):
            return None, b""
        self.deflated = bool(self.buffer[0] & 0x40)
        payload, self.buffer = self.buffer[at:at + n], self.buffer[at + n:]
        return opcode, payload

    def read_close(self):
        """The code of the close frame, past any other frame; None when the gateway hung up without one."""
        while True:
            opcode, payload = self.read_frame()
            if opcode is None:
                return None
            if opcode == 8:
                return int.from_bytes(payload[:2], "big") if payload else 1005


def let_one_not_read(gateway, redis, count):
    """`count` events of 4 KiB on ch.x for one client that reads and one that does not, until all are out: the first gets each, the
    second all in order but for gaps that say how many it missed, of which there is at least one."""
    quick = gateway.client()
    quick.subscribe("ch.x")
    with RawSocket(gateway) as slow:
        assert slow.handshake()[0] == 101
        slow.send_frame(1, b'{"op":"subscribe","ref":1,"topic":"ch.x"}')
        while b'"ref":1' not in slow.read_frame()[1]:
            pass
        payload = "x" * 4000
        for start in range(0, count, 50):
            pipe = redis.client().pipeline(transaction=False)
            for n in range(start, start + 50):
                pipe.publish("ch.x", f'{{"n":{n},"pad":"{payload}"}}')
            pipe.execute()
            # In step, so that the quick one has no reason to fall behind.
            quick.wait_events(start + 50)
        assert [m["event"]["n"] for m in quick.events()] == list(range(count))

        next_n, gapped = 0, 0
        while next_n < count:
            opcode, data = slow.read_frame()
            assert opcode in (1, 9), opcode
            if opcode == 9:
                continue
            message = json.loads(data)
            if message["op"] == "gap":
                assert message["reason"] == "overflow" and message["topic"] == "ch.x"
                gapped += message["count"]
                next_n += message["count"]
            elif message["op"] == "event":
                assert message["event"] == {"n": next_n, "pad": payload}
                next_n += 1
        assert 0 < gapped < count


def http_get(gateway, path, method="GET", headers=None):
    """(status, headers, body); the path is sent as it is."""
    if gateway.tls:
        connection = http.client.HTTPSConnection("127.0.0.1", gateway.port, timeout=DEADLINE, context=gateway.tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=DEADLINE)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def random_key():
    return base64.b64encode(os.urandom(16)).decode()


def stream_id(cursor):
    """The id in a cursor "<ms>-<seq>~<fingerprint>", as a pair that compares."""
    assert re.fullmatch(r"\d+-\d+~[0-9a-f]{8}", cursor), cursor
    ms, seq = cursor.split("~")[0].split("-")
    return int(ms), int(seq)


def ids_of(events):
    return [stream_id(m["cursor"]) for m in events]


def redis_ids(entries):
    """Of what redis-py's xrange gives."""
    return [tuple(map(int, entry_id.decode().split("-"))) for entry_id, _ in entries]
