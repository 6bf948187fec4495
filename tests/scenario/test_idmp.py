"""Events that Redis itself appends once: XADD … IDMP of Redis 8.6.2 and later, imitated by idmp_redis.py, which names what it follows.

HEADGATE_TEST_REDIS   a redis-server ≥ 8.6.2: the tests run against it, without the imitation; what only that can do is skipped"""

import json
import os

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness import Refused, stream_id, wait_until
from idmp_redis import IdmpRedis
from relay import Relay

REAL = os.environ.get("HEADGATE_TEST_REDIS")
HOLD_S = 10  # emit_timeout_ms: for so long a gateway may keep what a client sent within the window
WINDOW_S = 600 + HOLD_S
TOPICS = [
    {"match": "long.*", "source": "stream", "dedupe_window_ms": 86400000 - 1000 * HOLD_S + 1},
    {"match": "short.*", "source": "stream", "maxlen": 100},
    {"match": "carried.*", "source": "stream", "carry": ["session", "ip"]},
    {"match": "st.*", "source": "stream"},
]
BY_IDMP = r"emits on the link 'commander' to Redis \S+: once each by XADD IDMP where it can"


class Store:
    """A Redis that knows IDMP: a real one, or an imitation in front of one that does not."""

    def __init__(self, redis):
        self.redis = redis
        self.proxy = None if REAL else IdmpRedis(lambda: redis.port)
        self._before = 0

    @property
    def port(self):
        return self.redis.port if REAL else self.proxy.port

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def client(self):
        return redis_py.Redis(host="127.0.0.1", port=self.port, retry=Retry(NoBackoff(), 0))

    def count(self, name):
        """How often this command came."""
        if self.proxy:
            return self.proxy.counts[name.upper()]
        return self.client().info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0)

    def deny(self, *commands):
        """Before a gateway connects."""
        if self.proxy:
            self.proxy.deny(*commands)
        else:
            self.client().execute_command("ACL", "SETUSER", "default", *(f"-{command}" for command in commands))

    def about(self, stream):
        flat = self.client().execute_command("XINFO STREAM", stream)
        return flat if isinstance(flat, dict) else {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}

    def entries(self, stream):
        return self.client().xrange(stream)

    def done(self):
        if self.proxy:
            self.proxy.done()


@pytest.fixture
def make_store(make_redis):
    stores = []

    def make(**opts):
        redis = make_redis(start=not REAL, **opts)
        if REAL:
            redis.command = [REAL]
            redis.start()
        stores.append(Store(redis))
        return stores[-1]

    yield make
    for store in stores:
        store.done()


@pytest.fixture
def store(make_store):
    return make_store()


@pytest.fixture
def open_gateway(make_gateway):
    def make(url, **config):
        url = url if isinstance(url, str) else url.url
        return make_gateway(url, **{"topics": TOPICS, "emit_timeout_ms": 1000 * HOLD_S, **config})

    return make


def emit_all(client, *emits):
    """Emits what is given as (topic, id, event) in one message; the answers, in the same order."""
    base = len(client.messages)
    client.send("\n".join(json.dumps({"op": "emit", "ref": f"{base}.{n}", "topic": topic, "id": id_, "event": event})
                          for n, (topic, id_, event) in enumerate(emits)))

    def answers():
        got = {m["ref"]: m for m in list(client.messages[base:]) if m["op"] in ("ok", "error")}
        return [got[f"{base}.{n}"] for n in range(len(emits))] if len(got) == len(emits) else None

    return client.wait(answers, f"{len(emits)} answers", timeout=60)


# ----------------------------------------------------------------------------------------------------------- once each


def test_redis_does_it_itself(store, open_gateway):
    gateway = open_gateway(store)
    gateway.wait_log(BY_IDMP)
    answer = gateway.client().emit("st.a", {"n": 1}, "a")
    assert answer["duplicate"] is False
    [(id_, fields)] = store.entries("st.a")
    assert answer["cursor"].startswith(id_.decode() + "~")
    assert fields == {b"event": b'{"n": 1}', b"id": b"a"}
    about = store.about("st.a")
    assert (about["iids-added"], about["idmp-duration"], about["idmp-maxsize"], about["groups"]) == (1, WINDOW_S, 10000, 0)
    assert store.count("fcall") == store.count("evalsha") == 0


