"""The WebSocket adapter under raw sockets that behave and misbehave. WS_ECHO names the server (ws_echo.c).

Nothing here waits for a time: every wait is for a line of the server or for bytes, with a deadline that only ends a failed test.
"""

import base64
import hashlib
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

import pytest

WAIT = 20.0  # seconds until a wait counts as failed; sanitizers and valgrind are slow
KEY = base64.b64encode(b"0123456789abcdef").decode()
ACCEPT = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Server:
    def __init__(self, *arguments):
        command = os.environ.get("WS_WRAPPER", "").split() + [os.environ["WS_ECHO"], *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lines, self.seen = [], 0
        self.arrived = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        self.port = int(self.wait(r"port (\d+)").group(1))

    def read(self):
        for line in self.process.stdout:
            with self.arrived:
                self.lines.append(line.rstrip("\n"))
                self.arrived.notify_all()
        with self.arrived:
            self.lines.append("(end)")
            self.arrived.notify_all()

    def wait(self, pattern, timeout=WAIT):
        """The next line that matches the pattern whole, from where the last wait ended."""
        deadline = time.monotonic() + timeout
        with self.arrived:
            while True:
                while self.seen < len(self.lines):
                    line = self.lines[self.seen]
                    self.seen += 1
                    match = re.fullmatch(pattern, line)
                    if match:
                        return match
                    assert line != "(end)" or pattern == r"\(end\)", f"the server ended; wanted {pattern}"
                left = deadline - time.monotonic()
                assert left > 0 and self.arrived.wait(left), f"no line {pattern!r}; last: {self.lines[-5:]}"

    def count(self, pattern):
        with self.arrived:
            return sum(1 for line in self.lines if re.fullmatch(pattern, line))

    def wait_count(self, pattern, count):
        deadline = time.monotonic() + WAIT
        with self.arrived:
            while sum(1 for line in self.lines if re.fullmatch(pattern, line)) < count:
                left = deadline - time.monotonic()
                assert left > 0 and self.arrived.wait(left), f"fewer than {count} of {pattern!r}"

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if line not in ("quit", "rusage"):
            self.wait("did " + line)

    def cpu_ms(self):
        """Milliseconds of CPU used; to see that nothing spins. Under valgrind the number tells nothing, and is 0."""
        if "WS_WRAPPER" in os.environ:
            return 0
        self.tell("rusage")
        return int(self.wait(r"cpu (\d+)").group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.tell("quit")
        self.wait("bye")
        assert self.process.wait(WAIT) == 0, "sanitizers or assertions complained"
        opened, closed = self.count(r"open \d+"), self.count(r"closed \d+")
        assert opened == closed, "each session is closed exactly once"
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def server(request):
    one = Server(*getattr(request, "param", ()))
    yield one
    if one.process.poll() is None:
        one.end()
    else:
        pytest.fail(f"the server died: {one.lines[-10:]}")


class Client:
    def __init__(self, server, connect=True, receive_buffer=None, **headers):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT)
        self.socket.connect(("127.0.0.1", server.port))
        self.server, self.buffer = server, b""
        if connect:
            status, _, _ = self.handshake(**headers)
            assert status == 101
            self.index = int(server.wait(r"open (\d+)").group(1))

    def handshake(self, line="GET /ws HTTP/1.1", trailing=b"", **changes):
        """Sends a request to upgrade, with headers changed (None: left out); returns status, headers and body."""
        headers = {"Host": f"127.0.0.1:{self.server.port}", "Upgrade": "websocket", "Connection": "Upgrade",
                   "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
        headers.update({name.replace("_", "-"): value for name, value in changes.items()})
        text = line + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items() if v is not None) + "\r\n"
        self.socket.sendall(text.encode() + trailing)
        return self.response()

    def response(self, head=False):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        text, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = text.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(lines[0].split()[1])
        body = b"" if head or status == 304 else self.take(int(headers.get("content-length", 0)))
        return status, headers, body

    def fill(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError
        self.buffer += piece

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    @staticmethod
    def frame(opcode, payload=b"", fin=True, mask=b"\x11\x22\x33\x44", rsv=0, masked=True, length=None):
        length = len(payload) if length is None else length
        head = bytes([(0x80 if fin else 0) | rsv | opcode])
        bit = 0x80 if masked else 0
        if length < 126:
            head += bytes([bit | length])
        elif length < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", length)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", length)
        if not masked:
            return head + payload
        key = int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
        return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")

    def send(self, opcode, payload=b"", **options):
        self.socket.sendall(self.frame(opcode, payload, **options))

    def text(self, text):
        self.send(TEXT, text.encode())

    def receive(self):
        first, length = self.take(2)
        assert length < 128, "a server does not mask"
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def expect_close(self, code, reason=None):
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                break
        assert struct.unpack(">H", payload[:2])[0] == code
        assert reason is None or payload[2:].decode() == reason

    def expect_end(self):
        """Nothing but the end of the stream, or a reset."""
        try:
            while True:
                self.fill()
        except (EOFError, ConnectionError):
            pass
        assert self.buffer == b""

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def closed(self):
        self.server.wait(f"closed {self.index}")


def assert_alive(server):
    client = Client(server)
    client.text("still there?")
    assert client.receive() == (TEXT, b"still there?")
    client.close()
    client.closed()


# ---- handshake ----

def test_plain_handshake(server):
    client = Client(server, connect=False)
    status, headers, _ = client.handshake()
    assert status == 101
    assert headers["sec-websocket-accept"] == ACCEPT.lower()
    assert headers["upgrade"].lower() == "websocket"
    assert "sec-websocket-protocol" not in headers and "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("offer", ["headgate.v1", "foo, headgate.v1", "headgate.v1,bar", "v2.x , headgate.v1 , headgate.v0"])
def test_subprotocol_is_chosen(server, offer):
    client = Client(server, connect=False)
    status, headers, _ = client.handshake(Sec_WebSocket_Protocol=offer)
    assert status == 101 and headers["sec-websocket-protocol"] == "headgate.v1"


@pytest.mark.parametrize("status, line, changes", [
    (405, "POST /ws HTTP/1.1", {"Content-Length": "0"}),
    (405, "PUT /ws HTTP/1.1", {}),
    (404, "GET /other HTTP/1.1", {}),
    (404, "GET /ws/ HTTP/1.1", {}),
    (404, "GET / HTTP/1.1", {}),
    (404, "GET /" + "x" * 3000 + " HTTP/1.1", {}),
    (400, "GET /ws HTTP/1.0", {}),
    (426, None, {"Sec-WebSocket-Version": "8"}),
    (426, None, {"Sec-WebSocket-Version": "0"}),
    (426, None, {"Sec-WebSocket-Version": "130"}),
    (426, None, {"Sec-WebSocket-Version": "13, 8"}),
    (426, None, {"Sec-WebSocket-Version": None}),
    (426, None, {"Upgrade": None}),
    (426, None, {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}),
    (400, "GET / HTTP/1.1", {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}),
    (400, None, {"Sec-WebSocket-Key": "abc"}),
    (400, None, {"Sec-WebSocket-Key": None}),
    (400, None, {"Sec-WebSocket-Key": "x" * 24}),
    (400, None, {"Sec-WebSocket-Key": "!" * 22 + "=="}),
    (400, None, {"Sec-WebSocket-Key": KEY + "AAAA"}),
    (400, None, {"Sec-WebSocket-Key": "x" * 5000}),
    (400, None, {"Host": None}),
    (400, None, {"Host": "x" * 300}),
    (400, None, {"Connection": None}),
    (400, None, {"Connection": "keep-alive"}),
    (400, None, {"Connection": "up"}),
    (400, None, {"Connection": "Upgrade, " + "x" * 200}),
    (400, None, {"Connection": "Upgrade, 7=7"}),
    (400, None, {"Sec-WebSocket-Extensions": "x" * 201}),
    (400, None, {"Sec-WebSocket-Extensions": "permessage-deflate; " * 40}),
    (400, None, {"Sec-WebSocket-Extensions": "x" * 9000}),
    (400, None, {"Sec-WebSocket-Protocol": "chat"}),
    (400, None, {"Sec-WebSocket-Protocol": "chat, superchat"}),
    (400, None, {"Sec-WebSocket-Protocol": "13, headgate.v1"}),
    (400, None, {"Sec-WebSocket-Protocol": "\"\", headgate.v1"}),
    (400, None, {"Sec-WebSocket-Protocol": "x" * 64 + ", headgate.v1"}),
    (400, None, {"Sec-WebSocket-Protocol": "headgate.v1, " + "x" * 120}),
    (403, None, {"Origin": "http://evil.example"}),
    (403, None, {"Origin": "null"}),
    (403, None, {"Origin": "http://127.0.0.1"}),
    (403, None, {"Origin": "http://" + "x" * 400}),
    (400, None, {"Origin": "http://" + "x" * 600}),
])
def test_refused_handshake(server, status, line, changes):
    client = Client(server, connect=False)
    told, headers, body = client.handshake(line or "GET /ws HTTP/1.1", **changes)
    assert told == status
    assert headers["connection"] == "close" and headers["x-content-type-options"] == "nosniff"
    assert body.endswith(b".\n") and headers["content-type"].startswith("text/plain")
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
    if status == 405:
        assert "get" in headers["allow"]
    if status == 403:
        assert b'"origins"' in body
    client.expect_end()
    assert_alive(server)


@pytest.mark.parametrize("upgrade", ["foo", "TLS/1.0", "x" * 5000, "websocket2", "h2"])
def test_foreign_upgrade(server, upgrade):
    """libwebsockets 4.1.6 used freed memory after these (CVE-2025-11677)."""
    for path in "/ws", "/":
        client = Client(server, connect=False)
        status, _, _ = client.handshake(f"GET {path} HTTP/1.1", Upgrade=upgrade)
        assert status in (400, 403, 426)
        client.buffer = b""
        client.expect_end()
    assert_alive(server)


@pytest.mark.parametrize("bytes_", [
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"GET\r\n\r\n", b"\x00" * 3000, b"FOO /ws HTTP/1.1\r\n\r\n", b"GET /%zz HTTP/1.1\r\n\r\n",
    b"GET /a%00b HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X-A: " + b"b" * 20000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"Accept: %d\r\n" % i for i in range(500)) + b"\r\n",
])
def test_garbage(server, bytes_):
    client = Client(server, connect=False)
    try:
        client.socket.sendall(bytes_)
        client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has hung up already
    try:
        while True:
            client.fill()
    except (EOFError, ConnectionError):
        pass
    assert_alive(server)


