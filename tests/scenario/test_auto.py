"""source auto: the type of the key in Redis decides."""

import pytest


def test_a_stream(redis, client):
    redis.client().xadd("auto.s", {"event": "0"})
    client.subscribe("auto.s")
    redis.client().xadd("auto.s", {"event": "1"})
    (event,) = client.wait_events(1)
    assert event["event"] == 1 and "cursor" in event


def test_a_stream_from_the_start(redis, client):
    for n in range(10):
        redis.client().xadd("auto.s", {"event": str(n)})
    sub = client.subscribe("auto.s", from_="start")
    client.wait_op("caught_up", sub)
    assert [m["event"] for m in client.events(sub)] == list(range(10))


def test_a_channel(redis, client):
    client.subscribe("auto.c")
    assert redis.client().publish("auto.c", "1") == 1
    (event,) = client.wait_events(1)
    assert event["event"] == 1 and "cursor" not in event


@pytest.mark.valgrind
def test_a_key_that_becomes_a_stream_later(redis, client):
    sub = client.subscribe("auto.later")
    assert redis.client().publish("auto.later", '"by channel"') == 1
    client.wait_events(1, sub)
    for n in range(5):
        redis.client().xadd("auto.later", {"event": str(n)})
    events = client.wait_events(6, sub)
    assert [m["event"] for m in events] == ["by channel", 0, 1, 2, 3, 4]
    assert all("cursor" in m for m in events[1:])


def test_patterns_see_both(redis, client):
    redis.client().xadd("auto.p.s", {"event": "0"})
    sub = client.subscribe("auto.p.*")
    redis.client().xadd("auto.p.s", {"event": "1"})
    assert redis.client().publish("auto.p.c", "2") == 1
    redis.client().xadd("auto.p.new", {"event": "3"})
    client.wait_events(3, sub)
    client.settle()
    assert sorted((m["topic"], m["event"]) for m in client.events(sub)) == [
        ("auto.p.c", 2), ("auto.p.new", 3), ("auto.p.s", 1)]


def test_other_types_of_keys_are_no_streams(redis, client):
    redis.client().set("auto.string", "x")
    redis.client().hset("auto.hash", "f", "v")
    client.subscribe("auto.**")
    for key in ("auto.string", "auto.hash"):
        assert redis.client().publish(key, "1") >= 1
        client.wait_events(1, topic=key)
    client.subscribe("auto.string")
    assert redis.client().publish("auto.string", "2") >= 1
    client.wait(lambda: [m["event"] for m in client.events(topic="auto.string")].count(2) == 2, "both subscriptions' events")
