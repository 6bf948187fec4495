"""permessage-deflate (RFC 7692) at the WebSocket adapter: what is agreed, what is inflated, and what is refused."""

import os
import random
import struct
import zlib

import pytest

from test_ws import CLOSE, PING, PONG, TEXT, BINARY, Client, Server, assert_alive

RSV1 = 0x40
MAX = 1 << 20
NEITHER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.fixture
def server(request):
    one = Server("--deflate", *getattr(request, "param", (13,)))
    yield one
    if one.process.poll() is None:
        one.end()
    else:
        pytest.fail(f"the server died: {one.lines[-10:]}")


def deflate(message, level=6, bits=15, mode=zlib.Z_SYNC_FLUSH):
    packer = zlib.compressobj(level, zlib.DEFLATED, -bits)
    data = packer.compress(message) + packer.flush(mode)
    return data[:-4] if mode == zlib.Z_SYNC_FLUSH else data + b"\x00"


class Deflating(Client):
    def __init__(self, server, offer="permessage-deflate; client_max_window_bits"):
        super().__init__(server, Sec_WebSocket_Extensions=offer)
        server.wait(f"deflates {self.index}")

    def say(self, message, opcode=TEXT, **how):
        self.send(opcode, deflate(message, **how), rsv=RSV1)


def offered(server, offer):
    client = Client(server, connect=False)
    status, headers, _ = client.handshake(Sec_WebSocket_Extensions=offer)
    return client, status, headers.get("sec-websocket-extensions")


# ---- what is agreed ----

@pytest.mark.parametrize("offer, answer", [
    ("permessage-deflate", NEITHER),
    ("permessage-deflate; client_max_window_bits", NEITHER),
    ("permessage-deflate; client_max_window_bits=9; server_max_window_bits=14", NEITHER + "; server_max_window_bits=13"),
    ("permessage-deflate; server_max_window_bits=12", None),
    ("permessage-deflate; server_max_window_bits=12, permessage-deflate", NEITHER),
    ("permessage-deflate, permessage-deflate; server_no_context_takeover", NEITHER),
    ("permessage-deflate; unknown, permessage-deflate; server_max_window_bits=\"13\", permessage-deflate",
     NEITHER + "; server_max_window_bits=13"),
    ("x-webkit-deflate-frame, permessage-deflate", NEITHER),
    ("permessage-deflate\t;\tserver_no_context_takeover", NEITHER),
    (",, permessage-deflate ,,", NEITHER),
    ("foo; permessage-deflate, bar", None),
    ("Permessage-Deflate", None),
    ("foo", None),
    ("", None),
])
def test_agreement(server, offer, answer):
    client, status, told = offered(server, offer)
    assert (status, told) == (101, answer)
    server.wait(r"open \d+")
    message = b"hello " * 10
    if answer:
        server.wait(r"deflates \d+")
        client.send(TEXT, deflate(message), rsv=RSV1)
    else:
        client.send(TEXT, message)
    assert client.receive() == (TEXT, message)
    assert server.count(r"deflates \d+") == (1 if answer else 0)


@pytest.mark.parametrize("offer", [";", "permessage-deflate;", "permessage-deflate; x=\"", "permessage-deflate; x=\"a b\"", "a b",
                                   "permessage-deflate; x=\"permessage-deflate, permessage-deflate\"", "permessage-deflate/1", "=1"])
def test_what_is_no_list_is_refused(server, offer):
    client, status, told = offered(server, offer)
    assert (status, told) == (400, None)
    client.expect_end()
    assert_alive(server)


@pytest.mark.parametrize("offer", ["permessage-deflate;\tpermessage-deflate, permessage-deflate",
                                   "permessage-deflate, a;\tpermessage-deflate"])
def test_what_libwebsockets_reads_otherwise(server, offer):
    """A tab ends an offer for it. Whatever it makes of it, frames and answer agree."""
    client = Client(server, connect=False)
    try:
        status, headers, _ = client.handshake(Sec_WebSocket_Extensions=offer)
        assert status == 101 and headers.get("sec-websocket-extensions") in (None, NEITHER)
        client.send(TEXT, deflate(b"x"), rsv=RSV1)
        if "sec-websocket-extensions" in headers:
            assert client.receive() == (TEXT, b"x")
        else:
            client.expect_close(1002)
    except (EOFError, ConnectionError):
        pass
    assert_alive(server)


def test_two_fields_are_one_list(server):
    client = Client(server, connect=False)
    status, headers, _ = client.handshake(
        Sec_WebSocket_Extensions="permessage-deflate; unknown\r\nSec-WebSocket-Extensions: permessage-deflate")
    assert (status, headers["sec-websocket-extensions"]) == (101, NEITHER)