@pytest.mark.parametrize("server", [("--origin", "https://app.example", "--origin", "http://two.example:8080/")],
                         indirect=True)
def test_origins(server):
    own = f"127.0.0.1:{server.port}"
    for origin, host, status in [
        (f"http://{own}", own, 101), (f"https://{own}", own, 101), (f"HTTP://{own}", own, 101),
        ("http://gate.example", "gate.example", 101), ("https://gate.example", "GATE.example:443", 101),
        ("http://gate.example:80", "gate.example", 101), ("http://gate.example:81", "gate.example", 403),
        ("ftp://gate.example", "gate.example", 403), ("http://", own, 403), ("gate.example", "gate.example", 403),
        ("https://app.example", own, 101), ("https://app.example:443", own, 101), ("http://app.example", own, 403),
        ("http://two.example:8080", own, 101), ("https://app.example.evil", own, 403),
    ]:
        client = Client(server, connect=False)
        assert client.handshake(Origin=origin, Host=host)[0] == status, (origin, host)
        client.close()


@pytest.mark.parametrize("server", [("--origin", "*")], indirect=True)
def test_any_origin(server):
    for origin in "http://evil.example", "null":
        Client(server, Origin=origin).close()


def test_frames_before_the_answer(server):
    """A client must wait (RFC 6455, section 4.1). libwebsockets writes its answer over what came behind the request."""
    for count in 1, 20, 300, 1500:
        client = Client(server, connect=False)
        client.handshake(trailing=b"".join(Client.frame(TEXT, b"message %d" % i) for i in range(count)))
        client.close()
    assert_alive(server)


