"""The harness itself: its Redis must start, answer, die and come back, and its fakes must be as rude as they are told."""

import socket

import pytest
import redis as redis_py

from harness import BAD_SIGNS, FakeRedis, Message, RedisServer, Timeout, stream_id, wait_until


def test_redis_starts_and_answers_on_both_ways(redis):
    assert redis.client().ping()
    assert redis_py.Redis(unix_socket_path=redis.socket).ping()
    with pytest.raises(redis_py.exceptions.ConnectionError):
        redis_py.Redis(host="127.0.0.1", port=redis.port + 1 if redis.port < 65535 else 1, socket_timeout=1).ping()


def test_redis_keeps_acknowledged_writes_over_kill9(make_redis):
    redis = make_redis(appendonly="yes", appendfsync="always")
    for n in range(100):
        redis.client().xadd("st.x", {"n": n})
    redis.kill9()
    with pytest.raises(redis_py.exceptions.ConnectionError):
        redis.client().ping()
    redis.start()
    assert redis.client().xlen("st.x") == 100
    redis.restart()
    assert redis.client().xlen("st.x") == 100


def test_redis_options_are_those_of_its_configuration(make_redis):
    redis = make_redis(requirepass="secret", maxmemory="7mb")
    assert redis.client().config_get("maxmemory")["maxmemory"] == str(7 << 20)
    with pytest.raises(redis_py.exceptions.AuthenticationError):
        redis.client(password=None).ping()


def test_two_servers_do_not_meet(make_redis):
    a, b = make_redis(), make_redis()
    a.client().set("k", "a")
    assert b.client().get("k") is None
    assert a.url != b.url


def test_a_server_that_cannot_start_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="no-such-option"):
        RedisServer(tmp_path, no_such_option="1")


def test_fake_redis_is_polite_rude_or_silent(make_fake_redis):
    fake = make_fake_redis(lambda command, _: {b"PING": b"+PONG\r\n", b"GET": b"!garbage", b"QUIT": FakeRedis.CLOSE}.get(command[0]))
    with socket.create_connection(("127.0.0.1", fake.port)) as s:
        s.sendall(b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$5\r\nOTHER\r\n*1\r\n$4\r\nQUIT\r\n")
        got = b""
        while data := s.recv(100):
            got += data
    assert got == b"+PONG\r\n!garbage"
    assert fake.commands == [[b"PING"], [b"GET", b"k"], [b"OTHER"], [b"QUIT"]]
    assert fake.connections == 1


def test_waiting_ends_in_an_error_that_says_what_for():
    with pytest.raises(Timeout, match="the moon"):
        wait_until(lambda: False, "the moon", timeout=0.05)


def test_messages_remember_their_bytes():
    message = Message('{"op":"event","sub":1,"topic":"a","event": {"event":1,  "x":"\\u00e9"} }')
    assert message.raw_event == b' {"event":1,  "x":"\\u00e9"} '
    assert message["event"] == {"event": 1, "x": "é"}
    assert stream_id("12-3~00ff00ff") == (12, 3)


def test_the_signs_of_trouble_are_known():
    for line in ("==1==ERROR: AddressSanitizer: heap-use-after-free", "x.c:1:2: runtime error: signed integer overflow",
                 "headgate: panic at x.c:3: what", "==9== ERROR SUMMARY: 3 errors from 3 contexts"):
        assert BAD_SIGNS.search(line)
    assert not BAD_SIGNS.search("==9== ERROR SUMMARY: 0 errors from 0 contexts\nlistening on http://127.0.0.1:1")