def test_a_duplicate_gets_the_first_cursor_wherever_it_comes(store, open_gateway):
    gateways = [open_gateway(store), open_gateway(store)]
    first = gateways[0].client().emit("st.a", {"n": 1}, "a")
    assert first["duplicate"] is False
    for _ in range(2):
        for gateway in gateways:
            again = gateway.client().emit("st.a", {"n": 1}, "a")
            assert again["duplicate"] is True and again["cursor"] == first["cursor"]
            gateway.stop()
            gateway.start()
    assert len(store.entries("st.a")) == 1


def test_the_cursor_of_a_duplicate_is_one_to_resume_from(store, open_gateway):
    gateway = open_gateway(store)
    client = gateway.client()
    first = client.emit("carried.a", {"n": 1}, "a")
    other = gateway.client()
    again = other.emit("carried.a", {"n": 1}, "a")  # of another session, which the entry does not name
    assert again["cursor"] == first["cursor"] and again["duplicate"] is True
    client.emit("carried.a", {"n": 2}, "b")
    other.subscribe("carried.a", from_={"cursors": {"carried.a": again["cursor"]}})
    assert other.wait_events(1)[0]["event"] == {"n": 2}
    assert not other.ops("gap")


def test_the_same_id_with_another_event_is_a_conflict(store, open_gateway):
    client = open_gateway(store).client()
    first = client.emit("st.a", {"n": 1}, "a")
    for event in ({"n": 2}, b'{"n":1}'):  # the bytes count
        with pytest.raises(Refused) as refused:
            client.emit("st.a", event, "a")
        assert refused.value.code == 122
    assert client.emit("st.a", {"n": 1}, "a")["cursor"] == first["cursor"]
    assert client.emit("st.b", {"n": 2}, "a")["duplicate"] is False  # an id belongs to its stream
    assert len(store.entries("st.a")) == 1


def test_an_entry_that_was_trimmed_since_is_still_known(store, open_gateway):
    client = open_gateway(store).client()
    first = client.emit("st.a", {"n": 1}, "a")
    store.client().xtrim("st.a", maxlen=0, approximate=False)
    again = client.emit("st.a", {"n": 1}, "a")
    assert again["duplicate"] is True and stream_id(again["cursor"]) == stream_id(first["cursor"])
    assert store.client().xlen("st.a") == 0


def test_new_known_and_twice_in_one_call(store, open_gateway):
    client = open_gateway(store).client()
    known = client.emit("st.a", {"n": 0}, "known")
    answers = emit_all(client, ("st.a", "new", 1), ("st.a", "known", {"n": 0}), ("st.a", "new", 1), ("st.a", "newer", 2),
                       ("st.a", "known", "another"), ("st.a", "new", "another"), ("st.a", "newest", 3))
    assert [a.get("duplicate", a.get("code")) for a in answers] == [False, True, True, False, 122, 122, False]
    assert answers[1]["cursor"] == known["cursor"] and answers[2]["cursor"] == answers[0]["cursor"]
    assert [fields[b"id"] for _, fields in store.entries("st.a")] == [b"known", b"new", b"newer", b"newest"]
    cursors = [answers[n]["cursor"].split("~")[0].encode() for n in (0, 3, 6)]
    assert [id_ for id_, _ in store.entries("st.a")][1:] == cursors


def test_many_ids_of_one_topic(store, open_gateway):
    """More than Redis remembers of one producer."""
    count, at_a_time = 12000, 1000
    client = open_gateway(store, emits_per_session_max=at_a_time).client()
    cursors = []
    for again in (False, True):
        for start in range(0, count, at_a_time):
            answers = emit_all(client, *(("st.a", f"id{n}", n) for n in range(start, start + at_a_time)))
            assert all(a["op"] == "ok" and a["duplicate"] is again for a in answers)
            if again:
                assert [a["cursor"] for a in answers] == cursors[start:start + at_a_time]
            else:
                cursors += [a["cursor"] for a in answers]
    assert store.client().xlen("st.a") == count
    about = store.about("st.a")
    assert about["iids-tracked"] == count and about["pids-tracked"] == 256