def test_byte_by_byte(server):
    client = Client(server, connect=False)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    text = f"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
           f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    for byte in text.encode():
        client.socket.sendall(bytes([byte]))
    assert client.response()[0] == 101
    for byte in Client.frame(TEXT, b"hello" * 50):
        client.socket.sendall(bytes([byte]))
    assert client.receive() == (TEXT, b"hello" * 50)


def test_slow_headers_are_dropped(server):
    client = Client(server, connect=False)
    client.socket.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\n")
    silent = Client(server, connect=False)
    client.expect_end()
    silent.expect_end()


# ---- messages ----

def test_messages_of_all_sizes(server):
    client = Client(server)
    for size in 0, 1, 125, 126, 127, 1000, 1023, 1024, 1025, 1026, 2048, 4096, 4101, 65535, 65536, 100000, 1 << 20:
        payload = os.urandom(size).hex()[:size].encode()
        client.send(TEXT, payload)
        assert client.receive() == (TEXT, payload), size


def test_binary_is_told_apart(server):
    client = Client(server)
    client.send(BINARY, b"\x00\xff" * 10)
    server.wait(f"binary {client.index} 20")
    client.send(BINARY, b"\x00\xff" * 10000)
    server.wait(f"binary {client.index} 20000")


def test_zero_mask_and_masks(server):
    client = Client(server)
    for mask in b"\x00\x00\x00\x00", b"\xff\x00\x00\x00", b"\x00\x00\x00\x01", os.urandom(4):
        client.send(TEXT, b"mask", mask=mask)
        assert client.receive() == (TEXT, b"mask")


def test_fragments_with_pings_between(server):
    client = Client(server)
    sizes = [0, 1, 0, 700, 1024, 3000, 0, 5]
    whole = b""
    for i, size in enumerate(sizes):
        piece = bytes([97 + i]) * size
        whole += piece
        client.send(TEXT if i == 0 else 0, piece, fin=i == len(sizes) - 1)
        if i < len(sizes) - 1:
            client.send(PING, b"ping%d" % i)
            assert client.receive() == (PONG, b"ping%d" % i)
            client.send(PONG, b"unasked")
            server.wait(f"pong {client.index}")
    assert client.receive() == (TEXT, whole)
    server.wait(f"text {client.index} {len(whole)}")


