"""Redis Streams to browsers: live, from the start, the last N, and streams that appear later."""

import json
import threading

import pytest

from harness import RawSocket, ids_of, redis_ids, stream_id, wait_until


def fill(redis, key, count, start=0):
    pipe = redis.client().pipeline(transaction=False)
    for n in range(start, start + count):
        pipe.xadd(key, {"event": f'{{"n":{n}}}'})
    return pipe.execute()


def numbers(events):
    return [m["event"]["n"] for m in events]


@pytest.mark.valgrind
def test_live(redis, client):
    fill(redis, "st.x", 5)
    sub = client.subscribe("st.x")
    entry_id = redis.client().xadd("st.x", {"event": b'{ "n" : 5 }', "other": "ignored"})
    (event,) = client.wait_events(1)
    assert event.raw_event == b'{ "n" : 5 }'
    assert event["sub"] == sub and event["topic"] == "st.x"
    assert event["cursor"].split("~")[0] == entry_id.decode()
    assert list(event) == ["op", "sub", "topic", "cursor", "event"]
    fill(redis, "st.x", 500, 6)
    client.wait_events(501)
    client.settle()
    assert numbers(client.events()) == list(range(5, 506))
    assert ids_of(client.events()) == redis_ids(redis.client().xrange("st.x"))[5:]


def test_live_before_the_stream_exists(redis, client):
    client.subscribe("st.x")
    fill(redis, "st.x", 10)
    assert numbers(client.wait_events(10)) == list(range(10))


def test_payloads(redis, client):
    client.subscribe("st.x")
    redis.client().xadd("st.x", {"event": b"no json"})
    redis.client().xadd("st.x", {"event": b"\xff\x00"})
    text, binary = client.wait_events(2)
    assert text["text"] == "no json" and binary["base64"] == "/wA="


def test_entries_without_payload_field_are_objects_of_their_fields(redis, client):
    client.subscribe("st.x")
    redis.client().xadd("st.x", {"type": "Placed", "data": b'{ "total": 1.50 }', "n": "5", "ä\"": "\u2028\n"})
    redis.client().xadd("st.x", {"data": b"not json"})
    redis.client().xadd("st.x", {"bin": b"\xff"})
    a, b, c = client.wait_events(3)
    assert a["event"] == {"type": "Placed", "data": {"total": 1.5}, "n": "5", 'ä"': "\u2028\n"}
    assert list(a["event"]) == ["type", "data", "n", 'ä"']
    assert b'{ "total": 1.50 }' in a.raw_event
    assert b["event"] == {"data": "not json"}
    assert c["event"] == {"bin": {"base64": "/w=="}}


def test_key_and_payload_field_of_the_rule(redis, client):
    client.subscribe("mapped.x")
    redis.client().xadd("events:mapped.x", {"event": b"1", "payload": b"[2]"})
    (event,) = client.wait_events(1)
    assert event["topic"] == "mapped.x" and event["event"] == [2]


@pytest.mark.valgrind
def test_from_start(redis, client):
    fill(redis, "st.x", 2500)
    sub = client.subscribe("st.x", from_="start")
    client.wait_op("caught_up", sub)
    assert numbers(client.events(sub)) == list(range(2500))
    position = [m["op"] for m in client.messages].index("caught_up")
    assert sum(m["op"] == "event" for m in client.messages[:position]) == 2500
    fill(redis, "st.x", 10, 2500)
    assert numbers(client.wait_events(2510, sub)) == list(range(2510))
    client.settle()
    assert len(client.ops("caught_up")) == 1 and not client.ops("gap")


def test_last(redis, client, gateway):
    fill(redis, "st.x", 3000)
    for last in (1, 3, 1000, 2500):
        one = gateway.client()
        sub = one.subscribe("st.x", from_={"last": last})
        one.wait_op("caught_up", sub)
        assert numbers(one.events(sub)) == list(range(3000 - last, 3000))
        one.close()
    sub = client.subscribe("st.x", from_={"last": 10_000})
    client.wait_op("caught_up", sub)
    assert numbers(client.events(sub)) == list(range(3000))
    fill(redis, "st.x", 1, 3000)
    assert numbers(client.wait_events(3001, sub)) == list(range(3001))


def test_start_and_last_of_nothing(redis, client):
    subs = [client.subscribe("st.missing", from_="start"), client.subscribe("st.missing", from_={"last": 5})]
    redis.client().xadd("st.empty", {"event": "0"})
    redis.client().xtrim("st.empty", maxlen=0, approximate=False)
    subs += [client.subscribe("st.empty", from_="start"), client.subscribe("st.empty", from_={"last": 5})]
    for sub in subs:
        client.wait_op("caught_up", sub)
    assert not client.events()
    fill(redis, "st.missing", 3)
    fill(redis, "st.empty", 3)
    for sub in subs:
        assert numbers(client.wait_events(3, sub)) == [0, 1, 2]


