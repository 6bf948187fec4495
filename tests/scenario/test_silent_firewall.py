"""A firewall between the gateway and Redis that from some moment swallows the packets of a connection, and tells nobody: noticed
within twice canary_ms, told to those whom it concerns and to nobody else, and healed."""

import threading
import time

import pytest

from harness import SLOW, wait_until
from relay import Relay

CANARY_MS = int(500 * SLOW)
# Twice canary_ms, and what a busy machine needs to say so.
BOUND_S = 2 * CANARY_MS / 1000 + 0.3 * SLOW


class Flow:
    """Numbered entries and messages on st.x and ch.x, one each few milliseconds."""

    def __init__(self, redis):
        self.connection = redis.client()
        self.n = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.01 * SLOW):
            self.n += 1
            pipe = self.connection.pipeline(transaction=False)
            pipe.xadd("st.x", {"event": str(self.n)})
            pipe.publish("ch.x", str(self.n))
            pipe.execute()

    def wait_more(self, count=20):
        goal = self.n + count
        wait_until(lambda: self.n >= goal, "more events")

    def stop(self):
        self._stop.set()
        self._thread.join()


@pytest.fixture
def relay(redis):
    relay = Relay(redis.port)
    yield relay
    relay.done()


@pytest.fixture
def flow(redis):
    flow = Flow(redis)
    yield flow
    flow.stop()


@pytest.fixture
def gateway(relay, make_gateway):
    return make_gateway(relay.url, canary_ms=CANARY_MS, redis_timeout_ms=CANARY_MS, emit_timeout_ms=60000)


@pytest.fixture
def client(gateway, flow):
    """On a stream and a channel, with an older client's subscription before, so that all links are in use."""
    client = gateway.client()
    client.stream, client.channel = client.subscribe("st.x", from_="start"), client.subscribe("ch.x")
    client.wait_op("caught_up")
    client.wait_events(3, client.stream)
    client.wait_events(3, client.channel)
    return client


def wait_within_bound(condition, what, began):
    """The time it took."""
    wait_until(condition, what, every=0.002)
    took = time.monotonic() - began
    assert took <= BOUND_S, f"{what} took {took:.3f} s, canary_ms is {CANARY_MS}"
    return took


def numbers(client, sub):
    return [m["event"] for m in client.events(sub)]


def check_stream(client, flow):
    """Everything once, in order."""
    flow.stop()
    client.wait(lambda: numbers(client, client.stream)[-1:] == [flow.n], "the last entry")
    got = numbers(client, client.stream)
    assert got == list(range(got[0], flow.n + 1)) and got[0] == 1
    assert not client.ops("gap", client.stream)


def check_channel(client, flow, gaps):
    """`gaps` holes, each with its gap in its place."""
    client.wait(lambda: numbers(client, client.channel)[-1:] == [flow.n], "the last message")
    at, told, holes = None, 0, 0
    for message in list(client.messages):
        if message.get("sub") != client.channel:
            continue
        if message["op"] == "gap":
            assert message["reason"] == "disconnected" and message["topic"] == "ch.x" and not told, message
            told += 1
        elif message["op"] == "event":
            n = message["event"]
            if at is not None and n != at + 1:
                assert n > at and told == 1, f"from {at} to {n} after {told} gaps"
                holes += 1
            told, at = 0, n
    assert len(client.ops("gap", client.channel)) == gaps and holes <= gaps


def check_told_nothing(client, sub):
    assert not [m for m in client.messages if m["op"] in ("stale", "live", "gap") and m.get("sub") == sub]


def test_listener(relay, gateway, client, flow, tell):
    began = time.monotonic()
    relay.swallow(relay.wait_pipe("listener"))
    took = wait_within_bound(lambda: client.ops("stale", client.channel), "the channel's stale", began)
    gateway.wait_log("redis listener was lost")
    client.wait_op("live", client.channel)
    healed = time.monotonic() - began
    flow.wait_more()
    check_stream(client, flow)
    check_told_nothing(client, client.stream)
    check_channel(client, flow, 1)
    assert [m["op"] for m in client.messages if m["op"] in ("stale", "live")] == ["stale", "live"]
    assert client.ops("stale")[0]["topics"] == ["ch.x"]
    tell(f"noticed after {took:.2f} s, healed after {healed:.2f} s, canary_ms {CANARY_MS}")


def test_reader(relay, gateway, client, flow, tell):
    began = time.monotonic()
    relay.swallow(relay.wait_pipe("reader"))
    took = wait_within_bound(lambda: client.ops("stale", client.stream), "the stream's stale", began)
    gateway.wait_log("redis reader was lost")
    client.wait_op("live", client.stream)
    healed = time.monotonic() - began
    flow.wait_more()
    check_stream(client, flow)
    check_channel(client, flow, 0)
    check_told_nothing(client, client.channel)
    assert [m["op"] for m in client.messages if m["op"] in ("stale", "live")] == ["stale", "live"]
    assert client.ops("stale")[0]["topics"] == ["st.x"]
    tell(f"noticed after {took:.2f} s, healed after {healed:.2f} s, canary_ms {CANARY_MS}")