def test_many_small_messages_in_one_segment(server):
    client = Client(server)
    client.socket.sendall(b"".join(Client.frame(TEXT, b"%d" % i) for i in range(5000)))
    for i in range(5000):
        assert client.receive() == (TEXT, b"%d" % i)


def test_pongs_and_flood_of_pings(server):
    client = Client(server)
    client.send(PONG, b"x")
    server.wait(f"pong {client.index}")
    client.socket.sendall(Client.frame(PING, b"p" * 125) * 3000)
    client.text("after")
    while True:
        opcode, payload = client.receive()
        if opcode == TEXT:
            break
        assert (opcode, payload) == (PONG, b"p" * 125)


@pytest.mark.parametrize("server", [("--message-max", 5000)], indirect=True)
def test_too_big(server):
    for send in (lambda c: c.send(TEXT, b"x" * 5001),
                 lambda c: c.send(TEXT, b"x" * 100, length=1 << 40),
                 lambda c: [c.send(TEXT if i == 0 else 0, b"x" * 1000, fin=False) for i in range(6)],
                 lambda c: [c.send(TEXT, b"x" * 3000, fin=False), c.send(0, b"x", length=4000)]):
        client = Client(server)
        client.send(TEXT, b"y" * 5000)
        assert client.receive() == (TEXT, b"y" * 5000)
        send(client)
        server.wait(f"too_big {client.index}")
        client.expect_close(1009)
        client.close()  # an answer would be taken for the rest of the message
        client.closed()
    assert server.count(r"too_big \d+") == 4


@pytest.mark.parametrize("frame, code", [
    (dict(opcode=TEXT, payload=b"x", rsv=0x40), 1002), (dict(opcode=TEXT, payload=b"x", rsv=0x20), 1002),
    (dict(opcode=TEXT, payload=b"x", rsv=0x10), 1002), (dict(opcode=PING, payload=b"x", rsv=0x40), 1002),
    (dict(opcode=PING, payload=b"x" * 126), None), (dict(opcode=PING, payload=b"x", fin=False), 1002),
    (dict(opcode=CLOSE, payload=b"\x03\xe8" + b"x" * 200), None),
    (dict(opcode=0, payload=b"x"), 1002), (dict(opcode=3, payload=b"x"), 1002), (dict(opcode=11, payload=b"x"), 1002),
    (dict(opcode=15, payload=b""), 1002), (dict(opcode=TEXT, payload=b"", length=1 << 63), None),
])
def test_broken_frames(server, frame, code):
    client = Client(server)
    client.send(**frame)
    if code:
        client.expect_close(code)
    else:
        client.expect_end()
    client.close()
    client.closed()
    assert_alive(server)


def test_new_message_within_a_message(server):
    client = Client(server)
    client.send(TEXT, b"a", fin=False)
    client.send(TEXT, b"b")
    client.expect_close(1002)
    client.close()
    client.closed()


def test_unmasked_frames_are_taken(server):
    """libwebsockets does not insist on the mask (RFC 6455, section 5.1 does); harmless, and here to see when it changes."""
    client = Client(server)
    client.send(TEXT, b"bare", masked=False)
    assert client.receive() == (TEXT, b"bare")


# ---- closing ----

@pytest.mark.parametrize("command", ["!close", "!close-now"])
def test_close_by_the_server(server, command):
    client = Client(server)
    client.text(f"{command} 4408 not reading")
    client.expect_close(4408, "not reading")
    client.text("ignored")
    client.send(CLOSE, struct.pack(">H", 4408))
    client.expect_end()
    client.closed()
    assert server.count(rf"text {client.index} 7") == 0


def test_close_behind_data(server):
    client = Client(server)
    client.text("!flood 400 100000")
    server.wait(f"buffered {client.index}")
    client.text("!close 1012 restart")
    server.wait(f"text {client.index} 19")
    while True:
        opcode, payload = client.receive()
        if opcode == CLOSE:
            break
        assert (opcode, payload) == (TEXT, b"f" * 100000), "what was buffered goes out first, whole"
    assert payload == struct.pack(">H", 1012) + b"restart"
    client.send(CLOSE, struct.pack(">H", 1012))
    client.expect_end()
    client.closed()


def test_close_that_nobody_answers(server):
    client = Client(server)
    client.text("!close 1012 restart")
    client.expect_close(1012)
    started = time.monotonic()
    client.closed()
    assert time.monotonic() - started < 6.5
    client.expect_end()


def test_close_of_a_client_that_does_not_read(server):
    client = Client(server, receive_buffer=4096)
    client.text("!flood 100 100000")
    server.wait(f"buffered {client.index}")
    client.text("!close 4408 not reading")
    started = time.monotonic()
    client.closed()
    assert time.monotonic() - started < 6.5
    client.close()


def test_close_while_paused(server):
    client = Client(server)
    client.text("!pause")
    server.wait(f"text {client.index} 6")
    server.tell("close-all")
    client.expect_close(1012)
    client.send(CLOSE, struct.pack(">H", 1012))
    client.expect_end()
    client.closed()


