"""Coming back: cursors, times, what is answered from memory, and what a client is told when its place is gone."""

import json

import pytest

RULES = [
    {"match": "st.**", "source": "stream"},
    {"match": "ch.**", "source": "channel"},
]


def subscribe(client, topic, **options):
    """The answer; `from_` stands for the member "from"."""
    if "from_" in options:
        options["from"] = options.pop("from_")
    answer = client.request({"op": "subscribe", "topic": topic, **options})
    assert answer["op"] == "ok", answer
    return answer


def after(topic, cursor):
    return {"cursors": {topic: cursor}}


def receive(client):
    """The next message of a flow."""
    return client.recv_until(lambda m: m["op"] in ("event", "gap", "caught_up"))


def event(client):
    message = receive(client)
    assert message["op"] == "event", message
    return message


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(redis, topics=RULES, linger_ms=60000, system_topic=True, system_ms=200)


def add(redis, topic, first, last):
    pipe = redis.client().pipeline(transaction=False)
    for n in range(first, last + 1):
        pipe.xadd(topic, {"event": json.dumps({"n": n})})
    return pipe.execute()


def numbers(client, count):
    return [event(client)["event"]["n"] for _ in range(count)]


def commands(redis, *names):
    stats = redis.client().info("commandstats")
    return sum(stats.get("cmdstat_" + name, {}).get("calls", 0) for name in names)


def test_the_place_in_ok_is_enough_to_come_back(redis, gateway):
    add(redis, "st.a", 1, 3)
    first = gateway.client()
    ok = subscribe(first, "st.a")
    first.close()
    add(redis, "st.a", 4, 6)
    second = gateway.client()
    subscribe(second, "st.a", from_=after("st.a", ok["cursor"]))
    assert numbers(second, 3) == [4, 5, 6]
    assert receive(second)["op"] == "caught_up"


def test_coming_back_needs_nothing_of_redis(redis, gateway):
    stays = gateway.client()
    subscribe(stays, "st.a")
    leaves = gateway.client()
    subscribe(leaves, "st.a")
    add(redis, "st.a", 1, 500)
    cursor = [event(leaves) for _ in range(100)][-1]["cursor"]
    leaves.close()
    assert numbers(stays, 500) == list(range(1, 501))
    before = commands(redis, "xrange", "xrevrange", "xinfo|stream")
    for _ in range(20):
        back = gateway.client()
        subscribe(back, "st.a", from_=after("st.a", cursor))
        assert numbers(back, 400) == list(range(101, 501))
        assert receive(back)["op"] == "caught_up"
        back.close()
    # Quiet streams are proven now and then; nothing was asked for the clients.
    assert commands(redis, "xrange") == 0
    assert commands(redis, "xrevrange", "xinfo|stream") - before < 20


def test_another_gateway_goes_on(redis, gateway, make_gateway):
    add(redis, "st.a", 1, 10)
    client = gateway.client()
    subscribe(client, "st.a", from_="start")
    cursor = [event(client) for _ in range(4)][-1]["cursor"]
    other = make_gateway(redis, topics=RULES)
    back = other.client()
    subscribe(back, "st.a", from_=after("st.a", cursor))
    assert numbers(back, 6) == [5, 6, 7, 8, 9, 10]
    assert receive(back)["op"] == "caught_up"
    add(redis, "st.a", 11, 11)
    assert numbers(back, 1) == [11]


def test_a_pattern_comes_back_with_what_it_has(redis, gateway):
    add(redis, "st.a", 1, 2)
    add(redis, "st.b", 1, 2)
    client = gateway.client()
    since = subscribe(client, "st.*")["since"]
    add(redis, "st.a", 3, 3)
    cursor = event(client)["cursor"]
    client.close()
    add(redis, "st.a", 4, 4)
    add(redis, "st.b", 3, 4)
    add(redis, "st.c", 1, 1)
    back = gateway.client()
    subscribe(back, "st.*", from_={"cursors": {"st.a": cursor}, "otherwise": {"since": since + 1}})
    got = {"st.a": [], "st.b": [], "st.c": []}
    while sum(map(len, got.values())) < 4:
        message = receive(back)
        if message["op"] == "event":
            got[message["topic"]].append(message["event"]["n"])
    assert got == {"st.a": [4], "st.b": [3, 4], "st.c": [1]}


@pytest.mark.parametrize("make_gone, reason", [
    (lambda r, ids: r.xtrim("st.a", maxlen=2, approximate=False), "trimmed"),
    (lambda r, ids: r.xdel("st.a", ids[2], ids[4]), "deleted"),
    (lambda r, ids: (r.delete("st.a"), r.xadd("st.a", {"event": '{"n":9}'}), r.xadd("st.a", {"event": '{"n":10}'})), "gone"),
    (lambda r, ids: r.delete("st.a"), "gone"),
])
def test_what_is_told_when_the_place_is_gone(redis, make_gateway, make_gone, reason):
    ids = add(redis, "st.a", 1, 10)
    gateway = make_gateway(redis, topics=RULES)
    client = gateway.client()
    subscribe(client, "st.a", from_="start")
    cursor = [event(client) for _ in range(3)][-1]["cursor"]
    gateway.stop()
    make_gone(redis.client(), ids)
    back = make_gateway(redis, topics=RULES).client()
    subscribe(back, "st.a", from_=after("st.a", cursor))
    gap = receive(back)
    assert (gap["op"], gap["reason"]) == ("gap", reason)
    if redis.client().exists("st.a"):
        left = [json.loads(fields[b"event"])["n"] for _, fields in redis.client().xrange("st.a")]
        assert numbers(back, len([n for n in left if n > 3])) == [n for n in left if n > 3]
    assert receive(back)["op"] == "caught_up"