def test_replay_meets_the_live_stream_without_hole_or_repetition(redis, gateway):
    fill(redis, "st.x", 1000)
    stop = threading.Event()
    written = [1000]

    def write():
        client = redis.client()
        while not stop.is_set():
            pipe = client.pipeline(transaction=False)
            for _ in range(20):
                pipe.xadd("st.x", {"event": f'{{"n":{written[0]}}}'})
                written[0] += 1
            pipe.execute()
            stop.wait(0.005)  # a pace that a replay can outrun

    writer = threading.Thread(target=write)
    writer.start()
    try:
        clients = []
        for i in range(12):
            client = gateway.client()
            sub = client.subscribe("st.x", from_="start" if i % 2 else {"last": 500})
            clients.append((client, sub))
        for client, sub in clients:
            client.wait_op("caught_up", sub)
        for client, sub in clients:
            have = len(client.events(sub))
            client.wait_events(have + 200, sub)
    finally:
        stop.set()
        writer.join()
    for client, sub in clients:
        client.wait(lambda c=client, s=sub: c.events(s)[-1]["event"]["n"] == written[0] - 1, "the last entry")
        got = numbers(client.events(sub))
        assert got == list(range(got[0], written[0]))
        assert not client.ops("gap")
    assert [numbers(c.events(s))[0] for c, s in clients][1] == 0


def test_patterns_follow_streams_that_are_there(redis, client):
    fill(redis, "st.p.a", 3)
    fill(redis, "st.p.b", 3)
    sub = client.subscribe("st.p.*")
    fill(redis, "st.p.a", 2, 3)
    fill(redis, "st.p.b", 2, 3)
    fill(redis, "st.p.b.c", 2)
    client.wait_events(4, sub)
    client.settle()
    assert numbers(client.events(topic="st.p.a")) == [3, 4]
    assert numbers(client.events(topic="st.p.b")) == [3, 4]
    assert not client.events(topic="st.p.b.c")


@pytest.mark.valgrind
def test_patterns_find_streams_that_appear_later_from_their_first_entry(redis, client):
    sub = client.subscribe("st.p.**")
    names = [f"st.p.{n}.x" for n in range(30)]
    for name in names:
        fill(redis, name, 5)
    for name in names:
        client.wait_events(5, sub, name)
    for name in names:
        fill(redis, name, 5, 5)
    for name in names:
        assert numbers(client.wait_events(10, sub, name)) == list(range(10))


def test_patterns_from_start(redis, client):
    for name in "abc":
        fill(redis, f"st.p.{name}", 300)
    sub = client.subscribe("st.p.*", from_="start")
    client.wait_op("caught_up", sub)
    for name in "abc":
        assert numbers(client.events(sub, f"st.p.{name}")) == list(range(300))


def test_mapped_patterns(redis, client):
    redis.client().xadd("events:mapped.old", {"payload": "0"})
    client.subscribe("mapped.*")
    redis.client().xadd("events:mapped.old", {"payload": "1"})
    redis.client().xadd("events:mapped.new", {"payload": "2"})
    redis.client().xadd("mapped.other", {"payload": "3"})
    client.wait_events(2)
    client.settle()
    assert {(m["topic"], m["event"]) for m in client.events()} == {("mapped.old", 1), ("mapped.new", 2)}


def test_a_new_stream_does_not_wait_for_the_others(redis, client):
    """The reader is blocked in Redis on the first stream; the second must not wait for that to end."""
    client.subscribe("st.a")
    fill(redis, "st.a", 1)
    client.wait_events(1)
    for n in range(20):
        client.subscribe(f"st.new{n}")
        fill(redis, f"st.new{n}", 1)
        client.wait_events(1, topic=f"st.new{n}", timeout=2)


def test_many_streams(redis, make_gateway):
    gateway = make_gateway(redis, streams_per_link_max=10, subscriptions_per_session_max=1000)
    client = gateway.client()
    for n in range(60):
        client.subscribe(f"st.many.{n}")
    for n in range(60):
        fill(redis, f"st.many.{n}", 3)
    for n in range(60):
        assert numbers(client.wait_events(3, topic=f"st.many.{n}")) == [0, 1, 2]