@pytest.mark.parametrize("payload, code", [
    (b"", None), (struct.pack(">H", 1000), 1000), (struct.pack(">H", 1001) + b"leaving", 1001),
    (struct.pack(">H", 3000), 3000), (struct.pack(">H", 4999) + "grüße".encode(), 4999),
    (struct.pack(">H", 999), 1002), (struct.pack(">H", 1005), 1002), (struct.pack(">H", 1006), 1002),
    (struct.pack(">H", 1015), 1002), (struct.pack(">H", 2999), 1002), (b"\x03", 1002),
    (struct.pack(">H", 1000) + b"\xff\xfe", 1007),
])
def test_close_by_the_client(server, payload, code):
    client = Client(server)
    client.send(CLOSE, payload)
    opcode, answer = client.receive()
    assert opcode == CLOSE
    assert code is None and answer == b"" or struct.unpack(">H", answer[:2])[0] == code
    client.closed()
    client.close()


def test_close_from_both_sides(server):
    client = Client(server)
    client.socket.sendall(Client.frame(TEXT, b"!close 1012 restart") + Client.frame(CLOSE, struct.pack(">H", 1000)))
    assert client.receive()[0] == CLOSE
    client.expect_end()
    client.closed()


def test_client_close_while_its_output_waits(server):
    client = Client(server, receive_buffer=4096)
    client.text("!flood 100 100000")
    server.wait(f"buffered {client.index}")
    client.send(CLOSE, struct.pack(">H", 1000))
    client.closed()
    client.close()


def test_client_closes_and_does_not_read(server):
    """Not buffered by libwebsockets but held by the kernel: the answer cannot leave, so a deadline ends it."""
    client = Client(server, receive_buffer=4096)
    client.text("!flood 1 140000")
    server.wait(f"text {client.index} 15")
    client.send(CLOSE, struct.pack(">H", 1000))
    client.closed()
    client.close()


def test_refused_session(server):
    server.tell("refuse")
    client = Client(server, connect=False)
    assert client.handshake()[0] == 101
    client.send(TEXT, b"nobody hears this")
    client.expect_close(1013, "overloaded")
    client.send(CLOSE, struct.pack(">H", 1013))
    client.expect_end()
    server.tell("accept")
    assert_alive(server)
    assert server.count(r"text \d+ 17") == 0


def test_end_with_clients_in_every_state():
    server = Server()
    clients = [Client(server) for _ in range(5)]
    clients[0].text("!flood 100 100000")
    server.wait(r"buffered \d+")
    clients[1].send(TEXT, b"half", fin=False)
    clients[2].socket.sendall(b"\x81")
    clients[3].text("!close 1012 restart")
    clients[3].expect_close(1012)
    clients[4].text("!pause")
    server.wait(r"text \d+ 6")
    halves = [Client(server, connect=False) for _ in range(3)]
    halves[0].socket.sendall(b"GET /ws HT")
    server.end()
    for client in clients + halves:
        client.close()


# ---- resets ----

