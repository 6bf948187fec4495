"""The proxy that imitates Redis 8.6.2 does what it says, in transactions too, and nothing else."""

import socket

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness import DEADLINE, wait_until
from idmp_redis import IdmpRedis, encode


@pytest.fixture
def proxy(redis):
    it = IdmpRedis(redis.port)
    yield it
    it.done()


@pytest.fixture
def r(proxy):
    return redis_py.Redis(host="127.0.0.1", port=proxy.port, retry=Retry(NoBackoff(), 0))


def add(r, iid, *fields, key="s", pid="p", options=()):
    return r.execute_command("XADD", key, *options, "IDMP", pid, iid, "*", *(fields or ("f", "v")))


def info(r, key="s"):
    flat = r.execute_command("XINFO STREAM", key)
    if isinstance(flat, dict):
        return {str(name): value for name, value in flat.items()}
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def fails(r, words, *command):
    with pytest.raises(redis_py.exceptions.ResponseError, match=words):
        r.execute_command(*command)


def test_it_is_newer_and_else_the_same(r, redis):
    assert r.info("server")["redis_version"] == "8.6.2"
    assert redis.client().info("server")["redis_version"] != "8.6.2"
    r.set("binary", bytes(range(256)) * 1000)
    assert r.get("binary") == bytes(range(256)) * 1000 == redis.client().get("binary")
    assert r.execute_command("XADD", "plain", "1-1", "f", "v") == b"1-1"
    assert r.xrange("plain") == [(b"1-1", {b"f": b"v"})]


def test_answers_are_those_of_redis_byte_for_byte(redis, proxy):
    commands = [["SET", "a", "\r\n"], ["GET", "a"], ["GET", "none"], ["LPUSH", "l", "1", "2"], ["LRANGE", "l", "0", "-1"], ["NO"],
                ["XADD", "x", "1-1", "f", "v"], ["XADD", "x", "MAXLEN", "~", "10", "2-1", "IDMP", "v"], ["XRANGE", "x", "-", "+"],
                ["MULTI"], ["XLEN", "x"], ["GET", "l"], ["EXEC"], ["XREAD", "STREAMS", "none", "0"], ["SUBSCRIBE", "c"]]
    said = []
    for port in (redis.port, proxy.port):
        redis.client().flushall()
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
            connection.sendall(b"".join(encode([word.encode() for word in command]) for command in commands))
            data = b""
            while b"$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" not in data:
                data += connection.recv(65536)
            wait_until(lambda: redis.client().publish("c", "\x00message"), "the subscriber")
            while not data.endswith(b"\x00message\r\n"):
                data += connection.recv(65536)
        said.append(data)
    assert said[0] == said[1]


def test_a_duplicate_is_answered_with_the_first_id(r):
    first = add(r, "a", "f", "1")
    assert add(r, "a", "f", "2", "g", "3") == first
    assert add(r, "b") != first
    assert add(r, "a", pid="other") != first
    assert [fields for _, fields in r.xrange("s")] == [{b"f": b"1"}, {b"f": b"v"}, {b"f": b"v"}]
    r.xdel("s", first)
    assert add(r, "a") == first and r.xlen("s") == 2
    of = info(r)
    assert (of["pids-tracked"], of["iids-tracked"], of["iids-added"], of["iids-duplicates"]) == (2, 3, 3, 2)
    assert (of["idmp-duration"], of["idmp-maxsize"], of["groups"], of["length"]) == (100, 100, 0, 2)


def test_ids_are_bytes(r):
    first = add(r, b"\x00\xff\r\n", pid=b"\x00")
    assert add(r, b"\x00\xff\r\n", pid=b"\x00") == first
    assert add(r, b"\x00\xff\r", pid=b"\x00") != first


def test_options_in_any_order(r):
    assert add(r, "a", options=["NOMKSTREAM"]) is None
    assert not r.exists("s")
    first = add(r, "a", options=["MAXLEN", "~", "10"])
    assert r.execute_command("XADD", "s", "IDMP", "p", "a", "KEEPREF", "MAXLEN", "10", "NOMKSTREAM", "*", "f", "v") == first
    for n in range(20):
        add(r, f"more{n}", options=["MAXLEN", "=", "5"])
    assert r.xlen("s") == 5
    assert add(r, "a", options=["MAXLEN", "=", "1"]) == first and r.xlen("s") == 5  # a duplicate trims nothing


