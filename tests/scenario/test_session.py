"""Subscriptions, answers and endings of one session."""

import json
import signal

import pytest

from harness import RawSocket, Refused, wait_until


@pytest.mark.valgrind
def test_welcome(gateway):
    client = gateway.client()
    assert client.subprotocol == "headgate.v1"
    welcome = client.welcome
    assert client.messages[0] is welcome
    assert isinstance(welcome["session"], str) and welcome["session"]
    assert welcome["ping_ms"] == 25000
    assert isinstance(welcome["limits"], dict) and welcome["limits"]
    assert gateway.client().welcome["session"] != welcome["session"]


def test_no_subprotocol_is_the_default(redis, gateway):
    client = gateway.client(subprotocols=())
    assert client.subprotocol is None
    client.subscribe("ch.x")
    redis.client().publish("ch.x", "1")
    client.wait_events(1)


def test_ours_is_chosen_among_several(gateway):
    assert gateway.client(subprotocols=("other.v9", "headgate.v1")).subprotocol == "headgate.v1"


@pytest.mark.valgrind
def test_unsubscribe(redis, client):
    keep, drop = client.subscribe("ch.*"), client.subscribe("ch.x")
    redis.client().publish("ch.x", "1")
    client.wait_events(1, drop)
    client.unsubscribe(drop)
    redis.client().publish("ch.x", "2")
    client.wait_events(2, keep)
    client.settle()
    assert len(client.events(drop)) == 1
    answer = client.request({"op": "unsubscribe", "sub": drop})
    assert answer["op"] == "error"
    again = client.subscribe("ch.x")
    redis.client().publish("ch.x", "3")
    client.wait(lambda: [m for m in client.events(again) if m["event"] == 3], "the event after subscribing again")


def test_the_same_subscription_again_is_the_same(redis, client):
    sub = client.subscribe("ch.x")
    assert client.subscribe("ch.x") == sub
    redis.client().publish("ch.x", "1")
    client.wait_events(1)
    client.settle()
    assert len(client.events()) == 1
    client.unsubscribe(sub)
    redis.client().publish("ch.x", "2")
    client.settle()
    assert len(client.events()) == 1


def test_unsubscribing_one_session_leaves_the_others(redis, gateway):
    a, b = gateway.client(), gateway.client()
    sub = a.subscribe("ch.x")
    b.subscribe("ch.x")
    a.unsubscribe(sub)
    redis.client().publish("ch.x", "1")
    b.wait_events(1)
    a.settle()
    assert not a.events()


def test_a_sub_of_somebody_else_cannot_be_unsubscribed(redis, gateway):
    a, b = gateway.client(), gateway.client()
    sub = a.subscribe("ch.x")
    assert b.request({"op": "unsubscribe", "sub": sub})["op"] == "error"
    redis.client().publish("ch.x", "1")
    a.wait_events(1)


def test_overlapping_subscriptions_each_get_the_event_in_order(redis, client):
    subs = [client.subscribe(topic) for topic in ("st.x", "st.*", "st.**")]
    for n in range(100):
        redis.client().xadd("st.x", {"event": str(n)})
    for sub in subs:
        assert [m["event"] for m in client.wait_events(100, sub)] == list(range(100))


def test_ping(client):
    assert client.ping()["op"] == "ok"


def test_several_commands_in_one_message(redis, client):
    client.send('{"op":"subscribe","ref":1,"topic":"ch.a"}\n{"op":"ping","ref":2}\n{"op":"nonsense","ref":3}\n'
                '{"op":"subscribe","ref":4,"topic":"ch.b"}\n')
    assert [client.answer_to(ref)["op"] for ref in (1, 2, 3, 4)] == ["ok", "ok", "error", "ok"]
    redis.client().publish("ch.a", "1")
    redis.client().publish("ch.b", "2")
    client.wait_events(2)


def test_many_commands_in_one_message(client):
    client.send("\n".join(json.dumps({"op": "ping", "ref": n}) for n in range(2000)))
    client.answer_to(1999)
    assert [m["ref"] for m in client.ops("ok")] == list(range(2000))


@pytest.mark.parametrize("ref", ['"text"', '"\\u00e9\\/\\n"', '"ö😀"', "0", "-1.50e3", "123456789012345678901234567890", "true",
                                 "false", '""'])
def test_ref_is_echoed_exactly(client, ref):
    client.send(f'{{"op":"ping","ref": {ref} }}')
    ok = client.recv_until(lambda m: m["op"] == "ok")
    assert f'"ref":{ref}' in ok.raw
    client.send(f'{{"ref": {ref},"op":"nonsense"}}')
    error = client.recv_until(lambda m: m["op"] == "error")
    assert f'"ref":{ref}' in error.raw