def test_resets_at_every_stage(server):
    request = (f"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    conversation = request + Client.frame(TEXT, b"first") + Client.frame(PING, b"p") + Client.frame(TEXT, b"y" * 3000) + \
        Client.frame(CLOSE, b"\x03\xe8")
    before = None
    for ending in "reset", "close", "half":
        for length in list(range(0, len(request) + 30, 7)) + list(range(len(request), len(conversation) + 1, 100)):
            client = Client(server, connect=False)
            client.socket.sendall(conversation[:length])
            if ending == "reset":
                client.reset()
            elif ending == "half":
                client.socket.shutdown(socket.SHUT_WR)
                try:
                    while client.socket.recv(65536):
                        pass
                except ConnectionError:
                    pass
            client.close()
        assert_alive(server)
        wait_for(lambda: server.count(r"open \d+") == server.count(r"closed \d+"))
        wait_for(lambda: before is None or server.descriptors() <= before)
        before = before or server.descriptors() + 2


def wait_for(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks, not for a result


@pytest.mark.parametrize("how", ["reset", "half", "close", "bad frame"])
def test_loss_while_output_waits(server, how):
    """libwebsockets goes on flushing for 5 s and lets the input wake the loop at every turn; the sweep ends it sooner."""
    client = Client(server, receive_buffer=4096)
    client.text("!flood 100 100000")
    server.wait(f"buffered {client.index}")
    cpu = server.cpu_ms()
    if how == "reset":
        client.reset()
    elif how == "half":
        client.socket.shutdown(socket.SHUT_WR)
    elif how == "close":
        client.close()
    else:
        client.socket.sendall(Client.frame(3, b"") + b"x" * 20000)
    started = time.monotonic()
    client.closed()
    assert time.monotonic() - started < 3
    assert server.cpu_ms() - cpu < 2500
    client.close()
    assert_alive(server)


# ---- backpressure ----

def test_partial_writes_then_writable(server):
    client = Client(server, receive_buffer=4096)
    client.text("!flood 300 50000")
    server.wait(f"buffered {client.index}")
    client.send(PING, b"between")  # answered behind the frame that waits, never within it
    other = Client(server)
    other.text("not held up")
    assert other.receive() == (TEXT, b"not held up")
    frames, pongs = 0, 0
    while frames < 300:
        opcode, payload = client.receive()
        frames += opcode == TEXT
        pongs += opcode == PONG
        assert payload == (b"f" * 50000 if opcode == TEXT else b"between")
    assert pongs == 1
    server.wait(f"writable {client.index}")
    client.text("and on")
    assert client.receive() == (TEXT, b"and on")


def test_kernel_holds_little_for_one_who_does_not_read(server):
    client = Client(server, receive_buffer=4096)
    client.text("!flood 1000 10000")
    server.wait(f"buffered {client.index}")
    taken = 0  # the transmit queue of the server's end
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == server.port and \
                    int(fields[2].split(":")[1], 16) == client.socket.getsockname()[1]:
                taken = int(fields[4].split(":")[0], 16)
    assert 0 < taken <= 256 << 10, taken
    client.close()


def test_pause_and_resume(server):
    client = Client(server)
    client.socket.sendall(Client.frame(TEXT, b"!pause") + Client.frame(TEXT, b"later") * 100)
    server.wait(f"text {client.index} 6")
    other = Client(server)
    other.text("meanwhile")
    assert other.receive() == (TEXT, b"meanwhile")
    assert server.count(rf"text {client.index} 5") == 0
    cpu = server.cpu_ms()
    for _ in range(200):
        other.text("time passes")
        other.receive()
    assert server.cpu_ms() - cpu < 2000
    server.tell("resume")
    for _ in range(100):
        assert client.receive() == (TEXT, b"later")


def test_one_mebibyte_echo_of_many(server):
    clients = [Client(server) for _ in range(8)]
    payload = b"m" * (1 << 20)
    for client in clients:
        threading.Thread(target=client.send, args=(TEXT, payload), daemon=True).start()
    for client in clients:
        assert client.receive() == (TEXT, payload)


# ---- many ----

def test_two_thousand(server):
    before = server.descriptors()
    clients = [Client(server, connect=False) for _ in range(2000)]
    request = (f"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    for client in clients:
        client.socket.sendall(request)
    for client in clients:
        assert client.response()[0] == 101
    server.wait_count(r"open \d+", 2000)
    for i, client in enumerate(clients):
        client.text(f"client {i}")
    for i, client in enumerate(clients):
        assert client.receive() == (TEXT, b"client %d" % i)
    server.tell("close-all")
    for i, client in enumerate(clients):
        assert client.receive() == (CLOSE, struct.pack(">H", 1012))
        if i % 3 == 0:
            client.send(CLOSE, struct.pack(">H", 1012))
        elif i % 3 == 1:
            client.reset()
        else:
            client.close()
    server.wait_count(r"closed \d+", 2000)
    wait_for(lambda: server.descriptors() <= before)
    for client in clients:
        client.close()


@pytest.mark.parametrize("server", [("--connections", 3)], indirect=True)
def test_connections_max(server):
    clients = [Client(server) for _ in range(3)]
    waiting = [Client(server, connect=False) for _ in range(100)]
    for late in waiting:
        status, headers, _ = late.handshake()
        assert status == 503 and headers["retry-after"] == "5"
        late.expect_end()
    page = Client(server, connect=False)
    assert page.handshake("GET /health HTTP/1.1", Upgrade=None)[0] == 200, "only WebSockets are refused"
    clients.pop().close()
    server.wait(r"closed \d+")

    def enters():
        client = Client(server, connect=False)
        try:
            if client.handshake()[0] == 101:
                clients.append(client)
                return True
        except (EOFError, ConnectionError):
            pass
        return False
    wait_for(enters)


@pytest.mark.parametrize("server", [("--handshakes", 8, "--handshake-ms", 600000)], indirect=True)
def test_half_open_connections_make_room(server):
    before = server.descriptors()
    half = [Client(server, connect=False) for _ in range(8)]
    for client in half:
        client.socket.sendall(b"GET /ws")
    wait_for(lambda: server.descriptors() >= before + 8)
    # All places are taken. These have a moment, then each of those who come takes the place of the oldest.
    later = [Client(server) for _ in range(20)]
    half[0].expect_end()
    for client in later:
        client.text("here")
        assert client.receive() == (TEXT, b"here")


def test_a_silent_connection_is_not_accepted(server):
    before = server.descriptors()
    silent = Client(server, connect=False)
    talking = Client(server)
    assert server.descriptors() == before + 1
    assert silent.handshake()[0] == 101, "as soon as it speaks"
    talking.text("alive")
    assert talking.receive() == (TEXT, b"alive")


@pytest.mark.parametrize("server", [("--handshakes", 8)], indirect=True)
def test_handshakes_wait_in_the_kernel_while_all_places_are_young(server):
    """Many more than there are places, all at once: nobody is sent away for it."""
    clients = [Client(server, connect=False) for _ in range(200)]
    for client in clients:
        assert client.handshake()[0] == 101
    server.wait_count(r"open \d+", 200)


@pytest.mark.parametrize("server", [("--handshake-ms", 300)], indirect=True)
def test_a_request_that_trickles_is_timed_out(server):
    bystander = Client(server)
    slow, stopped = Client(server, connect=False), Client(server, connect=False)
    stopped.socket.sendall(b"GET ")
    text = f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Slow: ".encode() + b"x" * 10000
    for byte in text:
        try:
            slow.socket.sendall(bytes([byte]))
        except ConnectionError:
            break
        if select.select([slow.socket], [], [], 0.005)[0]:
            break
    else:
        pytest.fail("it could go on for as long as it liked")
    slow.expect_end()
    stopped.expect_end()
    bystander.text("alive")
    assert bystander.receive() == (TEXT, b"alive")


@pytest.mark.skipif("WS_WRAPPER" in os.environ, reason="valgrind keeps descriptors of its own")
@pytest.mark.parametrize("server", [("--nofile", 60, "--connections", 1000)], indirect=True)
def test_out_of_descriptors(server):
    clients = [Client(server, connect=False) for _ in range(100)]
    served = []
    for client in clients:
        try:
            if client.handshake()[0] == 101:
                served.append(client)
        except (EOFError, ConnectionError):
            client.close()
    assert 30 < len(served) < 60
    server.wait(r"log 0 cannot accept connections: .*")
    cpu = server.cpu_ms()
    for _ in range(50):
        served[0].text("alive")
        assert served[0].receive() == (TEXT, b"alive")
    assert server.cpu_ms() - cpu < 2000
    for client in served[1:11]:
        client.close()
    server.wait_count(r"closed \d+", 10)
    wait_for(lambda: server.descriptors() <= 52)
    assert_alive(server)
    assert server.count(r"log 0 cannot accept connections: .*") == 1


def test_stop_accepting(server):
    client = Client(server)
    server.tell("stop-accepting")
    def refused():
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=WAIT).close()
        except ConnectionRefusedError:
            return True
        return False
    wait_for(refused)
    client.text("those there stay")
    assert client.receive() == (TEXT, b"those there stay")


def test_port_in_use(server):
    command = [os.environ["WS_ECHO"], "--port", str(server.port)]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
    assert process.returncode == 1
    assert process.stderr == f"cannot listen on 127.0.0.1 port {server.port}: Address already in use\n"


@pytest.mark.parametrize("host, address", [("*", "127.0.0.1"), ("localhost", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_listen_addresses(host, address):
    server = Server("--host", host)
    with socket.create_connection((address, server.port), timeout=WAIT) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in client.recv(4096)
    server.end()


def test_unknown_host():
    process = subprocess.run([os.environ["WS_ECHO"], "--host", "999.1.1.1.invalid"], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=WAIT)
    assert process.returncode == 1 and process.stderr.startswith("cannot listen on 999.1.1.1.invalid: ")


# ---- HTTP ----

@pytest.fixture
def site(tmp_path):
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "index.html").write_text("<!doctype html>page")
    (tmp_path / "page.css").write_text("body{}")
    (tmp_path / "main.js").write_text("//" + "j" * 1000)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "middle.txt").write_bytes(b"m" * 20_000)
    (tmp_path / "pieces.txt").write_bytes(b"p" * 150_000)
    (tmp_path / "big.json").write_bytes(b"0" * 3_000_000)
    (tmp_path / "secret.key").write_text("no")
    (tmp_path / ".hidden.html").write_text("no")
    (tmp_path / "docs" / "index.html").write_text("docs")
    (tmp_path / "docs" / "deep" / "a.md").write_text("# a")
    one = Server("--files", tmp_path)
    yield one
    one.end()


def get(client, path, method="GET", **headers):
    lines = "".join(f"{n.replace('_', '-')}: {v}\r\n" for n, v in {"Host": "a", **headers}.items())
    client.socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
    return client.response(head=method == "HEAD")


def test_files(site):
    client = Client(site, connect=False)  # all over one connection
    for path, type_, body in [("/", "text/html; charset=utf-8", b"<!doctype html>page"),
                              ("/page.css", "text/css; charset=utf-8", b"body{}"),
                              ("/main.js", "text/javascript; charset=utf-8", b"//" + b"j" * 1000),
                              ("/empty.txt", "text/plain; charset=utf-8", b""),
                              ("/big.json", "application/json", b"0" * 3_000_000),
                              ("/docs/", "text/html; charset=utf-8", b"docs"),
                              ("/docs/deep/a.md", "text/markdown; charset=utf-8", b"# a"),
                              ("/page.css?version=2", "text/css; charset=utf-8", b"body{}")]:
        status, headers, got = get(client, path)
        assert (status, headers["content-type"], got) == (200, type_, body), path
        assert headers["cache-control"] == "no-cache" and headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        etag = headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{16}"', etag)
        for tag in etag, "W/" + etag, f'"x", {etag}', "*":
            assert get(client, path, If_None_Match=tag)[0] == 304
        assert get(client, path, If_None_Match='"0123"')[0] == 200
        status, headers, _ = get(client, path, method="HEAD")
        assert status == 200 and int(headers["content-length"]) == len(body)


def test_no_such_file(site):
    client = Client(site, connect=False)
    for path in ("/nothing", "/secret.key", "/.hidden.html", "/index.html/", "/../etc/passwd", "/docs/../../etc/passwd",
                 "/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/docs/deep/", "/docs/deep", "//", "/" + "x" * 2000,
                 "/page.css/", "/a;b", "/a&b", "/docs/deep/a.md/.."):
        status, headers, body = get(client, path)
        assert status == 404 or (path in ("//", "/docs/../../etc/passwd") and status in (200, 404)), path
        if status == 404:
            assert body == b"There is nothing here.\n" and headers["content-type"] == "text/plain; charset=utf-8"
    assert get(client, "/nothing", method="HEAD")[0] == 404


def test_redirect_health_and_methods(site):
    client = Client(site, connect=False)
    status, headers, _ = get(client, "/docs")
    assert status == 301 and headers["location"] == "/docs/"
    status, headers, body = get(client, "/health")
    assert status == 200 and body == b'{"status":"ok"}\n' and headers["content-type"] == "application/json"
    for method in "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
        other = Client(site, connect=False)
        status, headers, _ = get(other, "/", method=method, Content_Length="5")
        assert status == 405 and headers["allow"] == "get, head"
        other.expect_end()
    status, headers, _ = get(client, "/", Connection="close")
    assert status == 200 and headers["connection"] == "close"
    client.expect_end()
    old = Client(site, connect=False)
    old.socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    status, headers, _ = old.response()
    assert status == 200 and headers["connection"] == "close"
    old.expect_end()
    old = Client(site, connect=False)
    old.socket.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    status, headers, _ = old.response()
    assert status == 200 and headers["connection"] == "keep-alive"


@pytest.mark.parametrize("headers", [{"Content_Length": "5"}, {"Content_Length": "x"}, {"Transfer_Encoding": "chunked"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_request_with_content(site, method, headers):
    """Refused, and the connection ends, so that nothing that follows is taken for a request."""
    client = Client(site, connect=False)
    status, answered, _ = get(client, "/page.css", method=method, **headers)
    assert status == 400 and answered["connection"] == "close"
    client.expect_end()
    client = Client(site, connect=False)
    assert get(client, "/page.css", method=method, Content_Length="0")[0] == 200
    assert get(client, "/page.css", method=method)[0] == 200


def test_slow_reader_of_a_file(site):
    client = Client(site, connect=False, receive_buffer=4096)
    client.socket.sendall(b"GET /big.json HTTP/1.1\r\nHost: a\r\n\r\n")
    other = Client(site, connect=False)
    assert get(other, "/page.css")[0] == 200
    _, headers, body = client.response()
    assert len(body) == int(headers["content-length"])
    client.socket.sendall(b"GET /big.json HTTP/1.1\r\nHost: a\r\n\r\n")
    client.fill()
    client.reset()
    assert get(other, "/page.css")[0] == 200


def test_each_request_follows_the_last_byte_of_the_answer(site):
    client = Client(site, connect=False)
    for path, length in [("/page.css", 6), ("/middle.txt", 20_000), ("/pieces.txt", 150_000)]:
        for _ in range(200):
            status, _, body = get(client, path)
            assert (status, len(body)) == (200, length)
    for path in "/page.css", "/middle.txt", "/pieces.txt":  # and a handshake in the end
        other = Client(site, connect=False)
        assert get(other, path)[0] == 200
        assert other.handshake()[0] == 101


def test_pipelined_requests(site):
    client = Client(site, connect=False)
    client.socket.sendall(b"GET /page.css HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
    for _ in range(20):
        assert client.response()[2] == b"body{}"


def test_pipelined_request_behind_a_file_that_nobody_reads(site):
    client = Client(site, connect=False, receive_buffer=4096)
    client.socket.sendall(b"GET /big.json HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    cpu, started = site.cpu_ms(), time.monotonic()
    wait_for(lambda: select.select([client.socket], [], [], 0)[0])

    def dropped():
        try:
            client.socket.sendall(b"x")
        except ConnectionError:
            return True
        return False
    wait_for(dropped)
    assert time.monotonic() - started < 3
    assert site.cpu_ms() - cpu < 2500