def test_what_is_wrong(r):
    fails(r, "only with auto-generated IDs", "XADD", "s", "IDMP", "p", "a", "1-1", "f", "v")
    fails(r, "specified multiple times", "XADD", "s", "IDMP", "p", "a", "IDMP", "p", "b", "*", "f", "v")
    fails(r, "non-empty producer ID", "XADD", "s", "IDMP", "", "a", "*", "f", "v")
    fails(r, "non-empty idempotent ID", "XADD", "s", "IDMP", "p", "", "*", "f", "v")
    fails(r, "wrong number of arguments", "XADD", "s", "IDMP", "p", "a", "*", "f")
    assert not r.exists("s")
    fails(r, "no such key", "XCFGSET", "s", "IDMP-DURATION", "5")
    fails(r, "no such key", "XINFO", "STREAM", "s")
    r.set("text", "x")
    fails(r, "WRONGTYPE", "XADD", "text", "IDMP", "p", "a", "*", "f", "v")
    fails(r, "WRONGTYPE", "XCFGSET", "text", "IDMP-DURATION", "5")
    fails(r, "WRONGTYPE", "XINFO", "STREAM", "text")
    add(r, "a")
    fails(r, "At least one parameter", "XCFGSET", "s")
    fails(r, "syntax error", "XCFGSET", "s", "IDMP-DURATION")
    fails(r, "syntax error", "XCFGSET", "s", "DURATION", "5")
    fails(r, "not an integer", "XCFGSET", "s", "IDMP-DURATION", "3.14")
    fails(r, "not an integer", "XCFGSET", "s", "IDMP-MAXSIZE", "007")
    for name, most in (("IDMP-DURATION", 86400), ("IDMP-MAXSIZE", 10000)):
        for number in (0, -1, most + 1):
            fails(r, f"{name} must be between 1 and {most}", "XCFGSET", "s", name, number)
        assert r.execute_command("XCFGSET", "s", name, most) == b"OK"


@pytest.mark.parametrize("always", [True, False])
def test_configuring_forgets(r, proxy, always):
    proxy.clears_always = always
    first = add(r, "a")
    assert r.execute_command("XCFGSET", "s", "IDMP-DURATION", "300", "IDMP-MAXSIZE", "1000") == b"OK"
    of = info(r)
    assert (of["idmp-duration"], of["idmp-maxsize"], of["iids-tracked"], of["iids-added"]) == (300, 1000, 0, 1)
    second = add(r, "a")
    assert second != first
    r.execute_command("XCFGSET", "s", "IDMP-DURATION", "300", "IDMP-MAXSIZE", "1000")
    assert (add(r, "a") != second) == always
    assert proxy.counts["XCFGSET"] == 2 == len(proxy.commands)


def test_the_oldest_goes_when_a_producer_is_full(r):
    add(r, "made")
    r.execute_command("XCFGSET", "s", "IDMP-MAXSIZE", "3")
    ids = [add(r, f"{n}") for n in range(3)]
    add(r, "0", pid="other")
    assert [add(r, f"{n}") for n in range(3)] == ids
    add(r, "3")
    assert add(r, "0") != ids[0]  # and so 1 went
    assert add(r, "2") == ids[2]
    assert info(r)["iids-tracked"] == 4


def test_ids_grow_old(r):
    add(r, "made")
    r.execute_command("XCFGSET", "s", "IDMP-DURATION", "1")
    first = add(r, "a")
    assert add(r, "a") == first
    wait_until(lambda: add(r, "a") != first, "the end of a second")
    assert r.xlen("s") == 3 and info(r)["iids-tracked"] == 1


def test_all_goes_with_the_stream(r):
    first = add(r, "a")
    r.execute_command("XCFGSET", "s", "IDMP-DURATION", "300")
    r.delete("s")
    r.xadd("s", {"f": "plain"})
    assert info(r)["idmp-duration"] == 100 and info(r)["iids-added"] == 0
    assert add(r, "a") != first