@pytest.mark.parametrize("server", [(0,)], indirect=True)
def test_not_agreed_when_switched_off(server):
    client, status, told = offered(server, "permessage-deflate")
    assert (status, told) == (101, None)
    client.send(TEXT, deflate(b"hello"), rsv=RSV1)
    client.expect_close(1002)
    assert offered(server, "permessage-deflate;")[1] == 400


def test_with_everything_else_of_a_handshake(server):
    client = Client(server, connect=False)
    status, headers, _ = client.handshake(Sec_WebSocket_Protocol="other, headgate.v1", Origin=f"http://127.0.0.1:{server.port}",
                                          Sec_WebSocket_Extensions="permessage-deflate; server_max_window_bits=15",
                                          Cookie="c=" + "d" * 8000)
    assert status == 101
    assert headers["sec-websocket-protocol"] == "headgate.v1"
    assert headers["sec-websocket-extensions"] == NEITHER + "; server_max_window_bits=13"
    client.send(TEXT, deflate(b"hello"), rsv=RSV1)
    assert client.receive() == (TEXT, b"hello")


# ---- what is inflated ----

def test_messages_of_all_sizes(server):
    client = Deflating(server)
    for size in 0, 1, 125, 126, 127, 1000, 1023, 1024, 1025, 1026, 2048, 4096, 4101, 65535, 65536, 100000, MAX:
        for payload in os.urandom(size).hex()[:size].encode(), b"a" * size:
            client.say(payload)
            assert client.receive() == (TEXT, payload), size


def test_plain_and_deflated_in_turn(server):
    client = Deflating(server)
    for i in range(200):
        if i % 3:
            client.say(b"deflated %d" % i)
        else:
            client.send(TEXT, b"plain %d" % i)
    for i in range(200):
        assert client.receive() == (TEXT, b"%s %d" % (b"deflated" if i % 3 else b"plain", i))


