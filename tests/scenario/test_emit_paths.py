"""How Redis is made to append once, by what it offers and permits: by itself, by a Function, by a script, or not at all."""

import contextlib
import re
import shlex

import pytest
import redis as redis_py

from harness import ROOT, Refused, stream_id, wait_until

WINDOW_MS = 1000
TRIED_MS = 500  # emit_timeout_ms, where it matters
REMEMBERED_MS = WINDOW_MS + TRIED_MS
TOPICS = [
    {"match": "st.**", "source": "stream"},
    {"match": "brief.*", "source": "stream", "dedupe_window_ms": WINDOW_MS},
    {"match": "short.*", "source": "stream", "maxlen": 100},
    {"match": "best.*", "source": "stream", "dedupe": "best_effort", "maxlen": 100},
]
# What the gateway's user may not do, and what its log says then.
TO_THE_SCRIPT = ["function", "fcall"]
TO_NOTHING = TO_THE_SCRIPT + ["evalsha", "script"]


def permit_all_but(redis, commands):
    """A user of Redis; its address. What this Redis does not know cannot be denied."""
    with redis.client() as client:
        client.execute_command("ACL", "SETUSER", "gate", "on", ">secret", "resetkeys", "~*", "resetchannels", "&*", "+@all")
        known = {name.lower() for name in client.command()}
        client.execute_command("ACL", "SETUSER", "gate", *(f"-{name}" for name in commands if name in known))
    return f"redis://gate:secret@127.0.0.1:{redis.port}"


def says_of(redis, path):
    if path == "script" or redis.version() < (7,):
        return r"once each by the script headgate_[0-9a-f]{8}"
    return r"once each by (the Function headgate_[0-9a-f]{8}|XADD IDMP)"


@pytest.fixture(params=["best", "script"])
def path(request):
    """The best there is; what is left without functions."""
    return request.param


@pytest.fixture
def open_gate(redis, make_gateway, path):
    def open_it(**config):
        url = permit_all_but(redis, TO_THE_SCRIPT) if path == "script" else redis.url
        gateway = make_gateway(url, **{"topics": TOPICS, **config})
        gateway.wait_log(says_of(redis, path))
        return gateway

    return open_it


@pytest.fixture
def by_hashes(redis, path):
    """For tests that look at how the gateway remembers; Redis 8.6.2 does it by itself."""
    if path == "best" and redis.version() >= (8, 6, 2):
        pytest.skip("this Redis remembers by itself")


def entries(redis, stream):
    return [fields for _, fields in redis.client().xrange(stream)]


def test_once(redis, open_gate):
    client = open_gate().client()
    first = client.emit("st.x", {"n": 1}, "one")
    assert first["duplicate"] is False
    again = client.emit("st.x", {"n": 1}, "one")
    assert again["duplicate"] is True and again["cursor"] == first["cursor"]
    with pytest.raises(Refused) as refused:
        client.emit("st.x", {"n": 2}, "one")
    assert (refused.value.code, refused.value.error["reason"]) == (122, "id_conflict")
    assert "retry_ms" not in refused.value.error
    with pytest.raises(Refused):
        client.emit("st.x", b'{"n":1}', "one")  # other bytes are another event
    assert entries(redis, "st.x") == [{b"event": b'{"n": 1}', b"id": b"one"}]


def test_many_in_one_call(redis, open_gate):
    """New ones, known ones, twice in the same call, and conflicts in between: each gets its own answer, in order."""
    client = open_gate().client()
    known = {n: client.emit("st.x", n, f"id-{n}")["cursor"] for n in range(0, 100, 3)}
    with redis.client() as other:
        other.client_pause(100)
    lines = []
    for n in range(100):
        event = -1 if n % 5 == 4 and n in known else n
        lines.append(f'{{"op":"emit","ref":{n},"topic":"st.x","id":"id-{n}","event":{event}}}')
        lines.append(f'{{"op":"emit","ref":{1000 + n},"topic":"st.x","id":"id-{n}","event":{n}}}')
    client.send("\n".join(lines))
    for n in range(100):
        answer, again = client.answer_to(n), client.answer_to(1000 + n)
        if n % 5 == 4 and n in known:
            assert answer["code"] == 122
        else:
            assert answer["duplicate"] is (n in known) and answer["cursor"] == known.get(n, answer["cursor"])
        assert again["duplicate"] is True and again["cursor"] == known.get(n, answer.get("cursor"))
    stored = [int(fields[b"event"]) for fields in entries(redis, "st.x")]
    assert sorted(stored) == list(range(100)) and stored[len(known):] == [n for n in range(100) if n not in known]


