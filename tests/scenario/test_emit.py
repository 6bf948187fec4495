"""Emit: once into the stream, however often and wherever it is sent."""

import json
import threading

import pytest

from harness import Refused, stream_id, wait_until


def test_ok_and_what_stands_in_the_stream(redis, client):
    event = b'{ "a" : [1, 2.50],\t"u":"\\u00e9\xc3\xb6" }'
    answer = client.emit("st.x", event, "id-1")
    assert answer["duplicate"] is False
    ((entry_id, fields),) = redis.client().xrange("st.x")
    assert answer["cursor"].startswith(entry_id.decode() + "~")
    stream_id(answer["cursor"])
    assert fields == {b"event": event, b"id": b"id-1"}


@pytest.mark.valgrind
def test_the_same_id_again_is_a_duplicate_from_anywhere(redis, gateway, make_gateway):
    first = gateway.client()
    answer = first.emit("st.x", {"n": 1}, "id-1")
    others = [first, gateway.client(), make_gateway(redis).client()]
    for client in others:
        again = client.emit("st.x", {"n": 1}, "id-1")
        assert again["duplicate"] is True and again["cursor"] == answer["cursor"]
    assert redis.client().xlen("st.x") == 1


def test_ids_are_per_stream(redis, client):
    a, b = client.emit("st.a", 1, "same"), client.emit("st.b", 1, "same")
    assert not a["duplicate"] and not b["duplicate"]
    assert redis.client().xlen("st.a") == redis.client().xlen("st.b") == 1


def test_the_answers_cursor_is_the_events_cursor(client):
    client.subscribe("st.x")
    answers = [client.emit("st.x", {"n": n}, f"id-{n}") for n in range(20)]
    events = client.wait_events(20)
    assert [m["cursor"] for m in events] == [m["cursor"] for m in answers]
    assert [m["event"]["n"] for m in events] == list(range(20))


@pytest.mark.parametrize("event", [b"null", b'"text"', b"[]", b"-0.0", b"123456789012345678901234567890", b'{"a":1,"a":2}',
                                   b'{"x":"' + b"y" * 200_000 + b'"}'])
def test_any_json_value_byte_for_byte(redis, client, event):
    client.subscribe("st.x")
    client.emit("st.x", event, "id-1")
    assert redis.client().xrange("st.x")[0][1][b"event"] == event
    assert client.wait_events(1)[0].raw_event == event


@pytest.mark.parametrize("event_id", ["x", "ö😀", 'with "quotes" \\ and {braces}', "a" * 255, "7c9e6679-7425-40de-944b-e07fc1f90ae7"])
def test_ids(redis, client, event_id):
    assert client.emit("st.x", 1, event_id)["duplicate"] is False
    assert client.emit("st.x", 1, event_id)["duplicate"] is True
    assert redis.client().xrange("st.x")[0][1][b"id"] == event_id.encode()


def test_maxlen_is_kept_about(redis, client):
    for n in range(600):
        client.send({"op": "emit", "ref": n, "topic": "short.x", "id": str(n), "event": n})
        if n % 100 == 99:
            client.answer_to(n)
    client.wait(lambda: len(client.ops("ok")) == 600, "600 answers")
    assert 100 <= redis.client().xlen("short.x") <= 300


def test_key_of_the_rule(redis, client):
    client.emit("mapped.x", {"n": 1}, "id-1")
    assert redis.client().xlen("events:mapped.x") == 1


def test_many_at_once_from_many_on_two_gateways(redis, gateway, make_gateway):
    other = make_gateway(redis)
    clients = [(gateway if n % 2 else other).client() for n in range(10)]
    answers = [[] for _ in clients]

    def send(client, into):
        for n in range(50):
            client.send({"op": "emit", "ref": n, "topic": "st.x", "id": f"id-{n}", "event": {"n": n}})
        for n in range(50):
            into.append(client.answer_to(n))

    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, answers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redis.client().xlen("st.x") == 50
    for n in range(50):
        of_n = [into[n] for into in answers]
        assert [m["op"] for m in of_n] == ["ok"] * 10
        assert sum(not m["duplicate"] for m in of_n) == 1
        assert len({m["cursor"] for m in of_n}) == 1


def test_the_window_ends(redis, make_gateway):
    gateway = make_gateway(redis, topics=[{"match": "st.**", "source": "stream", "dedupe_window_ms": 1000}], emit_timeout_ms=500)
    client = gateway.client()
    first = client.emit("st.x", 1, "id-1")
    assert client.emit("st.x", 1, "id-1")["duplicate"]
    later = wait_until(lambda: (lambda m: None if m["duplicate"] else m)(client.emit("st.x", 1, "id-1")), "the window's end", every=0.1)
    assert stream_id(later["cursor"]) > stream_id(first["cursor"])


def test_the_memory_of_ids_ends_with_the_window(redis, make_gateway):
    gateway = make_gateway(redis, topics=[{"match": "st.**", "source": "stream", "dedupe_window_ms": 1000}], emit_timeout_ms=500)
    client = gateway.client()
    for n in range(50):
        client.emit("st.x", n, str(n))
    wait_until(lambda: redis.client().dbsize() <= 2, lambda: f"{redis.client().keys()[:5]}: only the stream", every=0.1)