def test_a_cursor_of_another_history_is_told(redis, gateway):
    add(redis, "st.a", 1, 3)
    ids = [i.decode() for i, _ in redis.client().xrange("st.a")]
    client = gateway.client()
    subscribe(client, "st.a", from_=after("st.a", ids[1] + "~00000000"))
    assert receive(client)["reason"] == "rolled_back"
    assert numbers(client, 2) == [2, 3]


def test_live_subscribers_are_told_how_many_were_trimmed(redis, gateway):
    client = gateway.client()
    subscribe(client, "st.a")
    add(redis, "st.a", 1, 1)
    assert numbers(client, 1) == [1]
    pipe = redis.client().pipeline(transaction=True)
    for n in range(2, 12):
        pipe.xadd("st.a", {"event": json.dumps({"n": n})}, maxlen=3, approximate=False)
    pipe.execute()
    gap = receive(client)
    assert (gap["op"], gap["reason"], gap["count"]) == ("gap", "trimmed", 7)
    assert numbers(client, 3) == [9, 10, 11]


def test_trimming_what_was_read_is_no_gap(redis, gateway):
    client = gateway.client()
    subscribe(client, "st.a")
    for n in range(5):
        add(redis, "st.a", n, n)
        assert numbers(client, 1) == [n]
        redis.client().xtrim("st.a", maxlen=0, approximate=False)


def test_since(redis, gateway):
    redis.client().xadd("st.a", {"event": '{"n":1}'}, id="1000-0")
    redis.client().xadd("st.a", {"event": '{"n":2}'}, id="2000-0")
    redis.client().xadd("st.a", {"event": '{"n":3}'}, id="3000-0")
    client = gateway.client()
    subscribe(client, "st.a", from_={"since": 2000})
    assert numbers(client, 2) == [2, 3]
    client.unsubscribe(subscribe(client, "st.a")["sub"])
    assert receive(client)["op"] == "caught_up"
    subscribe(client, "st.a", from_={"since": "1970-01-01T00:00:02.5Z"})
    assert numbers(client, 1) == [3]


def test_replay_at_a_pace_pause_and_seek(redis, gateway):
    for n, ms in enumerate((1000, 1000, 100000000, 100000001)):
        redis.client().xadd("st.a", {"event": json.dumps({"n": n})}, id=f"{ms}-{n}")
    client = gateway.client()
    sub = subscribe(client, "st.a", from_={"since": 0, "speed": 1})["sub"]
    assert numbers(client, 2) == [0, 1]  # the third is due in more than a day
    assert client.request({"op": "pause", "sub": sub})["op"] == "ok"
    add(redis, "st.a", 4, 4)
    assert client.request({"op": "resume", "sub": sub, "speed": 10})["op"] == "ok"
    assert client.request({"op": "seek", "sub": sub, "from": after("st.a", "100000000-2")})["op"] == "ok"
    assert numbers(client, 2) == [3, 4]
    assert receive(client)["op"] == "caught_up"
    add(redis, "st.a", 5, 5)
    assert numbers(client, 1) == [5]


def test_the_system_topic_tells_of_streams(redis, gateway):
    add(redis, "st.a", 1, 1)
    client = gateway.client()
    cursor = subscribe(client, "st.a", from_="start")["cursor"]
    assert numbers(client, 1) == [1]
    watch = gateway.client()
    subscribe(watch, "$system", filter="eventType = 'TopicReport'")
    report = event(watch)["event"]
    assert report["topic"] == "st.a" and report["newest"] == cursor and report["subscribers"] == 1
    assert report["lagMs"] == 0 and report["lagEvents"] == 0


def test_the_system_topic_tells_of_emits(gateway):
    client = gateway.client()
    for _ in range(2):
        assert client.request({"op": "emit", "topic": "st.a", "id": "1", "event": {"n": 1}})["op"] == "ok"
    watch = gateway.client()
    subscribe(watch, "$system", filter="eventType = 'EmitReport'")
    report = event(watch)["event"]
    assert [(link["link"], link["breaker"]) for link in report["links"]] == [("commander", "closed")]
    assert report["links"][0]["dedupe"] in ("function", "idmp") and report["links"][0]["server"].startswith("Redis ")
    assert {name: report[name] for name in ("pending", "accepted", "appended", "duplicates", "refused")} == {
        "pending": 0, "accepted": 2, "appended": 1, "duplicates": 1, "refused": 0}