def test_it_lasts_over_a_restart(make_redis):
    redis = make_redis(appendonly="yes", appendfsync="always")
    proxy = IdmpRedis(lambda: redis.port)
    client = redis_py.Redis(host="127.0.0.1", port=proxy.port)
    try:
        first = add(client, "a")
        client.execute_command("XCFGSET", "s", "IDMP-DURATION", "300")
        second = add(client, "a")
        redis.kill9()
        redis.start()
        client.close()
        assert add(client, "a") == second != first and info(client)["idmp-duration"] == 300
    finally:
        proxy.done()


def test_transactions(r, redis):
    with r.pipeline(transaction=True) as pipe:
        pipe.execute_command("XLEN", "s")
        for iid in ("a", "b", "a"):
            pipe.execute_command("XADD", "s", "IDMP", "p", iid, "*", "f", "v")
        pipe.execute_command("XCFGSET", "s", "IDMP-DURATION", "0")
        pipe.execute_command("XADD", "s", "IDMP", "p", "a", "1-1", "f", "v")
        pipe.execute_command("XLEN", "s")
        before, first, second, again, error, other, after = pipe.execute(raise_on_error=False)
    assert (before, after) == (0, 2) and first == again != second
    assert "must be between" in str(error) and "auto-generated" in str(other)
    assert redis.client().xlen("s") == 2


@pytest.mark.parametrize("between, fires", [
    (lambda r: add(r, "new"), True),
    (lambda r: r.xadd("s", {"f": "v"}), True),
    (lambda r: r.execute_command("XCFGSET", "s", "IDMP-MAXSIZE", "5"), True),
    (lambda r: add(r, "known"), False),
    (lambda r: info(r), False),
    (lambda r: add(r, "new", key="other"), False),
], ids=["new", "plain", "configured", "duplicate", "looked", "elsewhere"])
def test_watch_sees_what_changes_the_stream(r, proxy, between, fires):
    add(r, "known")
    with redis_py.Redis(host="127.0.0.1", port=proxy.port).pipeline(transaction=True) as pipe:
        pipe.watch("s")
        pipe.execute_command("XINFO STREAM", "s")
        between(r)
        pipe.multi()
        pipe.execute_command("XCFGSET", "s", "IDMP-DURATION", "300")
        if fires:
            with pytest.raises(redis_py.exceptions.WatchError):
                pipe.execute()
        else:
            assert pipe.execute() == [b"OK"]


def test_what_is_denied_is_not_done(r, proxy):
    add(r, "a")
    proxy.deny("xcfgset", "xinfo|stream")
    fails(r, "no permissions to run the 'xcfgset' command", "XCFGSET", "s", "IDMP-DURATION", "300")
    fails(r, "no permissions to run the 'xinfo.stream' command", "XINFO", "STREAM", "s")
    with r.pipeline(transaction=True) as pipe:
        pipe.xadd("s", {"f": "v"})
        pipe.execute_command("XCFGSET", "s", "IDMP-DURATION", "300")
        with pytest.raises(redis_py.exceptions.ResponseError, match="no permissions|EXECABORT"):
            pipe.execute()
    assert r.xlen("s") == 1
    proxy.deny()
    assert info(r)["idmp-duration"] == 100


def test_hooks_come_before(r, proxy):
    seen = []
    proxy.hooks["XCFGSET"] = lambda command: seen.append((command, proxy.counts["XCFGSET"]))
    add(r, "a")
    r.execute_command("XCFGSET", "s", "IDMP-DURATION", "300")
    assert seen == [([b"XCFGSET", b"s", b"IDMP-DURATION", b"300"], 1)]


def test_an_end_on_one_side_is_one_on_the_other(redis, proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as connection:
        connection.sendall(encode([b"PING"]))
        assert connection.recv(100) == b"+PONG\r\n"
        redis.kill9()
        assert connection.recv(100) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as connection:
        assert connection.recv(100) == b""
