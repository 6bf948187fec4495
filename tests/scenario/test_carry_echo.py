"""What stands beside an emitted event about who emitted it, and who does not want it back."""

import json

import pytest

from harness import WsClient

TOPICS = [
    {"match": "who.*", "source": "stream", "carry": ["session", "ip", "user"], "payload_field": "body"},
    {"match": "ip.*", "source": "stream", "carry": ["ip"]},
    {"match": "st.**", "source": "stream"},
]


@pytest.fixture
def gateway(redis, make_gateway):
    return make_gateway(redis, topics=TOPICS)


def only_entry(redis, stream):
    ((_, fields),) = redis.client().xrange(stream)
    return fields


def emit_silently(client, topic, event, id_):
    answer = client.request({"op": "emit", "topic": topic, "id": id_, "event": event, "echo": False})
    assert answer["op"] == "ok", answer
    return answer


def numbers(client, sub=None):
    return [m["event"] for m in client.events(sub)]


# ---------------------------------------------------------------------------------------------------------------- carry


def test_who_emitted_stands_in_the_entry(redis, gateway):
    client = gateway.client()
    client.emit("who.x", {"n": 1}, "one")
    assert list(only_entry(redis, "who.x").items()) == [
        (b"body", b'{"n": 1}'), (b"id", b"one"), (b"session", client.welcome["session"].encode()), (b"ip", b"127.0.0.1")]
    client.emit("ip.x", 1, "one")
    assert only_entry(redis, "ip.x") == {b"event": b"1", b"id": b"one", b"ip": b"127.0.0.1"}
    client.emit("st.x", 1, "one")
    assert only_entry(redis, "st.x") == {b"event": b"1", b"id": b"one"}


def test_the_same_event_of_another_session_is_the_same_event(redis, gateway):
    first, second = gateway.client(), gateway.client()
    cursor = first.emit("who.x", 1, "one")["cursor"]
    again = second.emit("who.x", 1, "one")
    assert again["duplicate"] is True and again["cursor"] == cursor
    assert only_entry(redis, "who.x")[b"session"] == first.welcome["session"].encode()


def test_subscribers_do_not_see_it(gateway):
    client = gateway.client()
    client.subscribe("who.x")
    answer = client.emit("who.x", {"n": 1}, "one")
    (event,) = client.wait_events(1)
    assert event["event"] == {"n": 1} and event["cursor"] == answer["cursor"]
    assert client.welcome["session"] not in event.raw and "127.0.0.1" not in event.raw


# ----------------------------------------------------------------------------------------------------------------- echo


def test_echo_is_the_default(redis, gateway):
    client = gateway.client()
    client.subscribe("st.x")
    client.emit("st.x", 1, "one")
    client.request({"op": "emit", "topic": "st.x", "id": "two", "event": 2, "echo": True})
    client.wait_events(2)
    assert all(set(fields) == {b"event", b"id"} for _, fields in redis.client().xrange("st.x"))


def test_without_echo(redis, gateway):
    client, other = gateway.client(), gateway.client()
    client.subscribe("st.x")
    other.subscribe("st.x")
    emit_silently(client, "st.x", 1, "one")
    client.emit("st.x", 2, "two")
    emit_silently(client, "st.x", 3, "three")
    emit_silently(other, "st.x", 4, "four")
    other.emit("st.x", 5, "five")
    client.wait(lambda: 5 in numbers(client), "the last event")
    other.wait(lambda: 5 in numbers(other), "the last event")
    assert numbers(client) == [2, 4, 5]
    assert numbers(other) == [1, 2, 3, 5]
    entries = [fields for _, fields in redis.client().xrange("st.x")]
    assert [list(fields) for fields in entries] == [[b"event", b"id", b"except"], [b"event", b"id"], [b"event", b"id", b"except"],
                                                    [b"event", b"id", b"except"], [b"event", b"id"]]
    assert entries[0][b"except"] == client.welcome["session"].encode()