def test_without_ref_there_is_none_in_the_answer(client):
    client.send({"op": "ping"})
    assert "ref" not in client.recv_until(lambda m: m["op"] == "ok")


def test_unknown_members_are_ignored(client):
    assert client.request({"op": "subscribe", "topic": "ch.x", "colour": "blue", "nested": {"a": [1]}})["op"] == "ok"


def test_escapes_in_topics_are_decoded(redis, client):
    client.send(r'{"op":"subscribe","ref":1,"topic":"ch.\u00e9\u002ex"}')
    assert client.answer_to(1)["op"] == "ok"
    assert redis.client().publish("ch.é.x", "1") == 1
    assert client.wait_events(1)[0]["topic"] == "ch.é.x"


def test_subscriptions_per_session_are_bounded(redis, make_gateway):
    gateway = make_gateway(redis, subscriptions_per_session_max=3)
    client = gateway.client()
    subs = [client.subscribe(f"ch.{n}") for n in range(3)]
    with pytest.raises(Refused) as refused:
        client.subscribe("ch.3")
    assert refused.value.code == 106
    assert client.subscribe("ch.0") == subs[0]
    client.unsubscribe(subs[1])
    client.subscribe("ch.3")
    gateway.client().subscribe("ch.4")


def test_connections_are_bounded(redis, make_gateway):
    gateway = make_gateway(redis, connections_max=2)
    first, second = gateway.client(), gateway.client()
    try:
        third = gateway.client(welcome=False)
        assert third.wait_closed()[0] == 1013
    except Exception as refusal:  # refused before the handshake: as good
        assert "503" in str(refusal), refusal
    first.close()
    wait_until(lambda: gateway.client_sockets() <= 1, "the first one's end")
    assert gateway.client().ping()
    assert second.ping()


@pytest.mark.valgrind
def test_a_client_that_vanishes_leaves_nothing(redis, gateway):
    for _ in range(20):
        client = gateway.client()
        client.subscribe("ch.x")
        client.subscribe("st.x")
        client.abort()
    wait_until(lambda: gateway.client_sockets() == 0, "the end of all sockets")
    wait_until(lambda: b"ch.x" not in redis.client().pubsub_channels(), "the end of the interest in Redis")
    gateway.check_serves()


@pytest.mark.valgrind
def test_sigterm_says_goodbye(redis, gateway):
    clients = [gateway.client() for _ in range(10)]
    for client in clients:
        client.subscribe("ch.x")
        client.subscribe("st.x")
    gateway.end_with(signal.SIGTERM)
    for client in clients:
        code, _ = client.wait_closed()
        assert code == 1012
        goodbye = client.messages[-1]
        assert goodbye["op"] == "goodbye" and goodbye["reason"] and isinstance(goodbye["reconnect_ms"], int)
    # Spread, so that they do not all come back in the same moment.
    assert len({client.messages[-1]["reconnect_ms"] for client in clients}) > 1


def test_sigint_ends_it_too(gateway):
    client = gateway.client()
    gateway.end_with(signal.SIGINT)
    assert client.wait_closed()[0] == 1012


def test_pongs_keep_a_quiet_client(redis, make_gateway):
    gateway = make_gateway(redis, ping_ms=100, pong_timeout_ms=2000)
    with RawSocket(gateway) as quiet:
        assert quiet.handshake()[0] == 101
        pings = 0
        while pings < 5:
            opcode, payload = quiet.read_frame()
            assert opcode in (1, 9), "closed although it answered"
            if opcode == 9:
                quiet.send_frame(10, payload)
                pings += 1
        quiet.send_frame(1, b'{"op":"ping","ref":1}')
        while b'"ref":1' not in quiet.read_frame()[1]:
            pass


def test_a_client_that_does_not_answer_pings_is_closed(redis, make_gateway):
    gateway = make_gateway(redis, ping_ms=100, pong_timeout_ms=200)
    with RawSocket(gateway) as mute:
        assert mute.handshake()[0] == 101
        assert mute.read_close() == 4408
    gateway.check_serves()


def test_descriptors_do_not_leak(redis, gateway):
    warm = gateway.client()
    warm.subscribe("ch.x")
    warm.subscribe("st.x", from_="start")
    warm.emit("st.x", 1, "warm")
    warm.wait_events(1)
    before = gateway.fd_count()
    for _ in range(5):
        clients = [gateway.client() for _ in range(20)]
        for client in clients:
            client.subscribe("ch.x")
        for number, client in enumerate(clients):
            client.abort() if number % 2 else client.close()
    wait_until(lambda: gateway.fd_count() == before, lambda: f"{before} descriptors, now {gateway.fd_count()},")