def test_a_stream_with_a_limit(store, open_gateway):
    client = open_gateway(store).client()
    emits = [("short.a", f"id{n}", n) for n in range(250)]
    assert all(a["duplicate"] is False for a in emit_all(client, *emits[:200]))
    answers = emit_all(client, *emits)
    assert [a["duplicate"] for a in answers] == [True] * 200 + [False] * 50
    assert len({a["cursor"] for a in answers}) == 250
    assert 100 <= store.client().xlen("short.a") < 250


def test_what_stands_beside_an_event(store, open_gateway):
    client = open_gateway(store).client()
    sub = client.subscribe("carried.*")
    session = client.welcome["session"].encode()
    client.emit("carried.a", {"n": 1}, "a")
    client.request({"op": "emit", "topic": "carried.a", "id": "b", "event": {"n": 2}, "echo": False})
    again = client.request({"op": "emit", "topic": "carried.a", "id": "b", "event": {"n": 2}, "echo": False})
    assert again["duplicate"] is True
    client.emit("carried.a", {"n": 3}, "c")
    assert [m["event"]["n"] for m in client.wait_events(2, sub)] == [1, 3]
    entries = [list(fields.items()) for _, fields in store.entries("carried.a")]
    beside = [(b"session", session), (b"ip", b"127.0.0.1")]
    assert entries[0] == [(b"event", b'{"n": 1}'), (b"id", b"a"), *beside]
    assert entries[1] == [(b"event", b'{"n": 2}'), (b"id", b"b"), *beside, (b"except", session)]


def test_ids_are_known_after_a_restart_of_redis(make_store, open_gateway):
    store = make_store(appendonly="yes", appendfsync="always")
    gateway = open_gateway(store)
    client = gateway.client()
    first = client.emit("st.a", {"n": 1}, "a")
    store.redis.kill9()
    store.redis.start()

    def again():
        answer = client.request({"op": "emit", "topic": "st.a", "id": "a", "event": {"n": 1}})
        assert answer["op"] == "ok" or answer["code"] == 108
        return answer if answer["op"] == "ok" else None

    answer = wait_until(again, "an answer")
    assert answer["duplicate"] is True and answer["cursor"] == first["cursor"]
    assert store.count("xcfgset") == (1 if store.proxy else 0)  # a server counts anew


# --------------------------------------------------------------------------------------------------------- lost answers


@pytest.fixture
def relay(store):
    it = Relay(store.port)
    yield it
    it.done()


def test_the_answer_of_a_transaction_is_lost(store, relay, open_gateway):
    client = open_gateway(relay.url).client()
    client.emit("st.a", {"n": 0}, "before")
    relay.mute(relay.wait_pipe("commander"))
    client.send({"op": "emit", "ref": "lost", "topic": "st.a", "id": "a", "event": {"n": 1}})
    wait_until(lambda: len(store.entries("st.a")) == 2, "the entry")
    relay.cut()
    answer = client.answer_to("lost")
    assert answer["op"] == "ok"
    [_, (id_, _)] = store.entries("st.a")
    assert answer["cursor"].startswith(id_.decode() + "~")


def test_the_entry_of_a_duplicate_is_lost(store, relay, open_gateway):
    client = open_gateway(relay.url).client()
    first = client.emit("st.a", {"n": 1}, "a")
    pipe = relay.wait_pipe("commander")
    before = len([c for c in pipe.commands if c[0] == b"XRANGE"])
    if store.proxy:
        store.proxy.hooks["XRANGE"] = lambda command: relay.mute(pipe)
    else:
        relay.mute(pipe)
    client.send({"op": "emit", "ref": "lost", "topic": "st.a", "id": "a", "event": {"n": 1}})
    if store.proxy:
        wait_until(lambda: pipe.muted and len([c for c in pipe.commands if c[0] == b"XRANGE"]) > before, "the question")
        store.proxy.hooks.clear()
    else:
        wait_until(lambda: store.about("st.a")["iids-duplicates"] == 1, "the duplicate")
    relay.cut()
    answer = client.answer_to("lost")
    assert answer["duplicate"] is True and answer["cursor"] == first["cursor"]
    assert len(store.entries("st.a")) == 1