def test_commander(redis, relay, gateway, client, flow, tell):
    """It feeds no topic: nobody is told; what it was asked is asked again."""
    client.emit("st.emitted", 1, "id-1")
    began = time.monotonic()
    relay.swallow(relay.wait_pipe("commander"))
    client.send({"op": "emit", "ref": "again", "topic": "st.emitted", "id": "id-2", "event": 2})
    client.send({"op": "subscribe", "ref": "new", "topic": "st.new"})
    took = wait_within_bound(lambda: "redis commander was lost" in gateway.log, "the commander's loss", began)
    assert client.answer_to("again")["op"] == "ok"
    assert client.answer_to("new")["op"] == "ok"
    healed = time.monotonic() - began
    flow.wait_more()
    check_stream(client, flow)
    check_channel(client, flow, 0)
    check_told_nothing(client, client.stream)
    check_told_nothing(client, client.channel)
    assert redis.client().xlen("st.emitted") == 2
    tell(f"noticed after {took:.2f} s, healed after {healed:.2f} s, canary_ms {CANARY_MS}")


def test_replay(redis, relay, make_gateway, flow, tell):
    """It feeds those who catch up: they wait, and get everything all the same."""
    redis.client().xadd("st.old", {"event": "0"})
    for n in range(1, 500):
        redis.client().xadd("st.old", {"event": str(n)})
    # Nothing is kept in memory, so that Redis must be asked.
    gateway = make_gateway(relay.url, canary_ms=CANARY_MS, redis_timeout_ms=CANARY_MS, history_bytes_max=0)
    client = gateway.client()
    client.stream, client.channel = client.subscribe("st.x", from_="start"), client.subscribe("ch.x")
    client.wait_op("caught_up")
    old = client.subscribe("st.old", from_="start")
    client.wait_events(500, old)
    pipe = relay.wait_pipe("replay")
    began = time.monotonic()
    relay.swallow(pipe)
    again = gateway.client()
    sub = again.subscribe("st.old", from_="start")
    took = wait_within_bound(lambda: "redis replay was lost" in gateway.log, "the replay's loss", began)
    again.wait_op("caught_up", sub)
    healed = time.monotonic() - began
    assert numbers(again, sub) == list(range(500))
    assert not again.ops("gap") and not again.ops("stale")
    check_stream(client, flow)
    check_told_nothing(client, client.stream)
    check_told_nothing(client, client.channel)
    tell(f"noticed after {took:.2f} s, healed after {healed:.2f} s, canary_ms {CANARY_MS}")


def test_idle_replay(relay, gateway, client, flow):
    """A link that nobody needs at the moment is found dead before somebody does."""
    for kind in ("listener", "commander", "reader"):
        relay.wait_pipe(kind)
    # So far it said nothing by which it could be known.
    idle, = [pipe for pipe in relay.open_pipes() if pipe.kind not in ("listener", "commander", "reader")]
    began = time.monotonic()
    relay.swallow(idle)
    wait_within_bound(lambda: "redis replay was lost" in gateway.log, "the replay's loss", began)
    gateway.wait_log("redis replay is back")
    check_stream(client, flow)
    check_channel(client, flow, 0)


def test_quiet_topics(redis, relay, gateway, tell):
    """The same where nothing is published: silence is no proof of life."""
    client = gateway.client()
    stream, channel = client.subscribe("st.quiet"), client.subscribe("ch.quiet")
    for kind, sub in (("listener", channel), ("reader", stream)):
        began = time.monotonic()
        relay.swallow(relay.wait_pipe(kind))
        took = wait_within_bound(lambda s=sub: client.ops("stale", s), f"the {kind}'s stale", began)
        client.wait_op("live", sub)
        tell(f"{kind} noticed after {took:.2f} s")
    client.settle()
    assert [m["sub"] for m in client.ops("stale")] == [m["sub"] for m in client.ops("live")] == [channel, stream]
    assert [(m["sub"], m["reason"]) for m in client.ops("gap")] == [(channel, "disconnected")]
    redis.client().xadd("st.quiet", {"event": "1"})
    redis.client().publish("ch.quiet", "2")
    assert [m["event"] for m in client.wait_events(1, stream) + client.wait_events(1, channel)] == [1, 2]


def test_everything_for_a_while(relay, gateway, client, flow, tell):
    """New connections are swallowed as well, until somebody mends the firewall."""
    began = time.monotonic()
    relay.swallows_new = True
    relay.swallow(*relay.open_pipes())
    took = wait_within_bound(lambda: client.ops("stale", client.stream) and client.ops("stale", client.channel), "both stale", began)
    before = len(relay.pipes)
    wait_until(lambda: len(relay.pipes) >= before + 6, "more attempts")
    assert not client.ops("live")
    relay.swallows_new = False
    began = time.monotonic()
    client.wait_op("live", client.stream)
    client.wait_op("live", client.channel)
    healed = time.monotonic() - began
    flow.wait_more()
    check_stream(client, flow)
    check_channel(client, flow, 1)
    tell(f"noticed after {took:.2f} s, healed {healed:.2f} s after the firewall was, canary_ms {CANARY_MS}")
