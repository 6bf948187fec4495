"""A server that is no decent Redis: garbage, odd shapes, half replies. The gateway logs, tries again and lives."""

import pytest

from harness import FakeRedis, wait_until

SHORT = {"subscribe_timeout_ms": 200, "emit_timeout_ms": 200, "redis_timeout_ms": 200}

ODD = {
    "garbage": b"\x00\x01garbage\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "endless line": b"+" + b"x" * 200_000,
    "huge bulk": b"$999999999999999999\r\n",
    "overflowing bulk": b"$99999999999999999999999999\r\n",
    "negative bulk": b"$-5\r\n",
    "huge array": b"*2147483647\r\n",
    "overflowing array": b"*99999999999999999999999\r\n",
    "negative array": b"*-7\r\n",
    "deep": b"*1\r\n" * 100,
    "empty array": b"*0\r\n",
    "nil": b"$-1\r\n",
    "nil array": b"*-1\r\n",
    "number": b":42\r\n",
    "odd number": b":notanumber\r\n",
    "long number": b":99999999999999999999999999\r\n",
    "status": b"+OK\r\n",
    "error": b"-ERR no\r\n",
    "empty error": b"-\r\n",
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "moved": b"-MOVED 1 127.0.0.1:1\r\n",
    "binary error": b"-ERR \xff\xfe\x00\x1b[31m\r\n",
    "nested oddly": b"*2\r\n*1\r\n$3\r\nfoo\r\n:1\r\n",
    "half a reply": b"*3\r\n$9\r\nsubscr",
    "two replies": b"+OK\r\n+OK\r\n",
    "resp3 map": b"%1\r\n+a\r\n:1\r\n",
    "resp3 push": b">2\r\n+message\r\n+x\r\n",
    "message from nowhere": b"*3\r\n$7\r\nmessage\r\n$4\r\nch.x\r\n$1\r\n1\r\n",
    "message of numbers": b"*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n",
    "message cut short": b"*2\r\n$7\r\nmessage\r\n$4\r\nch.x\r\n",
    "pmessage as message": b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$4\r\nch.x\r\n$1\r\n1\r\n",
    "entries without ids": b"*1\r\n*2\r\n$4\r\nst.x\r\n*1\r\n*2\r\n$3\r\nfoo\r\n*2\r\n$5\r\nevent\r\n$1\r\n1\r\n",
    "entries of odd fields": b"*1\r\n*2\r\n$4\r\nst.x\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$5\r\nevent\r\n",
    "entries of nil": b"*1\r\n*2\r\n$4\r\nst.x\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n",
    "entries of another stream": b"*1\r\n*2\r\n$5\r\nother\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$5\r\nevent\r\n$1\r\n1\r\n",
}


def use(gateway):
    """What makes the gateway talk to Redis on every link."""
    client = gateway.client()
    client.send('{"op":"subscribe","ref":1,"topic":"ch.x"}\n{"op":"subscribe","ref":2,"topic":"st.x"}\n'
                '{"op":"subscribe","ref":3,"topic":"st.x","from":"start"}\n{"op":"subscribe","ref":4,"topic":"st.x","from":{"last":5}}\n'
                '{"op":"subscribe","ref":5,"topic":"auto.**"}\n{"op":"subscribe","ref":6,"topic":"st.**"}\n'
                '{"op":"emit","ref":7,"topic":"st.x","id":"1","event":1}')
    for ref in range(1, 8):
        answer = client.answer_to(ref)
        assert answer["op"] == "ok" or answer["code"] in (100, 108), answer
    assert client.ping()
    return client


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_from_the_first_word(make_fake_redis, make_gateway, odd):
    fake = make_fake_redis(lambda command, _: odd)
    gateway = make_gateway(fake.url, **SHORT)
    use(gateway)
    gateway.check_serves()


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_after_a_polite_greeting(make_fake_redis, make_gateway, odd):
    fake = make_fake_redis(lambda command, _: FakeRedis.polite(command) or odd)
    gateway = make_gateway(fake.url, **SHORT)
    use(gateway)
    gateway.check_serves()


@pytest.mark.valgrind
def test_one_that_hangs_up_at_once(make_fake_redis, make_gateway):
    fake = make_fake_redis(lambda command, _: FakeRedis.CLOSE)
    gateway = make_gateway(fake.url, **SHORT)
    use(gateway)
    wait_until(lambda: fake.connections > 20, "many attempts")
    assert gateway.log.count("\n") < 100, gateway.log
    gateway.check_serves()


def test_one_that_says_nothing(make_fake_redis, make_gateway):
    fake = make_fake_redis(lambda command, _: None)
    gateway = make_gateway(fake.url, **SHORT)
    use(gateway)
    wait_until(lambda: fake.connections > 5, "further attempts")
    gateway.check_serves()


@pytest.mark.parametrize("word", [b"SUBSCRIBE", b"PSUBSCRIBE", b"XREAD", b"XRANGE", b"XREVRANGE", b"TYPE", b"SCAN", b"EVALSHA", b"CLIENT"])
def test_one_that_dies_in_the_middle_of_a_reply(make_redis, make_fake_redis, make_gateway, word):
    """Polite and empty, but for one command it breaks off after half a reply; every time."""
    empty = {b"XREAD": b"*-1\r\n", b"XRANGE": b"*0\r\n", b"XREVRANGE": b"*0\r\n", b"TYPE": b"+stream\r\n",
             b"SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n", b"EVALSHA": b"-NOSCRIPT no\r\n", b"SCRIPT": b"$1\r\nx\r\n"}

    def handler(command, connection):
        name = command[0].upper()
        if name == word:
            connection.sendall(b"*3\r\n$9\r\nsubsc")
            return FakeRedis.CLOSE
        if name in (b"SUBSCRIBE", b"PSUBSCRIBE"):
            return b"".join(b"*3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:%d\r\n" % (len(name), name.lower(), len(c), c, n + 1)
                            for n, c in enumerate(command[1:]))
        return FakeRedis.polite(command) or empty.get(name, b"-ERR unknown command\r\n")

    fake = make_fake_redis(handler)
    gateway = make_gateway(fake.url, **SHORT)
    use(gateway)
    gateway.check_serves()


def test_a_flood_is_survived(make_fake_redis, make_gateway):
    """Messages of a channel that nobody subscribed, as fast as they go."""
    message = b"*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$100\r\n" + b"x" * 100 + b"\r\n"

    def handler(command, connection):
        if command[0].upper() == b"SUBSCRIBE":
            for _ in range(200):
                connection.sendall(message * 500)
        return FakeRedis.polite(command)

    gateway = make_gateway(make_fake_redis(handler).url, **SHORT)
    use(gateway)
    gateway.check_serves()