def test_the_answers_cursor_resumes_what_was_left_out(gateway):
    """A client that got none of its events comes back with the cursors of its answers, and misses nothing."""
    client, other = gateway.client(), gateway.client()
    answer = emit_silently(client, "st.x", 1, "one")
    other.emit("st.x", 2, "two")
    sub = client.subscribe("st.x", from_={"cursors": {"st.x": answer["cursor"]}})
    client.wait_op("caught_up", sub)
    assert numbers(client, sub) == [2] and not client.ops("gap")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_hello_after_a_lost_connection(redis, gateway, make_gateway, elsewhere):
    """On any gateway: it goes on as the session it was, as far as its own events go."""
    client, other = gateway.client(), gateway.client()
    client.subscribe("st.x")
    emit_silently(client, "st.x", 1, "one")
    other.emit("st.x", 2, "two")
    last = client.wait_events(1)[-1]["cursor"]
    emit_silently(client, "st.x", 3, "three")
    name = client.welcome["session"]
    client.abort()
    other.emit("st.x", 4, "four")

    place = make_gateway(redis, topics=TOPICS) if elsewhere else gateway
    back = place.client()
    assert back.request({"op": "hello", "session": name})["op"] == "ok"
    sub = back.subscribe("st.x", from_={"cursors": {"st.x": last}})
    back.wait_op("caught_up", sub)
    assert numbers(back) == [4]
    emit_silently(back, "st.x", 5, "five")
    other.emit("st.x", 6, "six")
    back.wait(lambda: 6 in numbers(back), "what others emit")
    assert numbers(back) == [4, 6]
    # The entry carries the name it goes by, so that a third connection may go on as well.
    assert redis.client().xrevrange("st.x", count=2)[1][1][b"except"] == name.encode()
    # Who does not say hello is a stranger to its own past.
    stranger = place.client()
    sub = stranger.subscribe("st.x", from_="start")
    stranger.wait_op("caught_up", sub)
    assert numbers(stranger) == [1, 2, 3, 4, 5, 6]


def test_two_gateways_at_the_same_time(redis, gateway, make_gateway):
    """An event that is not for one session reaches those of all other gateways."""
    far = make_gateway(redis, topics=TOPICS).client()
    near = gateway.client()
    client = gateway.client()
    for each in (far, near, client):
        each.subscribe("st.*")
    for n in range(20):
        emit_silently(client, f"st.{n % 3}", n, f"id-{n}")
    near.emit("st.0", 99, "last-0")
    client.wait(lambda: 99 in numbers(client), "the last event")
    for each in (far, near):
        each.wait(lambda e=each: len(numbers(e)) == 21, "all events")
        assert sorted(numbers(each)) == list(range(20)) + [99]
    assert numbers(client) == [99]


def test_filters_see_the_others_events_only(gateway):
    client, other = gateway.client(), gateway.client()
    sub = client.subscribe("st.x", filter="n > 1")
    far = other.subscribe("st.x", filter="n > 1")
    for n in range(4):
        emit_silently(client, "st.x", {"n": n}, f"id-{n}")
    other.emit("st.x", {"n": 9}, "nine")
    other.wait_events(3, far)
    client.wait_events(1, sub)
    assert numbers(client, sub) == [{"n": 9}]
    assert numbers(other, far) == [{"n": 2}, {"n": 3}, {"n": 9}]


def test_rate_and_conflate_bring_it_all_the_same(gateway):
    """What is documented: they keep the latest for all alike."""
    client = gateway.client()
    client.subscribe("st.x", rate=100)
    emit_silently(client, "st.x", 1, "one")
    assert client.wait_events(1)[0]["event"] == 1


@pytest.mark.parametrize("name", ["x", "", "f" * 31, "F" * 32, 7, None, ["a"]])
def test_names_that_are_none(client, name):
    assert isinstance(client, WsClient)
    answer = client.request({"op": "hello", "session": name})
    assert answer["code"] == 107 and "the name of an earlier session" in answer["message"], json.dumps(answer)
    assert client.request({"op": "hello"})["op"] == "ok"