def test_scripts_flushed(redis, client):
    client.emit("st.x", 1, "id-1")
    redis.client().script_flush()
    assert client.emit("st.x", 2, "id-2")["duplicate"] is False
    redis.client().script_flush()
    assert client.emit("st.x", 2, "id-2")["duplicate"] is True
    assert redis.client().xlen("st.x") == 2


@pytest.mark.parametrize("topic, codes", [
    ("ch.x", {103, 107}),        # a channel has no memory to append to
    ("readonly.x", {103}),       # the rule says so
    ("nobody.knows", {102}),     # no rule
    ("", {107}),
    ("a" * 256, {107}),
    ("st.a\u0001b", {107}),
    ("$system", {102, 103, 107}),
])
def test_refused_topics(redis, client, topic, codes):
    with pytest.raises(Refused) as refused:
        client.emit(topic, 1, "id-1")
    assert refused.value.code in codes
    assert redis.client().dbsize() == 0
    assert client.ping()


@pytest.mark.parametrize("message", [
    {"topic": "st.x", "event": 1},
    {"topic": "st.x", "id": "1"},
    {"id": "1", "event": 1},
    {"topic": "st.x", "id": "", "event": 1},
    {"topic": "st.x", "id": "a" * 256, "event": 1},
    {"topic": "st.x", "id": 5, "event": 1},
    {"topic": "st.x", "id": "a\nb", "event": 1},
    {"topic": ["st.x"], "id": "1", "event": 1},
])
def test_refused_shapes(redis, client, message):
    answer = client.request({"op": "emit", **message})
    assert answer["op"] == "error" and answer["code"] in (107, 121), answer
    assert answer["message"]
    assert redis.client().dbsize() == 0


@pytest.mark.valgrind
def test_too_large(redis, make_gateway):
    client = make_gateway(redis, event_bytes_max=1024).client()
    fits = b'"' + b"x" * 1022 + b'"'
    client.emit("st.x", fits, "fits")
    with pytest.raises(Refused) as refused:
        client.emit("st.x", fits[:-1] + b'y"', "too-large")
    assert refused.value.code == 123
    assert redis.client().xlen("st.x") == 1


def test_a_client_that_emits_faster_than_redis_takes_it_is_not_read(redis, make_gateway):
    """At emits_per_session_max the gateway reads no further until half are answered: nothing is refused, nothing lost."""
    gateway = make_gateway(redis, emits_per_session_max=20, redis_timeout_ms=60000, emit_timeout_ms=60000, canary_ms=60000,
                           ping_ms=500, pong_timeout_ms=500)
    client, other = gateway.client(), gateway.client()
    client.emit("st.x", 0, "warm")
    redis.pause()
    try:
        for n in range(500):
            client.send({"op": "emit", "ref": n, "topic": "st.x", "id": str(n), "event": n})
        client.send({"op": "ping", "ref": "behind"})
        # Others are heard, and it is not taken for dead although its pongs wait behind its emits.
        pings = 0

        def heard():
            nonlocal pings
            pings += bool(other.ping())
            return pings >= 60

        wait_until(heard, "three times the pong's timeout", every=0.05)
        assert not client.closed and not client.ops("error")
        assert not any(m.get("ref") == "behind" for m in client.ops("ok"))
    finally:
        redis.resume()
    assert [client.answer_to(n).get("duplicate") for n in range(500)] == [False] * 500
    assert client.answer_to("behind")["op"] == "ok"
    assert [int(fields[b"event"]) for _, fields in redis.client().xrange("st.x")] == [0] + list(range(500))


def test_far_too_many_at_once_are_refused_for_now(redis, make_gateway):
    """What stands in one message is read whole: past twice emits_per_session_max it is to come again."""
    client = make_gateway(redis, emits_per_session_max=5, redis_timeout_ms=60000, emit_timeout_ms=60000, canary_ms=60000).client()
    client.emit("st.x", 0, "warm")
    redis.pause()
    try:
        client.send("\n".join(f'{{"op":"emit","ref":{n},"topic":"st.x","id":"{n}","event":{n}}}' for n in range(13)))
        refused = [client.answer_to(n) for n in (10, 11, 12)]
        assert [m["code"] for m in refused] == [111] * 3 and all(m["retry_ms"] > 0 for m in refused)
    finally:
        redis.resume()
    assert [client.answer_to(n)["op"] for n in range(10)] == ["ok"] * 10
    assert redis.client().xlen("st.x") == 11


@pytest.mark.valgrind
def test_a_client_that_leaves_before_the_answer(redis, gateway):
    redis.pause()
    client = gateway.client()
    for n in range(20):
        client.send({"op": "emit", "ref": n, "topic": "st.x", "id": str(n), "event": n})
    client.ping()
    client.abort()
    redis.resume()
    wait_until(lambda: redis.client().xlen("st.x") == 20, "the entries all the same")
    again = gateway.client()
    assert all(again.emit("st.x", n, str(n))["duplicate"] for n in range(20))


def test_the_stream_is_readable_by_plain_consumers(redis, client):
    """What backends find: the field event with the client's JSON, the field id."""
    for n in range(5):
        client.emit("st.orders", {"order": n}, f"o{n}")
    ((_, entries),) = redis.client().xread({"st.orders": "0"})
    assert [(json.loads(fields[b"event"]), fields[b"id"]) for _, fields in entries] == [
        ({"order": n}, f"o{n}".encode()) for n in range(5)]
