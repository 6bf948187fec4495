"""How durably an emit stands in Redis before it is acknowledged: with replicas that follow, and with a disk."""

import contextlib

import pytest

from harness import FakeRedis, Refused, wait_until

TOPICS = [
    {"match": "safe.*", "source": "stream", "durability": "replicas:1"},
    {"match": "safest.*", "source": "stream", "durability": "replicas:2"},
    {"match": "disk.*", "source": "stream", "durability": "fsync"},
    {"match": "st.*", "source": "stream"},
]


@pytest.fixture
def replica_of(make_redis):
    def make(master):
        replica = make_redis(replicaof=f"127.0.0.1 {master.port}", repl_ping_replica_period=1)
        wait_until(lambda: replica.client().info("replication")["master_link_status"] == "up", "the replica to follow")
        # It is counted at once, but gets writes only after its own first word: so something is written and waited for.
        with master.client(single_connection_client=True) as probe:
            wait_until(lambda: probe.incr("probe") and probe.wait(1, 100) >= 1,
                       "a write to reach it")
            probe.delete("probe")
        return replica

    return make


def test_a_replica_has_it(make_redis, make_gateway, replica_of):
    master = make_redis(repl_diskless_sync_delay=0)
    replica = replica_of(master)
    client = make_gateway(master, topics=TOPICS, durability_timeout_ms=10000).client()
    answers = [client.emit("safe.x", n, f"id-{n}") for n in range(20)]
    assert [answer["durability"] for answer in answers] == ["replicas:1"] * 20
    assert replica.client().xlen("safe.x") == 20  # by the time it was acknowledged
    again = client.emit("safe.x", 0, "id-0")
    assert again["duplicate"] is True and again["durability"] == "replicas:1"
    assert "durability" not in client.emit("st.x", 1, "one")


def test_a_replica_that_hangs(make_redis, make_gateway, replica_of):
    """It is acknowledged all the same, with what was reached; nothing else has to wait for that."""
    master = make_redis(repl_diskless_sync_delay=0)
    replica = replica_of(master)
    gateway = make_gateway(master, topics=TOPICS, durability_timeout_ms=300)
    client, other = gateway.client(), gateway.client()
    assert client.emit("safe.x", 0, "zero")["durability"] == "replicas:1"
    replica.pause()
    try:
        client.send({"op": "emit", "ref": 1, "topic": "safe.x", "id": "one", "event": 1})
        # On a link of its own: topics that ask for no replica do not wait.
        assert other.emit("st.x", 1, "one")["duplicate"] is False
        assert not client.ops("ok")[1:] or client.answer_to(1)["durability"] == "memory"
        answer = client.answer_to(1)
        assert answer["durability"] == "memory" and answer["duplicate"] is False
        # Asked again it is a duplicate, and still as safe as it is.
        again = client.emit("safe.x", 1, "one")
        assert again["duplicate"] is True and again["durability"] == "memory"
    finally:
        replica.resume()
    reached = wait_until(lambda: (lambda m: m if m["durability"] == "replicas:1" else None)(client.emit("safe.x", 1, "one")),
                         "the replica to follow again", every=0.05)
    assert reached["duplicate"] is True
    assert replica.client().xlen("safe.x") == 2


def test_fewer_replicas_than_asked_for(make_redis, make_gateway, replica_of):
    master = make_redis(repl_diskless_sync_delay=0)
    replica_of(master)
    client = make_gateway(master, topics=TOPICS, durability_timeout_ms=200).client()
    assert client.emit("safest.x", 1, "one")["durability"] == "replicas:1"


def test_without_replicas(redis, make_gateway):
    client = make_gateway(redis, topics=TOPICS, durability_timeout_ms=50).client()
    assert client.emit("safe.x", 1, "one")["durability"] == "memory"


def test_the_disk(make_redis, make_gateway):
    """Redis 7.2 tells when it is on the disk; before, and without an append-only file, nobody knows."""
    redis = make_redis(appendonly="yes")
    gateway = make_gateway(redis, topics=TOPICS)
    answers = [gateway.client().emit("disk.x", n, f"id-{n}") for n in range(3)]
    if redis.version() >= (7, 2):
        assert [answer["durability"] for answer in answers] == ["fsync"] * 3
    else:
        assert [answer["durability"] for answer in answers] == ["memory"] * 3
        gateway.wait_log("redis refuses emits: ERR unknown command .WAITAOF")
        assert gateway.log.count("WAITAOF") <= 2, "not a line for each emit"
    assert redis.client().xlen("disk.x") == 3


def test_a_server_that_fsyncs(make_fake_redis, make_gateway):
    """With the words of WAITAOF, whatever redis-server is at hand."""
    said = []

    def handler(command, _):
        word = command[0].upper()
        if word == b"INFO":
            return b"$21\r\nredis_version:7.2.4\r\n\r\n"
        if word == b"FUNCTION":
            return b"$8\r\nheadgate\r\n"
        if word == b"FCALL":
            said.append(command)
            return b"*1\r\n$3\r\n%d-0\r\n" % len(said)
        if word == b"WAITAOF":
            said.append(command)
            return b"*2\r\n:1\r\n:0\r\n"
        return FakeRedis.polite(command) or b"-ERR unknown command\r\n"

    client = make_gateway(make_fake_redis(handler).url, topics=TOPICS, durability_timeout_ms=1234).client()
    answer = client.emit("disk.x", {"n": 1}, "one")
    assert answer["durability"] == "fsync" and answer["cursor"].startswith("1-0~")
    assert said[0][7] == b"write", "something is written in any case, so that WAITAOF covers duplicates"
    assert said[1] == [b"WAITAOF", b"1", b"0", b"1234"]


def test_the_link_breaks_in_the_wait(make_redis, make_gateway):
    """It stands there already, so it is not appended again, and it is no duplicate to its client."""
    redis = make_redis()
    gateway = make_gateway(redis, topics=TOPICS, durability_timeout_ms=2000)
    client = gateway.client()
    client.send({"op": "emit", "ref": 1, "topic": "safe.x", "id": "one", "event": 1})
    looker = redis.client()
    waiting = wait_until(lambda: [c for c in looker.client_list() if c["cmd"] == "wait"], "the gateway to wait for a replica")
    looker.client_kill_filter(_id=waiting[0]["id"])
    answer = client.answer_to(1)
    assert answer["op"] == "ok" and answer["duplicate"] is False and answer["durability"] == "memory"
    assert looker.xlen("safe.x") == 1


def test_replicas_that_redis_itself_insists_on(redis, make_gateway):
    """min-replicas-to-write: Redis refuses for now, and the gateway waits."""
    if redis.version() < (6, 2):
        pytest.skip("this Redis lets scripts write all the same")
    client = make_gateway(redis, topics=TOPICS, emit_timeout_ms=60000, breaker_failures=1000).client()
    looker = redis.client()
    looker.config_set("min-replicas-to-write", 1)
    client.send({"op": "emit", "ref": 1, "topic": "st.x", "id": "one", "event": 1})
    client.gateway.wait_log("NOREPLICAS")
    looker.config_set("min-replicas-to-write", 0)
    assert client.answer_to(1)["duplicate"] is False
    with contextlib.suppress(Refused):
        assert client.emit("st.x", 1, "one")["duplicate"] is True