# -------------------------------------------------------------------------------------------------- what a stream is told


def test_a_stream_is_told_once(store, relay, open_gateway):
    gateway = open_gateway(relay.url)
    client = gateway.client()
    for n in range(3):
        client.emit("st.a", n, f"a{n}")
        client.emit("st.b", n, f"b{n}")
    assert store.count("xcfgset") == 2
    pipe = relay.wait_pipe("commander")
    relay.cut()
    wait_until(lambda: relay.open_pipes("commander") not in ([], [pipe]), "another link")
    assert client.emit("st.a", 0, "a0")["duplicate"] is True
    other = open_gateway(store, topics=[{"match": "st.*", "source": "stream", "dedupe_window_ms": 60000}]).client()
    assert other.emit("st.b", 0, "b0")["duplicate"] is True
    assert store.count("xcfgset") == 2
    longer = open_gateway(store, topics=[{"match": "st.*", "source": "stream", "dedupe_window_ms": 900000}]).client()
    longer.emit("st.a", 5, "a5")
    assert store.count("xcfgset") == 3
    assert store.about("st.a")["idmp-duration"] == 900 + HOLD_S and store.about("st.b")["idmp-duration"] == WINDOW_S


def test_a_stream_that_remembers_longer_keeps_that(store, open_gateway):
    store.client().xadd("st.a", {"f": "v"})
    store.client().execute_command("XCFGSET", "st.a", "IDMP-DURATION", "7200")
    open_gateway(store).client().emit("st.a", 1, "a")
    about = store.about("st.a")
    assert (about["idmp-duration"], about["idmp-maxsize"], about["length"]) == (7200, 10000, 2)


def test_two_gateways_tell_a_stream_at_once(store, open_gateway):
    """The second comes between the question and the telling of the first; what it appends must not be forgotten."""
    if REAL:
        pytest.skip("needs the imitation, which stops in the middle")
    for exists in (True, False):
        stream = f"st.{exists}"
        if exists:
            store.client().xadd(stream, {"f": "v"})
        slow, quick = open_gateway(store).client(), open_gateway(store).client()
        between = []

        def come_between(command):
            del store.proxy.hooks["XCFGSET"]
            between.append(quick.emit(stream, {"n": 1}, "a"))

        store.proxy.hooks["XCFGSET"] = come_between
        slow.emit(stream, {"n": 2}, "b")
        [first] = between
        assert first["duplicate"] is False
        again = slow.emit(stream, {"n": 1}, "a")
        assert again["duplicate"] is True and again["cursor"] == first["cursor"]
        assert [fields.get(b"id") for _, fields in store.entries(stream)][-2:] == [b"a", b"b"]


def test_a_stream_that_is_never_still(store, open_gateway):
    """Somebody appends between each question and the telling: in the end it is told all the same."""
    if REAL:
        pytest.skip("needs the imitation, which stops in the middle")
    store.client().xadd("st.a", {"f": "v"})
    store.proxy.hooks["XCFGSET"] = lambda command: store.client().xadd("st.a", {"f": "v"})
    assert open_gateway(store).client().emit("st.a", 1, "a")["duplicate"] is False
    assert store.about("st.a")["idmp-duration"] == WINDOW_S


def test_a_stream_that_is_deleted_is_told_again(store, open_gateway):
    client = open_gateway(store).client()
    client.emit("st.a", 1, "a")
    store.client().delete("st.a")
    assert client.emit("st.a", 1, "a")["duplicate"] is False
    about = store.about("st.a")
    assert (about["idmp-duration"], about["idmp-maxsize"], about["iids-added"]) == (WINDOW_S, 10000, 1)
    assert client.emit("st.a", 1, "a")["duplicate"] is True