@pytest.mark.parametrize("how", [{"level": 0}, {"level": 1}, {"level": 9, "bits": 9}, {"mode": zlib.Z_FINISH}, {"bits": 12}])
def test_other_ways_to_deflate(server, how):
    client = Deflating(server)
    for size in 0, 10, 5000, 200000:
        message = b"".join(b"%d," % random.Random(i).randrange(1000) for i in range(size // 3))
        client.say(message, **how)
        assert client.receive() == (TEXT, message)


def test_fragments_with_pings_between(server):
    client = Deflating(server)
    message = os.urandom(3000).hex().encode() + b"z" * 50000
    data = deflate(message)
    for cuts in [[0, len(data)], [1, 2, 3], [0, 0, 700, 700, 1024, 3000, len(data)], [len(data)], [len(data) - 1]]:
        at = 0
        for i, cut in enumerate(cuts):
            client.send(0 if i else TEXT, data[at:cut], fin=False, rsv=0 if i else RSV1)
            at = cut
            client.send(PING, b"ping %d" % i)
            assert client.receive() == (PONG, b"ping %d" % i)
        client.send(0, data[at:])
        assert client.receive() == (TEXT, message), cuts
    assert server.count(r"pong \d+") == 0


def test_byte_by_byte(server):
    client = Deflating(server)
    frame = client.frame(TEXT, deflate(b"hello" * 50), rsv=RSV1)
    for byte in frame + client.frame(PONG, b"x") + client.frame(TEXT, b"plain"):
        client.socket.sendall(bytes([byte]))
    assert client.receive() == (TEXT, b"hello" * 50)
    assert client.receive() == (TEXT, b"plain")
    server.wait(f"pong {client.index}")


def test_many_at_once_on_connections_that_share_one_inflater(server):
    clients = [Deflating(server) for _ in range(20)]
    for turn in range(20):
        messages = [os.urandom(20 + 50 * turn).hex().encode() for _ in clients]
        halves = [(deflate(m)[:len(m) // 3], deflate(m)[len(m) // 3:]) for m in messages]
        for client, (first, _) in zip(clients, halves):
            client.send(TEXT, first, rsv=RSV1, fin=False)
        for client, (_, second) in zip(clients, halves):
            client.send(0, second)
        for client, message in zip(clients, messages):
            assert client.receive() == (TEXT, message)


def test_binary_is_told_apart(server):
    client = Deflating(server)
    client.say(b"\x00\xff" * 10000, opcode=BINARY)
    server.wait(f"binary {client.index} 20000")


def test_paused_and_resumed(server):
    client = Deflating(server)
    client.say(b"!pause")
    server.wait(f"text {client.index} 6")
    for i in range(100):
        client.say(b"later %d" % i * 100)
    server.tell("resume")
    for i in range(100):
        assert client.receive() == (TEXT, b"later %d" % i * 100)


def test_closing_with_a_message_half_sent(server):
    for _ in range(5):
        client = Deflating(server)
        client.send(TEXT, deflate(os.urandom(5000))[:2000], rsv=RSV1, fin=False)
        client.send(PING, b"p")
        assert client.receive() == (PONG, b"p")
        client.reset()
        client.closed()
    client = Deflating(server)
    client.say(b"!close-now 1008 go")
    client.expect_close(1008, "go")


# ---- what is refused ----

@pytest.mark.parametrize("data", [b"", b"hello, this is text", b"\x06", deflate(b"x" * 100)[:-2], os.urandom(100) + b"\x06",
                                  b"\x62\x80" * 5000])
def test_garbage_is_told(server, data):
    client = Deflating(server)
    client.send(TEXT, data, rsv=RSV1)
    server.wait(f"garbled {client.index}")
    client.expect_close(1007)
    client.send(CLOSE, struct.pack(">H", 1007))
    client.closed()
    other = Deflating(server)
    other.say(b"fine")
    assert other.receive() == (TEXT, b"fine")


def test_rsv1_behind_the_first_frame(server):
    client = Deflating(server)
    data = deflate(b"hello" * 100)
    client.send(TEXT, data[:5], rsv=RSV1, fin=False)
    client.send(0, data[5:], rsv=RSV1)
    client.expect_close(1002)
    client = Deflating(server)
    client.send(TEXT, b"plain", fin=False)
    client.send(0, b"", rsv=RSV1, fin=False)
    client.expect_close(1002)
    assert_alive(server)


def test_rsv1_in_control_frames(server):
    client = Deflating(server)
    client.send(PONG, b"x", rsv=RSV1)
    client.expect_close(1002)
    client = Deflating(server)
    client.send(CLOSE, struct.pack(">H", 1000), rsv=RSV1)
    client.expect_close(1002)
    client.closed()
    assert server.count(r"pong \d+") == 0
    assert_alive(server)


@pytest.mark.parametrize("rsv", [0x20, 0x10, 0x60, 0x70])
def test_other_reserved_bits(server, rsv):
    client = Deflating(server)
    client.send(TEXT, deflate(b"x"), rsv=rsv)
    client.expect_close(1002)


def test_rsv1_where_it_was_not_agreed(server):
    client = Client(server)
    client.send(TEXT, deflate(b"x"), rsv=RSV1)
    client.expect_close(1002)


def memory_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_a_bomb_costs_little(server):
    """A GiB of zeros in a MiB, twenty times over, whole and in pieces."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (packer.compress(bytes(MAX)) + packer.flush(zlib.Z_FULL_FLUSH)) * 1024
    assert len(bomb) < 1.1 * MAX
    warm = Deflating(server)
    warm.say(b"b" * MAX)
    assert warm.receive() == (TEXT, b"b" * MAX)
    memory, cpu = memory_kib(server), server.cpu_ms()
    for turn in range(20):
        client = Deflating(server)
        if turn % 2:
            client.send(TEXT, bomb, rsv=RSV1)
        else:
            for at in range(0, len(bomb), 65536):
                client.send(0 if at else TEXT, bomb[at:at + 65536], fin=at + 65536 >= len(bomb), rsv=0 if at else RSV1)
        server.wait(f"too_big {client.index}")
        client.expect_close(1009)
        client.close()
        client.closed()
    if "WS_WRAPPER" not in os.environ and "/release/" in os.environ["WS_ECHO"]:
        assert memory_kib(server) - memory < 16 * 1024
        assert server.cpu_ms() - cpu < 3000
    assert_alive(server)


@pytest.mark.parametrize("server", [(15, "--message-max", 1000)], indirect=True)
def test_the_ceiling_counts_what_it_inflates_to(server):
    client = Deflating(server)
    for size, fits in (1000, True), (1001, False):
        client.say(b"c" * size)
        if fits:
            assert client.receive() == (TEXT, b"c" * size)
        else:
            server.wait(f"too_big {client.index}")
            client.expect_close(1009)
    noise = os.urandom(1000)
    client = Deflating(server)
    client.say(noise, opcode=BINARY)  # becomes longer by being deflated
    server.wait(f"binary {client.index} 1000")
    client.send(TEXT, b"", fin=False, rsv=RSV1)
    client.send(0, b"x", length=1200)  # the rest is announced only
    server.wait(f"too_big {client.index}")
    client.expect_close(1009)