def test_the_window(redis, open_gate):
    """An id is known for at least the window and what the gateway tries, and at most for twice as long, by the clock of Redis."""
    client = open_gate(emit_timeout_ms=TRIED_MS).client()
    clock = redis.client()

    def now():
        seconds, micros = clock.time()
        return seconds * 1000 + micros // 1000

    for round_, delay in enumerate([0, REMEMBERED_MS // 3, REMEMBERED_MS * 2 // 3]):
        # Wherever in a window it comes.
        began = stream_id(client.emit("brief.x", 0, f"filler-{round_}-0")["cursor"])[0]
        wait_until(lambda: now() >= began + delay, "a later moment")
        first = stream_id(client.emit("brief.x", 1, "one")["cursor"])[0]
        fillers = 0
        # The hashes are turned by a call, so not before one comes, and one in a while is asked to look.
        pause, look = 0, REMEMBERED_MS // 16
        last = first
        while True:
            before = now()
            pause, last = max(pause, before - last), before
            answer = client.emit("brief.x", 1, "one")
            if not answer["duplicate"]:
                assert now() >= first + REMEMBERED_MS
                break
            assert before <= first + 2 * (REMEMBERED_MS + look + pause) + 5
            fillers += 1
            client.emit("brief.x", fillers, f"filler-{round_}-{fillers}")
        assert fillers > 3


def test_a_quiet_topic_forgets_as_well(redis, open_gate, by_hashes):
    """The window ends at twice its length also where nothing was emitted in between to end it."""
    client = open_gate(emit_timeout_ms=TRIED_MS).client()
    clock = redis.client()

    def now():
        seconds, micros = clock.time()
        return seconds * 1000 + micros // 1000

    first = stream_id(client.emit("brief.x", 1, "one")["cursor"])[0]
    wait_until(lambda: now() >= first + REMEMBERED_MS * 1.7, "the second window to be nearly over")
    client.emit("brief.x", 2, "two")
    wait_until(lambda: now() > first + REMEMBERED_MS * 2 + 5, "its end")
    assert client.emit("brief.x", 1, "one")["duplicate"] is False
    assert client.emit("brief.x", 2, "two")["duplicate"] is True


def test_the_hashes(redis, open_gate, by_hashes):
    """Two of them, in the stream's hash slot, none without an end; after a while nothing is left."""
    client = open_gate(emit_timeout_ms=TRIED_MS).client()
    looker = redis.client()
    base = "headgate:dedupe:{brief.x}:brief.x:"
    current, previous = f"{base}current".encode(), f"{base}previous".encode()
    seen = set()
    count = 0

    def rotated():
        nonlocal count
        count += 1
        client.emit("brief.x", count, f"id-{count}")
        keys = set(looker.keys("headgate:*"))
        assert current in keys and keys <= {current, previous}
        seen.update(keys)
        assert 0 < looker.pttl(current) <= 2 * REMEMBERED_MS
        if previous in keys:
            assert looker.pttl(previous) <= 2 * REMEMBERED_MS  # -2: it ended between the two
            assert looker.pttl(previous) != -1
        fields = looker.hgetall(current)
        begun = int(fields.pop(b""))
        ids = {scope.decode(): value.decode() for scope, value in fields.items()}
        assert all(int(value.split("-")[0]) >= begun for value in ids.values())
        assert len(ids[f"id-{count}"].split("~")[1]) == 8
        return previous in seen and len(ids) > 3 and count > 20

    wait_until(rotated, "two hashes")
    wait_until(lambda: looker.keys("*") == [b"brief.x"], lambda: f"{looker.keys('*')}: only the stream", every=0.05)
    assert looker.xlen("brief.x") == count


def slot_of(key):
    """Redis Cluster specification, Key distribution model."""
    if "{" in key and "}" in key.split("{", 1)[1]:
        key = key.split("{", 1)[1].split("}", 1)[0] or key
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc % 16384


@pytest.mark.parametrize("topic", ["st.x", "st.{tag}.x", "st.ö", "st.a{b"])
def test_one_hash_slot(redis, open_gate, by_hashes, topic):
    open_gate().client().emit(topic, 1, "one")
    keys = [key.decode() for key in redis.client().keys("*")]
    assert len(keys) == 2 and len({slot_of(key) for key in keys}) == 1, keys


def test_maxlen(redis, open_gate):
    client = open_gate().client()
    for batch in range(20):
        client.send("\n".join(f'{{"op":"emit","ref":{n},"topic":"short.x","id":"{n}","event":{n}}}'
                              for n in range(batch * 100, batch * 100 + 100)))
        client.answer_to(batch * 100 + 99)
    assert 100 <= redis.client().xlen("short.x") <= 400


def test_flushed_under_load(redis, open_gate):
    """Scripts and functions vanish while calls are under way: they are given anew, in order, and nothing is doubled."""
    client = open_gate(emit_timeout_ms=60000, breaker_failures=1000).client()
    other = redis.client()
    rounds, size = 40, 50
    for round_ in range(rounds):
        for n in range(round_ * size, round_ * size + size):
            client.send({"op": "emit", "ref": n, "topic": f"st.{n % 3}", "id": str(n), "event": n})
            if n % size == size // 2:
                other.script_flush()
                if redis.version() >= (7,):
                    other.execute_command("FUNCTION", "FLUSH")
    answers = [client.answer_to(n) for n in range(rounds * size)]
    assert [answer.get("duplicate") for answer in answers] == [False] * len(answers)
    for topic in range(3):
        assert [int(fields[b"event"]) for fields in entries(redis, f"st.{topic}")] == [
            n for n in range(rounds * size) if n % 3 == topic]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "lost"])
