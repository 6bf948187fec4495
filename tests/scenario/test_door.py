"""What may come in: attributes, types, rates; what a client is told of what may not, and what Redis never sees."""

import time

import pytest

from harness import SLOW, Refused, wait_until

TOPICS = [
    {"match": "asked.*", "source": "stream", "require": ["subject", "source=shop"]},
    {"match": "typed.*", "source": "stream", "types": ["order.*", "Added"]},
    {"match": "paced.*", "source": "stream", "emit_rate": 5},
    {"match": "dead.*", "source": "stream", "require": ["n"], "dead_letter": "graves:{topic}"},
    {"match": "st.**", "source": "stream"},
]


def refusal(client, topic, event, id_="one"):
    with pytest.raises(Refused) as refused:
        client.emit(topic, event, id_)
    error = refused.value.error
    assert ("retry_ms" in error) is (error["code"] in (108, 111))
    return error


@pytest.fixture
def gateway(redis, make_gateway):
    return make_gateway(redis, topics=TOPICS)


@pytest.mark.parametrize("event, pointer, message", [
    (b"{}", "", '"subject" is missing; this topic requires it.'),
    (b"[1]", "", '"subject" is missing; this topic requires it.'),
    (b'{"subject":null,"source":"shop"}', "", '"subject" is missing; this topic requires it.'),
    (b'{"subject":1}', "", '"source" is missing; this topic requires it.'),
    (b'{"subject":1,"source":"sh\\u00f6p"}', "/source", '"source" is "sh\\u00f6p"; this topic takes shop only.'),
    (b'{"subject":1,"s\\u006furce":["shop"]}', "/source", '"source" is ["shop"]; this topic takes shop only.'),
])
def test_required(redis, client, event, pointer, message):
    error = refusal(client, "asked.x", event)
    assert (error["code"], error["reason"]) == (121, "event_invalid")
    assert error["pointer"] == pointer and error["message"] == message
    assert redis.client().keys("*") == []
    # The same id is free: nothing was remembered of what never came in.
    assert client.emit("asked.x", {"subject": 1, "source": "shop"}, "one")["duplicate"] is False


def test_types(redis, client):
    assert client.emit("typed.x", {"type": "order.placed"}, "one")["duplicate"] is False
    assert client.emit("typed.x", {"eventType": "Added"}, "two")["duplicate"] is False
    error = refusal(client, "typed.x", {"type": "Removed"}, "three")
    assert error["code"] == 121 and error["pointer"] == "/type"
    assert error["message"] == 'The type is "Removed"; this topic takes "order.*" and "Added".'
    error = refusal(client, "typed.x", {"type": "x" * 5000}, "four")
    assert len(error["message"]) < 200
    assert redis.client().xlen("typed.x") == 2


def test_dead_letters(redis, client):
    error = refusal(client, "dead.x", b'{"m":  1}')
    assert error["code"] == 121 and error["pointer"] == ""
    ((_, fields),) = redis.client().xrange("graves:dead.x")  # it stands there by the time the client is told
    assert fields == {b"event": b'{"m":  1}', b"id": b"one", b"topic": b"dead.x", b"code": b"121", b"reason": b"event_invalid",
                      b"message": b'"n" is missing; this topic requires it.',
                      b"session": client.welcome["session"].encode(), b"ip": b"127.0.0.1"}
    refusal(client, "dead.x", b'{"m":  1}')  # sent again: one dead letter
    client.emit("dead.x", {"n": 1}, "one")
    assert refusal(client, "dead.x", {"n": 2})["code"] == 122
    codes = [fields[b"code"] for _, fields in redis.client().xrange("graves:dead.x")]
    assert codes == [b"121", b"122"]
    assert redis.client().xlen("dead.x") == 1


def flood(client, topic, count, first=0):
    client.send("\n".join(f'{{"op":"emit","ref":{n},"topic":"{topic}","id":"{n}","event":{n}}}'
                          for n in range(first, first + count)))
    return [client.answer_to(n) for n in range(first, first + count)]


@pytest.mark.parametrize("config, topic, limit", [
    ({"emit_rate_session": 5}, "st.x", "emit_rate_session"),
    ({"emit_rate_principal": 5}, "st.x", "emit_rate_principal"),
    ({}, "paced.x", "emit_rate"),
])
def test_rates(redis, make_gateway, config, topic, limit):
    client = make_gateway(redis, topics=TOPICS, **config).client()
    answers = flood(client, topic, 20)
    refused = [m for m in answers if m["op"] == "error"]
    assert 10 <= len(refused) <= 15, "a burst of a second's worth comes in"
    for error in refused:
        assert (error["code"], error["reason"]) == (111, "too_many_requests")
        assert error["message"] == f"More events than {limit} allows; try again with the same id."
        assert 1 <= error["retry_ms"] <= 201
    # Who comes again when told to gets all of them in, at the pace that is allowed.
    began = time.monotonic()
    left = [m["ref"] for m in refused]
    while left:
        answer = client.request({"op": "emit", "topic": topic, "id": str(left[0]), "event": left[0]})
        if answer["op"] == "ok":
            assert answer["duplicate"] is False
            left.pop(0)
        else:
            end = time.monotonic() + answer["retry_ms"] / 1000
            wait_until(lambda: time.monotonic() >= end, "the time that was told", every=0.005)
    assert time.monotonic() - began >= (len(refused) - 2) / 5
    assert redis.client().xlen(topic) == 20


def test_rates_of_many(redis, make_gateway):
    """A session's rate is its own, an address's is shared by its sessions, and a topic's by all."""
    gateway = make_gateway(redis, topics=TOPICS, emit_rate_session=10)
    came_in = [sum(m["op"] == "ok" for m in flood(gateway.client(), "st.x", 30)) for _ in range(3)]
    assert all(count >= 10 for count in came_in)
    gateway = make_gateway(redis, topics=TOPICS, emit_rate_principal=10)
    began = time.monotonic()
    clients = [gateway.client() for _ in range(3)]
    came_in = sum(m["op"] == "ok" for client in clients for m in flood(client, "st.y", 30))
    assert 10 <= came_in <= 10 + 10 * (time.monotonic() - began) + 1
    assert redis.client().xlen("st.y") == came_in


def test_both_rates_at_once(redis, make_gateway):
    """Each takes from its own bucket, also of one that is new."""
    gateway = make_gateway(redis, topics=TOPICS, emit_rate_principal=3)
    for n in range(30):
        answer = gateway.client().request({"op": "emit", "topic": f"paced.{n}", "id": str(n), "event": n})
        assert answer["op"] == "ok" or answer["code"] == 111
    gateway.check_serves()


def test_refused_in_a_breath(make_gateway, redis):
    """However fast they come, each is answered, and the client that reads its answers is kept."""
    client = make_gateway(redis, topics=TOPICS, emit_rate_session=1).client()
    answers = flood(client, "st.x", 1000)
    assert sum(m["op"] == "ok" for m in answers) <= 2 + 60 * SLOW
    assert not client.closed and client.ping()
