"""Redis channels to browsers: exact, patterns, and every payload byte for byte."""

import base64

import pytest

from harness import let_one_not_read, wait_until

JSON_PAYLOADS = [
    b'{"a":1}',
    b' \t\r\n{ "a" :\n 1 , "b":[ 1,2 ] } ',
    rb'{"u":"\u00e9\ud83d\ude00\/\n"}',
    b"123456789012345678901234567890.10e+5",
    b"-0",
    b"1E400",
    b'"just text"',
    b"null",
    b"true",
    b"[]",
    b'{"a":1,"a":2}',
    '{"ä":"ö😀\u2028"}'.encode(),
    b"[" * 60 + b"]" * 60,
    b'{"long":"' + b"x" * 100_000 + b'"}',
]
TEXT_PAYLOADS = [
    b"", b"hello", b'say "hi"\\ \n\t\x01\x7f', b'{"a":1', b"{'a':1}", b'{"a":1}x', b"01", b"NaN", b"a\x00b", "größer 😀".encode(),
]
BINARY_PAYLOADS = [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"ok\x80", b"\xf5\x80\x80\x80", bytes(range(256))]


def publish(redis, channel, payload):
    assert redis.client().publish(channel, payload) >= 1, f"nobody listens to {channel}"


@pytest.mark.valgrind
def test_exact(redis, client):
    sub = client.subscribe("ch.x")
    publish(redis, "ch.x", b'{"n":1}')
    (event,) = client.wait_events(1)
    assert event == {"op": "event", "sub": sub, "topic": "ch.x", "event": {"n": 1}}
    redis.client().publish("ch.y", b'{"n":2}')
    redis.client().publish("ch.x.z", b'{"n":3}')
    publish(redis, "ch.x", b'{"n":4}')
    client.wait_events(2)
    client.settle()
    assert [m["event"]["n"] for m in client.events()] == [1, 4]


def test_json_passes_byte_for_byte(redis, client):
    client.subscribe("ch.x")
    for payload in JSON_PAYLOADS:
        publish(redis, "ch.x", payload)
    events = client.wait_events(len(JSON_PAYLOADS))
    assert [m.raw_event for m in events] == JSON_PAYLOADS


@pytest.mark.valgrind
def test_other_text_appears_as_text(redis, client):
    client.subscribe("ch.x")
    for payload in TEXT_PAYLOADS:
        publish(redis, "ch.x", payload)
    events = client.wait_events(len(TEXT_PAYLOADS))
    assert [m["text"].encode() for m in events] == TEXT_PAYLOADS
    assert not any("event" in m or "base64" in m for m in events)


def test_other_bytes_appear_as_base64(redis, client):
    client.subscribe("ch.x")
    for payload in BINARY_PAYLOADS:
        publish(redis, "ch.x", payload)
    events = client.wait_events(len(BINARY_PAYLOADS))
    assert [base64.b64decode(m["base64"], validate=True) for m in events] == BINARY_PAYLOADS
    assert not any("event" in m or "text" in m for m in events)


@pytest.mark.parametrize("pattern, hits, misses", [
    ("ch.*", ["ch.a", "ch.b"], ["ch.a.b", "ch:a", "ch.a:b"]),
    ("ch.**", ["ch.a", "ch.a.b", "ch.a.b.c", "ch.a:b"], ["ch:a"]),
    ("ch.*.x", ["ch.a.x", "ch.b.x"], ["ch.a.y", "ch.x", "ch.a.b.x"]),
    ("ch.[a]?.*", ["ch.[a]?.1"], ["ch.a1.1", "ch.ab.1"]),
])
def test_patterns(redis, client, pattern, hits, misses):
    client.subscribe(pattern)
    wait_until(lambda: redis.client().pubsub_numpat() >= 1, "the pattern in Redis")
    for topic in [topic for pair in zip(hits, misses * len(hits)) for topic in pair] + misses + hits:
        redis.client().publish(topic, b"1")
    expected = sorted(hits + hits)
    client.wait_events(len(expected))
    client.settle()
    assert sorted(m["topic"] for m in client.events()) == expected


@pytest.mark.valgrind
def test_mapped_channel_names(redis, client):
    client.subscribe("away.x")
    publish(redis, "elsewhere:away.x", b"1")
    assert client.wait_events(1)[0]["topic"] == "away.x"
    client.subscribe("away.*")
    publish(redis, "elsewhere:away.y", b"2")
    wait_until(lambda: [m for m in client.events() if m["topic"] == "away.y"], "the event by pattern")


def test_name_and_pattern_of_one_channel_deliver_once_each(redis, client):
    """Redis sends such a message twice to one connection; a subscription must still see it once."""
    exact, pattern = client.subscribe("ch.x"), client.subscribe("ch.*")
    assert exact != pattern
    for n in range(50):
        publish(redis, "ch.x", str(n))
    client.wait_events(50, sub=exact)
    client.wait_events(50, sub=pattern)
    client.settle()
    for sub in (exact, pattern):
        assert [m["event"] for m in client.events(sub)] == list(range(50))


def test_strange_names(redis, client):
    for name in ("ch.ä😀", "ch. with space", 'ch."quoted\\', "ch..empty", "ch./:.", "ch." + "x" * 252):
        client.subscribe(name)
        publish(redis, name, b"1")
        assert client.wait_events(1, topic=name)[0]["topic"] == name


def test_order_and_completeness_under_load(redis, gateway):
    clients = [gateway.client() for _ in range(20)]
    for client in clients:
        client.subscribe("ch.x")
    pipe = redis.client().pipeline(transaction=False)
    for n in range(3000):
        pipe.publish("ch.x", f'{{"n":{n}}}')
    pipe.execute()
    for client in clients:
        assert [m["event"]["n"] for m in client.wait_events(3000)] == list(range(3000))
        assert not client.ops("gap")


def test_all_members_of_a_group_share_its_number(gateway):
    a, b = gateway.client(), gateway.client()
    assert a.subscribe("ch.x") == b.subscribe("ch.x")
    assert a.subscribe("ch.y") != a.subscribe("ch.x")


def test_a_client_that_does_not_read_is_told_what_it_missed_and_holds_up_nobody(redis, make_gateway):
    let_one_not_read(make_gateway(redis, log_bytes_max=65536, event_bytes_max=16384), redis, 4000)