def test_redis_restarted(make_redis, make_gateway, path, kept):
    redis = make_redis(appendonly="yes", appendfsync="always") if kept else make_redis()
    if path == "script":
        redis.opts["user"] = "gate on >secret ~* &* +@all -function -fcall" if redis.version() >= (
            7,) else "gate on >secret ~* &* +@all"
        redis.restart()
    url = f"redis://gate:secret@127.0.0.1:{redis.port}" if path == "script" else redis.url
    gateway = make_gateway(url, topics=TOPICS)
    gateway.wait_log(says_of(redis, path))
    client = gateway.client()
    first = client.emit("st.x", 1, "one")
    redis.restart()

    def emit():
        try:
            return client.emit("st.x", 1, "one")
        except Refused as refused:
            assert refused.code == 108 and refused.error["retry_ms"] > 0
            return None

    again = wait_until(emit, "an emit after the restart", every=0.05)
    assert again["duplicate"] is kept and (again["cursor"] == first["cursor"]) is kept
    assert client.emit("st.x", 2, "two")["duplicate"] is False
    assert redis.client().xlen("st.x") == 2


def test_a_master_becomes_a_replica_and_master_again(redis, open_gate):
    client = open_gate(emit_timeout_ms=60000, breaker_failures=1000).client()
    first = client.emit("st.x", 0, "zero")
    with redis.client() as other:
        other.execute_command("REPLICAOF", "127.0.0.1", 1)
        for n in range(20):
            client.send({"op": "emit", "ref": n, "topic": "st.x", "id": f"id-{n}", "event": n})
        client.gateway.wait_log("READONLY|a replica now")
        assert not any(client.ops("ok")[1:]), "nothing was acknowledged by a replica"
        other.execute_command("REPLICAOF", "NO", "ONE")
    answers = [client.answer_to(n) for n in range(20)]
    assert [answer.get("duplicate") for answer in answers] == [False] * 20, answers
    assert [fields[b"event"] for fields in entries(redis, "st.x")] == [b"0"] + [b"%d" % n for n in range(20)]
    assert client.emit("st.x", 0, "zero")["cursor"] == first["cursor"]


def test_functions_that_may_be_loaded_but_not_called(redis, make_gateway):
    if redis.version() < (7,):
        pytest.skip("this Redis has no functions")
    if redis.version() >= (8, 6, 2):
        pytest.skip("this Redis appends once by itself")
    gateway = make_gateway(permit_all_but(redis, ["fcall"]), topics=TOPICS)
    client = gateway.client()
    assert client.emit("st.x", 1, "one")["duplicate"] is False
    gateway.wait_log("once each by the script")
    assert client.emit("st.x", 1, "one")["duplicate"] is True


