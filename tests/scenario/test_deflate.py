"""permessage-deflate: what compressed clients get is what plain ones get; what they send is inflated, within bounds."""

import json
import os
import zlib

import pytest

from harness import RawSocket, wait_until

RULES = [{"match": "st.**", "source": "stream"}, {"match": "**", "source": "channel"}]
OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
MIB = 1 << 20


def deflate(message, level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(data):
    return zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")


class Deflating(RawSocket):
    """A client by hand, so that what crosses the wire can be seen."""

    def __init__(self, gateway, offer=OFFER):
        super().__init__(gateway)
        self.bytes = self.frames_deflated = 0
        status, headers, _ = self.handshake(extra=offer)
        assert status == 101 and headers["sec-websocket-extensions"].startswith("permessage-deflate; ")
        assert self.read_message()["op"] == "welcome"

    def read_message(self):
        """The next message; pings are answered on the way."""
        while True:
            opcode, payload = self.read_frame()
            assert opcode in (1, 9), opcode
            if opcode == 9:
                self.send_frame(10, payload)
                continue
            self.bytes += len(payload)
            self.frames_deflated += self.deflated
            return json.loads(inflate(payload) if self.deflated else payload)

    def say(self, message, **how):
        self.send_frame(1, deflate(json.dumps(message).encode()), rsv=4, **how)

    def subscribe(self, topic):
        self.say({"op": "subscribe", "ref": "s", "topic": topic})
        answer = self.read_message()
        assert (answer["op"], answer["ref"]) == ("ok", "s"), answer
        return answer["sub"]


def order(n, lines=40):
    return {"type": "OrderPlaced", "n": n, "lines": [
        {"sku": f"SKU-{(n * 7919 + i * 104729) % 1000000:06}", "name": "coffee", "quantity": 1 + i % 9, "currency": "EUR"} for i in range(lines)]}


@pytest.mark.valgrind
def test_all_get_the_same_and_some_in_a_third_of_the_bytes(redis, make_gateway):
    gateway = make_gateway(redis, topics=RULES)
    by_hand, plain = [Deflating(gateway) for _ in range(3)], gateway.client()
    library = [gateway.client(compression="deflate") for _ in range(2)]
    for topic in "st.a", "ch.a":
        for client in by_hand + library + [plain]:
            client.subscribe(topic)
    with redis.client() as backend:
        for n in range(200):
            if n % 2:
                backend.publish("ch.a", json.dumps(order(n, lines=1 if n % 10 == 1 else 40)))
            else:
                backend.xadd("st.a", {"event": json.dumps(order(n))})
    events = plain.wait_events(200)
    for client in library:
        assert sorted(m.raw for m in client.wait_events(200)) == sorted(m.raw for m in events)
        for topic in "st.a", "ch.a":
            assert [m.raw for m in client.events(topic=topic)] == [m.raw for m in plain.events(topic=topic)]
    for client in by_hand:
        client.bytes = 0
        messages = [client.read_message() for _ in range(200)]
        assert client.frames_deflated == 180
        assert sorted(m["event"]["n"] for m in messages) == list(range(200))
        assert all(m["event"] == order(m["event"]["n"], lines=1 if m["event"]["n"] % 10 == 1 else 40) for m in messages)
        assert client.bytes < 0.35 * sum(len(m.raw) for m in events)
        client.socket.close()


def test_windows_and_settings(redis, make_gateway):
    gateway = make_gateway(redis, topics=RULES, deflate_window_bits=10, deflate_level=9, deflate_min_bytes=0)
    narrow = [Deflating(gateway, [("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=10")]) for _ in range(2)]
    with RawSocket(gateway) as raw:
        headers = raw.handshake(extra=[("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=9")])[1]
        assert "sec-websocket-extensions" not in headers
    for client in narrow:
        client.subscribe("ch.a")
    text = json.dumps(order(1, lines=500))
    with redis.client() as backend:
        backend.publish("ch.a", text)
    for client in narrow:
        opcode, payload = client.read_frame()
        assert opcode == 1 and client.deflated
        assert json.loads(zlib.decompressobj(-10).decompress(payload + b"\x00\x00\xff\xff"))["event"] == json.loads(text)
        client.socket.close()


def test_fragments_with_pings_between(gateway):
    client = Deflating(gateway)
    data = deflate(json.dumps({"op": "ping", "pad": "x" * 3000 + os.urandom(500).hex()}).encode())
    for at in range(0, len(data), 100):
        client.send_frame(0 if at else 1, data[at:at + 100], fin=at + 100 >= len(data), rsv=0 if at else 4)
        if at + 100 < len(data):
            client.send_frame(9, b"%d" % at)
            assert client.read_frame() == (10, b"%d" % at)
    assert client.read_message()["op"] == "ok"
    client.socket.close()


@pytest.mark.parametrize("frames, code", [
    ([(1, deflate(b'{"op":"ping"}'), 4, False), (0, b"", 4, True)], 1002),
    ([(1, b'{"op":"ping"', 0, False), (0, b"}", 4, True)], 1002),
    ([(10, b"x", 4, True)], 1002),
    ([(8, b"\x03\xe8", 4, True)], 1002),
    ([(1, deflate(b"{}"), 2, True)], 1002),
    ([(1, b"this is no deflate data", 4, True)], 1007),
    ([(1, deflate(b'{"op":"ping"}')[:-3], 4, True)], 1007),
    ([(1, b"", 4, True)], 1007),
    ([(1, deflate(b'{"op":"ping","ref":"\xff"}'), 4, True)], 1007),
    ([(2, deflate(b"binary"), 4, True)], 1003),
], ids=["continuation", "of-plain", "pong", "close", "rsv2", "text", "cut", "empty", "utf8", "binary"])
def test_what_is_not_right_is_refused(gateway, frames, code):
    bystander = gateway.client(compression="deflate")
    client = Deflating(gateway)
    for opcode, payload, rsv, fin in frames:
        client.send_frame(opcode, payload, rsv=rsv, fin=fin)
    assert client.read_close() == code
    client.socket.close()
    assert bystander.ping()


def memory_kib(gateway):
    with open(f"/proc/{gateway._real_pid()}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_bombs(redis, make_gateway, tell):
    """A GiB of zeros in a MiB, from five clients at once, and again."""
    gateway = make_gateway(redis)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * 1024
    bystander = gateway.client(compression="deflate")
    assert bystander.ping()
    before = memory_kib(gateway)
    for _ in range(2):
        clients = [Deflating(gateway) for _ in range(5)]
        for client in clients:
            client.send_frame(1, bomb, rsv=4)
        for client in clients:
            assert client.read_close() == 1009
            client.socket.close()
        assert bystander.ping()
    wait_until(lambda: gateway.client_sockets() <= 1, "the end of the bombers")
    grown = memory_kib(gateway) - before
    tell(f"ten bombs of a GiB: {grown} KiB")
    assert os.environ.get("HEADGATE_SLOW") or os.environ.get("HEADGATE_WRAP") or grown < 40 * 1024