def test_a_stream_that_is_deleted_and_begun_anew(redis, client):
    client.subscribe("st.x")
    fill(redis, "st.x", 3)
    last = ids_of(client.wait_events(3))[-1]
    redis.client().delete("st.x")
    # Redis makes ids from its clock: within the same millisecond the new stream's would not be greater.
    wait_until(lambda: int(redis.client().time()[0] * 1000 + redis.client().time()[1] / 1000) > last[0] + 1, "the next millisecond")
    fill(redis, "st.x", 3, 3)
    assert numbers(client.wait_events(6)) == list(range(6))


def test_two_gateways_deliver_the_same(redis, make_gateway):
    clients = [make_gateway(redis).client() for _ in range(2)]
    for client in clients:
        client.subscribe("st.x")
    fill(redis, "st.x", 200)
    a, b = [client.wait_events(200) for client in clients]
    assert [m["cursor"] for m in a] == [m["cursor"] for m in b]


def test_a_client_that_does_not_read_catches_up_from_the_stream(redis, make_gateway):
    gateway = make_gateway(redis, log_bytes_max=65536, event_bytes_max=16384)
    with RawSocket(gateway) as slow:
        assert slow.handshake()[0] == 101
        slow.send_frame(1, b'{"op":"subscribe","ref":1,"topic":"st.x"}')
        while b'"ref":1' not in slow.read_frame()[1]:
            pass
        quick = gateway.client()
        quick.subscribe("st.x")
        count, payload = 3000, "x" * 4000
        for start in range(0, count, 50):
            pipe = redis.client().pipeline(transaction=False)
            for n in range(start, start + 50):
                pipe.xadd("st.x", {"event": f'{{"n":{n},"pad":"{payload}"}}'})
            pipe.execute()
        assert numbers(quick.wait_events(count)) == list(range(count))
        got, last = [], (0, 0)
        while len(got) < count:
            opcode, data = slow.read_frame()
            assert opcode in (1, 9), opcode
            if opcode == 9:
                continue
            message = json.loads(data)
            assert message["op"] != "gap", message
            if message["op"] == "event":
                assert stream_id(message["cursor"]) > last
                last = stream_id(message["cursor"])
                got.append(message["event"]["n"])
        assert got == list(range(count))


def test_the_fingerprint_is_of_the_content(redis, make_redis, make_gateway, gateway):
    """The same entry in two Redis servers has the same cursor, another content under the same id a different one."""
    other = make_redis()
    clients = [gateway.client(), make_gateway(other).client()]
    for client in clients:
        client.subscribe("st.x", from_="start")
    for server, second in ((redis, "a"), (other, "b")):
        server.client().xadd("st.x", {"event": "1"}, id="1-1")
        server.client().xadd("st.x", {"event": f'"{second}"'}, id="1-2")
    a, b = [client.wait_events(2) for client in clients]
    assert a[0]["cursor"] == b[0]["cursor"]
    assert a[1]["cursor"] != b[1]["cursor"]
    assert stream_id(a[1]["cursor"]) == stream_id(b[1]["cursor"]) == (1, 2)


@pytest.mark.valgrind
def test_events_past_the_ceiling_are_told_as_a_gap(redis, make_gateway):
    gateway = make_gateway(redis, event_bytes_max=2000)
    client = gateway.client()
    stream, channel = client.subscribe("st.x"), client.subscribe("ch.x")
    for size in (10, 5000, 20):
        payload = '"' + "x" * size + '"'
        redis.client().xadd("st.x", {"event": payload})
        redis.client().publish("ch.x", payload)
    for sub in (stream, channel):
        client.wait_events(2, sub)
        told = [m["op"] for m in client.messages if m.get("sub") == sub and m["op"] in ("event", "gap")]
        assert told == ["event", "gap", "event"]
        assert client.ops("gap", sub)[0].get("count") == 1


def test_a_stream_that_was_trimmed_starts_where_it_starts(redis, client):
    """Entries trimmed before the subscription are no hole."""
    fill(redis, "st.x", 100)
    redis.client().xtrim("st.x", maxlen=10, approximate=False)
    sub = client.subscribe("st.x", from_="start")
    client.wait_op("caught_up", sub)
    assert numbers(client.events(sub)) == list(range(90, 100))
    assert not client.ops("gap")


def test_memory_of_the_stream_is_the_only_history(redis, gateway):
    """A second subscriber from the start sees what the first saw live."""
    first = gateway.client()
    first.subscribe("st.x")
    fill(redis, "st.x", 50)
    first.wait_events(50)
    second = gateway.client()
    sub = second.subscribe("st.x", from_="start")
    second.wait_op("caught_up", sub)
    assert [m["cursor"] for m in second.events(sub)] == [m["cursor"] for m in first.events()]