class TestNoScripts:
    @pytest.fixture
    def client(self, redis, make_gateway):
        gateway = make_gateway(permit_all_but(redis, TO_NOTHING), topics=TOPICS)
        gateway.wait_log("allows no script")
        return gateway.client()

    @pytest.fixture(autouse=True)
    def without_idmp(self, redis):
        if redis.version() >= (8, 6, 2):
            pytest.skip("this Redis needs no script")

    def test_refused_with_a_sentence(self, redis, client):
        for n in range(3):
            with pytest.raises(Refused) as refused:
                client.emit("st.x", n, f"id-{n}")
            assert refused.value.code == 108 and refused.value.error["retry_ms"] > 0
            assert refused.value.error["message"] == (
                "Redis allows the gateway no script, without which no event is appended once; its administrator finds in the "
                "log what to grant.")
        log = client.gateway.log
        assert log.count("allows no script: grant its user +fcall +function|load, or +evalsha +script|load, and the keys "
                         "headgate:dedupe:*; or set \"dedupe\": \"best_effort\" for the topics") == 1, log
        assert redis.client().keys("*") == []

    def test_best_effort(self, redis, client):
        client.subscribe("best.x")
        first, again = client.emit("best.x", 1, "one"), client.emit("best.x", 1, "one")
        assert first["duplicate"] is again["duplicate"] is False and first["cursor"] != again["cursor"]
        assert entries(redis, "best.x") == [{b"event": b"1", b"id": b"one"}] * 2
        assert [m["cursor"] for m in client.wait_events(2)] == [first["cursor"], again["cursor"]]
        for batch in range(10):
            client.send("\n".join(f'{{"op":"emit","ref":{n},"topic":"best.x","id":"{n}","event":{n}}}'
                                  for n in range(batch * 100, batch * 100 + 100)))
            client.answer_to(batch * 100 + 99)
        assert 100 <= redis.client().xlen("best.x") <= 400

    def test_granted_in_the_end(self, redis, client):
        """The gateway asks again with its next connection."""
        permit_all_but(redis, [])
        with redis.client() as other:
            other.execute_command("CLIENT", "KILL", "USER", "gate")

        def emit():
            try:
                return client.emit("st.x", 1, "one")
            except Refused:
                return None

        assert wait_until(emit, "an emit that is let in", every=0.05)["duplicate"] is False
        client.gateway.wait_log("once each by the")


def test_best_effort_remembers_where_it_can(redis, make_gateway):
    client = make_gateway(redis, topics=TOPICS).client()
    first, again = client.emit("best.x", 1, "one"), client.emit("best.x", 1, "one")
    assert again["duplicate"] is True and again["cursor"] == first["cursor"]


def test_the_permissions_that_are_documented(make_redis, make_gateway):
    """What the documentation grants is enough for all that it says, and each command is needed for something."""
    redis = make_redis(repl_diskless_sync_delay=0)
    page = (ROOT / "web/docs/operations.md").read_text()
    command = page[page.index("redis-cli ACL SETUSER headgate"):]
    words = shlex.split(command[:command.index("```")].replace("\\\n", " "))[1:]
    further = shlex.split(" ".join(re.findall(r"`(\+[^`]*)`", page)))
    admin = redis.client()
    if redis.version() < (7,):
        words = [word for word in words if word not in ("+fcall", "+function|load")]
    admin.execute_command(*words)
    for grant in further:
        with contextlib.suppress(redis_py.exceptions.ResponseError):  # not of this version
            admin.execute_command("ACL", "SETUSER", "headgate", grant)
    admin.acl_log_reset()
    replica = make_redis(replicaof=f"127.0.0.1 {redis.port}", repl_ping_replica_period=1)
    with redis.client(single_connection_client=True) as probe:
        wait_until(lambda: probe.incr("probe") and probe.wait(1, 100) >= 1, "the replica to follow")
    gateway = make_gateway(f"redis://headgate:secret@127.0.0.1:{redis.port}", topics=[
        {"match": "safe.*", "source": "stream", "key": "events:{topic}", "durability": "replicas:1", "maxlen": 1000},
        {"match": "disk.*", "source": "stream", "key": "events:{topic}", "durability": "fsync"},
        {"match": "st.*", "source": "stream", "key": "events:{topic}", "require": ["n"], "dead_letter": "dead:{topic}",
         "dedupe_window_ms": 1000},
        {"match": "ch.*", "source": "channel"},
    ], emit_timeout_ms=1000, durability_timeout_ms=1000)
    client = gateway.client()
    client.subscribe("st.*")
    client.subscribe("st.x", from_="start")
    client.subscribe("ch.x")
    assert client.emit("safe.x", 1, "one")["durability"] == "replicas:1"
    assert client.emit("disk.x", 1, "one")["durability"] in ("memory", "fsync")
    count = 0

    def rotated():  # so that all commands of the step were called
        nonlocal count
        count += 1
        client.emit("st.x", {"n": count}, f"id-{count}")
        return count > 5 and stream_id(client.ops("ok")[-1]["cursor"])[0] - first > 4500

    first = stream_id(client.emit("st.x", {"n": 0}, "id-0")["cursor"])[0]
    wait_until(rotated, "the window to pass twice", every=0.05)
    with pytest.raises(Refused) as refused:
        client.emit("st.x", {}, "bad")
    assert refused.value.code == 121 and admin.xlen("dead:st.x") == 1
    client.wait_events(count + 1)
    admin.publish("ch.x", "1")
    client.wait(lambda: client.events(topic="ch.x"), "the message")
    denied = [(entry["object"], entry["context"]) for entry in admin.acl_log() if entry["username"] == "headgate"]
    assert [entry for entry in denied if "waitaof" not in str(entry[0]).lower()] == []
    assert "allows no script" not in gateway.log and "NOPERM" not in gateway.log, gateway.log
    assert replica.client().xlen("events:safe.x") == 1