# -------------------------------------------------------------------------------------------------------- another way


def test_a_window_longer_than_redis_allows(store, open_gateway):
    client = open_gateway(store).client()
    first = client.emit("long.a", 1, "a")
    assert client.emit("long.a", 1, "a") == {**first, "ref": "r2", "duplicate": True}
    client.emit("st.a", 1, "a")
    assert store.count("fcall") == 2 and store.about("long.a")["iids-added"] == 0 and store.about("st.a")["iids-added"] == 1


def test_a_key_that_is_no_stream(store, open_gateway):
    store.client().set("st.text", "x")
    client = open_gateway(store).client()
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            client.emit("st.text", 1, "a")
        assert refused.value.code == 107
        assert client.emit("st.a", 1, "a")["op"] == "ok"
    assert store.about("st.a")["iids-added"] == 1 and store.count("fcall") == 0
    store.client().delete("st.text")
    assert client.emit("st.text", 1, "a")["duplicate"] is False
    assert store.about("st.text")["idmp-duration"] == WINDOW_S


@pytest.mark.parametrize("denied", ["xcfgset", "xinfo|stream", "watch", "multi", "xgroup|create", "xlen"])
def test_what_it_takes_is_denied(store, open_gateway, denied):
    store.deny(denied)
    gateway = open_gateway(store)
    client = gateway.client()
    first = client.emit("st.a", 1, "a")
    assert client.emit("st.a", 1, "a") == {**first, "ref": "r2", "duplicate": True}
    assert store.count("fcall") == 2
    assert denied.split("|")[0] in gateway.wait_log(r"another way than by XADD IDMP.*").group(0)
    assert len(store.entries("st.a")) == 1


def test_a_denied_setting_matters_only_where_it_is_needed(store, open_gateway):
    store.client().xadd("st.set", {"f": "v"})
    store.client().execute_command("XCFGSET", "st.set", "IDMP-DURATION", str(WINDOW_S), "IDMP-MAXSIZE", "10000")
    store.deny("xcfgset")
    client = open_gateway(store).client()
    client.emit("st.a", 1, "a")
    assert client.emit("st.set", 1, "a")["duplicate"] is False
    assert client.emit("st.set", 1, "a")["duplicate"] is True
    assert store.about("st.set")["iids-added"] == 1 and store.count("fcall") == 1


def test_no_script_is_needed(store, open_gateway):
    store.deny("function|load", "script|load")
    gateway = open_gateway(store)
    gateway.wait_log("once each by XADD IDMP; topics that it cannot serve are refused")
    client = gateway.client()
    first = client.emit("st.a", 1, "a")
    assert client.emit("st.a", 1, "a") == {**first, "ref": "r2", "duplicate": True}
    with pytest.raises(Refused) as refused:
        client.emit("long.a", 1, "a")
    assert refused.value.code == 108


def test_an_upgrade_of_redis_forgets_nothing(store, open_gateway):
    """What the Function remembers IDMP does not know: the stream stays with it."""
    if REAL:
        pytest.skip("needs the imitation, which can be gone round")
    relay = Relay(store.redis.port)
    try:
        gateway = open_gateway(relay.url)
        client = gateway.client()
        first = client.emit("st.a", 1, "a")
        assert store.count("info") == 0
        relay.target = store.port
        relay.cut()
        gateway.wait_log(BY_IDMP)
        again = wait_until(lambda: (lambda m: m["op"] == "ok" and m)(
            client.request({"op": "emit", "topic": "st.a", "id": "a", "event": 1})), "an answer")
        assert again["duplicate"] is True and again["cursor"] == first["cursor"]
        assert client.emit("st.new", 1, "a")["duplicate"] is False
        assert store.about("st.a")["iids-added"] == 0 and store.about("st.new")["iids-added"] == 1
    finally:
        relay.done()
