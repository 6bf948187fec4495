"""conflate and rate: the latest of each key at a pace, and what was left out counted exactly, however slow the client."""

import json
import socket
import time

import pytest

from harness import RawSocket, Refused

RULES = [
    {"match": "st.**", "source": "stream"},
    {"match": "ch.**", "source": "channel"},
]


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(redis, topics=RULES, log_bytes_max=1 << 20)


def say(pipe, topic, **event):
    if topic.startswith("st."):
        pipe.xadd(topic, {"event": json.dumps(event)})
    else:
        pipe.publish(topic, json.dumps(event))


def conflated(messages):
    return sum(m["count"] for m in messages if m["op"] == "conflated")


def accounted(client):
    return len(client.events()) + conflated(list(client.messages))


def check_latest(events, keys, count):
    """What came is in order, and ends with the latest of each key."""
    numbers = [m["event"]["n"] for m in events]
    assert numbers == sorted(set(numbers))
    latest = {m["event"]["data"]["k"]: m["event"]["n"] for m in events}
    assert latest == {n % keys: n for n in range(count - keys, count)}


@pytest.mark.parametrize("topic", ["ch.x", "st.x"])
def test_fast_and_slow_get_the_latest_and_exact_counts(redis, gateway, topic):
    keys, rounds, pad = 20, 200, "x" * 4000
    options = {"conflate": {"key": "data.k", "every_ms": 20}}
    quick = gateway.client()
    quick.subscribe(topic, **options)
    with RawSocket(gateway) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        assert slow.handshake()[0] == 101
        slow.send_frame(1, json.dumps({"op": "subscribe", "ref": 1, "topic": topic, **options}).encode())
        while b'"ref":1' not in slow.read_frame()[1]:
            pass
        for round_ in range(rounds):
            pipe = redis.client().pipeline(transaction=False)
            for n in range(round_ * keys * 2, (round_ + 1) * keys * 2):
                say(pipe, topic, n=n, data={"k": n % keys}, pad=pad)
            pipe.execute()
            quick.wait(lambda: accounted(quick) >= (round_ + 1) * keys * 2, "all of the round")
        count = rounds * keys * 2
        assert accounted(quick) == count
        check_latest(quick.events(), keys, count)

        messages = []
        while sum(m["op"] == "event" for m in messages) + conflated(messages) < count:
            opcode, data = slow.read_frame()
            assert opcode in (1, 9), opcode
            if opcode == 1:
                messages.append(json.loads(data))
        events = [m for m in messages if m["op"] == "event"]
        assert len(events) + conflated(messages) == count
        check_latest(events, keys, count)
        assert not [m for m in messages if m["op"] not in ("event", "conflated")]
        assert len(events) < len(quick.events()), "the slow client was not slow"


@pytest.mark.parametrize("topic", ["ch.x", "st.x"])
def test_rate(redis, gateway, topic):
    rate, seconds = 20, 2
    client = gateway.client()
    client.subscribe(topic, rate=rate)
    began, n = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        pipe = redis.client().pipeline(transaction=False)
        for _ in range(3):
            say(pipe, topic, n=n, at=time.monotonic())
            n += 1
        pipe.execute()
        time.sleep(0.001)
    client.wait(lambda: accounted(client) == n, "all that was published")
    elapsed = time.monotonic() - began
    events = client.events()
    assert 2 < len(events) <= rate * elapsed + 1
    assert events[-1]["event"]["n"] == n - 1
    numbers = [m["event"]["n"] for m in events]
    assert numbers == sorted(set(numbers))


def test_a_slower_rate_than_another_of_the_same_topic(redis, gateway):
    client = gateway.client()
    every, paced = client.subscribe("ch.x"), client.subscribe("ch.x", rate=5)
    assert every != paced
    pipe = redis.client().pipeline(transaction=False)
    for n in range(500):
        say(pipe, "ch.x", n=n)
    pipe.execute()
    assert [m["event"]["n"] for m in client.wait_events(500, sub=every)] == list(range(500))
    client.wait(lambda: len(client.events(paced)) + conflated(client.ops("conflated", paced)) == 500, "all of them")
    assert client.events(paced)[-1]["event"]["n"] == 499
    assert not client.ops("conflated", every)


def test_the_past_is_delivered_whole(redis, gateway):
    pipe = redis.client().pipeline(transaction=False)
    for n in range(300):
        say(pipe, "st.x", n=n, data={"k": 1})
    pipe.execute()
    client = gateway.client()
    sub = client.subscribe("st.x", from_="start", conflate={"key": "data.k", "every_ms": 50})
    client.wait_op("caught_up", sub)
    assert [m["event"]["n"] for m in client.events()] == list(range(300))
    assert not client.ops("conflated")
    pipe = redis.client().pipeline(transaction=False)
    for n in range(300, 600):
        say(pipe, "st.x", n=n, data={"k": 1})
    pipe.execute()
    client.wait(lambda: accounted(client) == 600, "all")
    assert client.events()[-1]["event"]["n"] == 599


def test_a_filter_and_a_changed_filter_keep_the_pace(redis, gateway):
    client = gateway.client()
    sub = client.subscribe("ch.x", filter="n < 1000", conflate={"key": "data.k", "every_ms": 60000})
    say(redis.client(), "ch.x", n=1, data={"k": 1})
    client.wait_events(1)
    for n in (2, 3, 2000):
        say(redis.client(), "ch.x", n=n, data={"k": 1})
    answer = client.request({"op": "update", "sub": sub, "filter": "n >= 1000"})
    assert answer["op"] == "ok" and answer["sub"] != sub
    assert [m["event"]["n"] for m in client.events(sub)] == [1, 3]
    assert conflated(client.ops("conflated", sub)) == 1


@pytest.mark.parametrize("key, at", [("data.k =", 8), ("'", 0), ("", None)])
def test_a_key_that_is_none(client, key, at):
    with pytest.raises(Refused) as refused:
        client.subscribe("ch.x", conflate={"key": key})
    assert refused.value.code == (120 if key else 107)
    if key:
        assert "conflate" in refused.value.error["message"]
        assert refused.value.error["at"] == at
