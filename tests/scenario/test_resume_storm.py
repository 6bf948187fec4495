"""Many clients come back to one stream at once, and one client that reads nothing among others.

HEADGATE_STORM_CLIENTS  how many (default 300)
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import RawSocket, SLOW, wait_until

CLIENTS = int(os.environ.get("HEADGATE_STORM_CLIENTS", "300"))
MISSED = 600  # at most, by each
FILTERS = 10
TOPIC = "st.storm"
# Redis is asked to prove itself seldom, so that every command counted is one that the clients cost.
STORM = {"canary_ms": 60000, "linger_ms": 600000, "subscribe_timeout_ms": 60000}
COMMANDS_MAX = 20
COUNTED = ("xrange", "xrevrange", "xread", "xinfo", "xinfo|stream")  # the last two by the age of Redis


def add(redis, first, last):
    """Entries first … last; returns their ids."""
    pipe = redis.client().pipeline(transaction=False)
    for n in range(first, last + 1):
        pipe.xadd(TOPIC, {"event": json.dumps({"n": n, "kind": f"k{n % FILTERS}"})})
    return pipe.execute()


def commands(redis):
    stats = redis.client().info("commandstats")
    return {name: stats.get("cmdstat_" + name, {}).get("calls", 0) for name in COUNTED}


def together(function, items):
    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(function, items))


def filter_of(number, filters):
    return {"filter": f"kind = 'k{number % FILTERS}'"} if filters else {}


@pytest.mark.parametrize("filters", [False, True], ids=["all", "filters"])
@pytest.mark.parametrize("killed", [False, True], ids=["stays", "killed"])
def test_a_storm_gets_everything_and_redis_hardly_notices(redis, make_gateway, killed, filters):
    gateway = make_gateway(redis, **STORM)
    witness = gateway.client()
    witness.subscribe(TOPIC)

    def leave(number):
        client = gateway.client()
        client.subscribe(TOPIC, **filter_of(number, filters))
        client.abort()

    together(leave, range(CLIENTS))
    add(redis, 1, MISSED)
    cursors = [m["cursor"] for m in witness.wait_events(MISSED)]
    if killed:
        gateway.kill9()
        gateway.clients.clear()
        gateway.start()
    else:
        witness.abort()
    before = commands(redis)

    def come_back(number):
        """From a place of its own."""
        place = 1 + number * 7919 % MISSED
        client = gateway.client()
        client.subscribe(TOPIC, from_={"cursors": {TOPIC: cursors[place - 1]}}, **filter_of(number, filters))
        client.wait_op("caught_up")
        return client, place

    back = together(come_back, range(CLIENTS))
    asked = {name: calls - before[name] for name, calls in commands(redis).items()}
    assert sum(asked.values()) <= COMMANDS_MAX, asked

    def owed(number, place, last):
        return [n for n in range(place + 1, last + 1) if not filters or n % FILTERS == number % FILTERS]

    for number, (client, place) in enumerate(back):
        flow = [m for m in list(client.messages) if m["op"] in ("event", "gap", "caught_up", "stale")]
        assert flow[-1]["op"] == "caught_up", flow[-1]
        assert [m["event"]["n"] for m in flow[:-1] if m["op"] == "event"] == owed(number, place, MISSED)
        assert len(flow) - 1 == len(owed(number, place, MISSED)), flow

    add(redis, MISSED + 1, MISSED + FILTERS)
    for number, (client, place) in enumerate(back):
        expected = owed(number, place, MISSED + FILTERS)
        events = client.wait_events(len(expected))
        assert [m["event"]["n"] for m in events] == expected
        assert len(client.ops("caught_up")) == 1 and not client.ops("gap")


# ------------------------------------------------------------------------------------------------------ who reads nothing

OTHERS = 20
EVENTS = 2048
EVENT_BYTES = 4096  # 8 MiB in all: more than the kernel and all budgets together hold
ROUND = 8           # events on their way; fewer bytes than a log keeps, so that nobody else can fall behind
BUDGET = {"event_bytes_max": 16384, "log_bytes_max": 65536, "log_bytes_total_max": 1 << 20, "history_bytes_max": 262144}
MEMORY_MAX = (1 << 20) + (3 << 20)  # what the budget allows, and what an allocator and 20 connections may take besides


def stalled_client(gateway, topic):
    """Subscribed, and from there on it reads nothing until it is told to."""
    raw = RawSocket(gateway)
    assert raw.handshake()[0] == 101
    raw.buffer = raw.buffer.partition(b"\r\n\r\n")[2]
    raw.send_frame(1, json.dumps({"op": "subscribe", "ref": 1, "topic": topic}).encode())
    while json.loads(raw.read_frame()[1])["op"] != "ok":
        pass
    return raw


def private_memory(gateway):
    with open(f"/proc/{gateway.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))


@pytest.mark.parametrize("topic", ["ch.full", "st.full"])
def test_one_that_reads_nothing_changes_nothing_for_the_others(redis, make_gateway, topic):
    gateway = make_gateway(redis, **BUDGET)
    others = [gateway.client() for _ in range(OTHERS)]
    for client in others:
        client.subscribe(topic)
    stalled = stalled_client(gateway, topic)
    server = redis.client()
    most = before = private_memory(gateway)
    for first in range(0, EVENTS, ROUND):
        pipe = server.pipeline(transaction=False)
        for n in range(first, first + ROUND):
            event = json.dumps({"n": n, "pad": "x" * EVENT_BYTES})
            pipe.publish(topic, event) if topic.startswith("ch.") else pipe.xadd(topic, {"event": event})
        pipe.execute()
        for client in others:
            wait_until(lambda: len(client.messages) >= first + ROUND + 2, every=0.001)  # besides: welcome and ok
        most = max(most, private_memory(gateway))
    for client in others:
        assert not client.ops("gap") and not client.ops("stale")
        assert [m["event"]["n"] for m in client.events()] == list(range(EVENTS))
    if SLOW == 1:  # sanitizers keep what was freed
        assert most - before < MEMORY_MAX, f"{most - before} bytes"

    got, gaps = [], 0
    while len(got) + gaps < EVENTS:
        opcode, payload = stalled.read_frame()
        assert opcode in (1, 9), opcode
        message = json.loads(payload) if opcode == 1 else {"op": "ping"}
        if message["op"] == "event":
            n = message["event"]["n"]
            assert n == len(got) + gaps, f"event {n} after {len(got)} events and {gaps} told missing"
            got.append(n)
        elif message["op"] == "gap":
            assert topic.startswith("ch.") and message["reason"] == "overflow", message
            gaps += message["count"]
    assert (gaps > 0) == topic.startswith("ch."), "the client was never behind"
    stalled.socket.close()
