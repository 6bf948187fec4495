"""Redis carries a subscription only while somebody wants it, with a linger against churn."""

import pytest

from harness import wait_until


def channels(redis):
    """All but the gateway's own, by which it proves its link."""
    names = {name.decode() for name in redis.client().pubsub_channels()}
    return {name for name in names if not name.startswith("__headgate__:")}


def calls(redis, command):
    return redis.client().info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0)


@pytest.mark.valgrind
def test_a_channel_is_subscribed_only_while_wanted(redis, gateway):
    assert "ch.x" not in channels(redis)
    a, b = gateway.client(), gateway.client()
    sub = a.subscribe("ch.x")
    b.subscribe("ch.x")
    assert "ch.x" in channels(redis)
    assert redis.client().pubsub_numsub("ch.x") == [(b"ch.x", 1)]
    a.unsubscribe(sub)
    b.settle()
    assert "ch.x" in channels(redis)
    b.close()
    wait_until(lambda: "ch.x" not in channels(redis), "the end of the subscription in Redis")


def test_a_pattern_is_subscribed_only_while_wanted(redis, client):
    assert redis.client().pubsub_numpat() == 0
    sub = client.subscribe("ch.*")
    wait_until(lambda: redis.client().pubsub_numpat() == 1, "the pattern in Redis")
    client.unsubscribe(sub)
    wait_until(lambda: redis.client().pubsub_numpat() == 0, "the end of the pattern in Redis")


def test_streams_are_not_subscribed_as_channels(redis, client):
    client.subscribe("st.x")
    assert channels(redis) == set() and redis.client().pubsub_numpat() == 0


def test_linger_spares_redis_the_churn_of_reloads(redis, make_gateway):
    gateway = make_gateway(redis, linger_ms=3600000)
    first = gateway.client()
    first.subscribe("ch.x")
    subscribed, unsubscribed = calls(redis, "subscribe"), calls(redis, "unsubscribe")
    first.close()
    for _ in range(20):
        client = gateway.client()
        client.subscribe("ch.x")
        client.close()
    last = gateway.client()
    last.subscribe("ch.x")
    redis.client().publish("ch.x", "1")
    last.wait_events(1)
    assert calls(redis, "subscribe") == subscribed and calls(redis, "unsubscribe") == unsubscribed


def test_back_after_the_linger(redis, client):
    for n in range(5):
        sub = client.subscribe("ch.x")
        assert redis.client().publish("ch.x", str(n)) == 1
        client.wait_events(n + 1)
        client.unsubscribe(sub)
        wait_until(lambda: "ch.x" not in channels(redis), "the end of the subscription in Redis")


def test_a_stream_is_read_only_while_wanted(redis, gateway):
    """Without interest the gateway asks Redis for nothing at all."""
    client = gateway.client()
    client.subscribe("st.x")
    redis.client().xadd("st.x", {"event": "1"})
    client.wait_events(1)
    client.close()

    def idle():
        # Nobody reads any more: an entry wakes no blocked reader.
        before = calls(redis, "xread")
        for _ in range(20):
            redis.client().xadd("st.x", {"event": "1"})
        return calls(redis, "xread") - before == 0 and redis.client().info("clients")["blocked_clients"] == 0

    wait_until(idle, "the end of reading", every=0.1)
    again = gateway.client()
    sub = again.subscribe("st.x")
    redis.client().xadd("st.x", {"event": "2"})
    assert [m["event"] for m in again.wait_events(1, sub)] == [2]


def test_without_clients_nothing_is_blocked(redis, gateway):
    assert gateway.alive()
    assert redis.client().info("clients")["blocked_clients"] == 0
