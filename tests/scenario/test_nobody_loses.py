"""Hundreds of clients on streams and channels, a steady flow of events, and then a fault: whoever missed something was told, nobody
was told anything else, and everybody goes on.

HEADGATE_CLIENTS   how many clients (default 500, fewer for binaries that are slow by nature)"""

import contextlib
import os
import random
import time

import pytest

import island
from checker import Checker, Expect
from harness import SLOW, wait_until
from publisher import Publisher
from relay import Relay
from swarm import Swarm, Wish

CLIENTS = int(os.environ.get("HEADGATE_CLIENTS", "500" if SLOW <= 1 else "100"))
TICK = 0.02 * SLOW
# An event on every tick, or on every so-manieth.
TOPICS = {"st.a": 1, "st.b": 1, "st.c": 2, "st.quiet": 20, "ch.a": 1, "ch.b": 1, "ch.quiet": 20}
STREAMS = [topic for topic in TOPICS if topic.startswith("st.")]
CANARY_MS = int(1000 * SLOW)
CONFIG = {"canary_ms": CANARY_MS, "redis_timeout_ms": CANARY_MS, "subscribe_timeout_ms": 60000, "linger_ms": 1000}

# What the clients want, in turns.
WISHES = [
    [Wish("st.a")],
    [Wish("st.b")],
    [Wish("st.c")],
    [Wish("st.quiet")],
    [Wish("st.a", kind="x")],
    [Wish("st.b", kind="y")],
    [Wish("st.a", start=True)],
    [Wish("st.c", kind="z", start=True)],
    [Wish("st.*")],
    [Wish("st.*", kind="x")],
    [Wish("st.*", start=True)],
    [Wish("ch.a")],
    [Wish("ch.b")],
    [Wish("ch.quiet")],
    [Wish("ch.a", kind="x")],
    [Wish("ch.b", kind="z")],
    [Wish("ch.*")],
    [Wish("ch.*", kind="y")],
    [Wish("st.a"), Wish("ch.a")],
    [Wish("st.*", kind="z"), Wish("ch.*", kind="x"), Wish("st.b")],
]


class Crowd:
    """The clients, the publisher, and what both say in the end."""

    def __init__(self, redis, tell):
        self.tell = tell
        self.publisher = Publisher(lambda: self.redis.client(unix_socket_path=self.redis.socket), TOPICS, TICK)
        self.redis = redis  # the one that is published to
        self.swarm = Swarm(self.publisher.moment)
        self.began = time.monotonic()

    def assemble(self, gateway, count=CLIENTS):
        for _ in range(3):  # some streams are there already, others are not
            self.publisher.publish(["st.a", "st.c"])
        self.swarm.join(gateway, [WISHES[n % len(WISHES)] for n in range(count)])
        self.publisher.start()
        self.publisher.wait_more(30)

    def hear_channels(self):
        """Waits until every client hears what is published on its channels now."""
        channels = self.publisher.all_topics("ch.")
        goals = {topic: record.begun + 1 for topic, record in self.publisher.records.items() if record.is_channel}
        missing = self.swarm.finals_missing(goals)
        next_at = 0.0

        def heard():
            nonlocal next_at
            if time.monotonic() >= next_at:
                self.publisher.publish(channels, "all")
                next_at = time.monotonic() + 0.1
            return not missing()

        wait_until(heard, lambda: f"events of channels for {missing()} clients, such as {missing.examples()}")

    def finish(self, expect):
        """Everybody gets the last event of each topic; then all is judged."""
        self.publisher.wait_more(30)
        self.hear_channels()
        self.publisher.stop()
        missing = self.swarm.finals_missing(self.publisher.finish(self.publisher.all_topics()))
        problem = None
        try:
            wait_until(lambda: not missing(), lambda: f"the last events for {missing()} clients, such as {missing.examples()}")
        except AssertionError as timeout:
            problem = timeout
        findings = Checker(self.swarm, self.publisher, self.redis.client(), expect).check()
        self.tell(f"{findings} ({time.monotonic() - self.began:.1f} s)")
        print(findings)
        assert not findings.faults, "\n".join([str(findings)] + findings.faults + ([str(problem)] if problem else []))
        if problem:
            raise problem
        return findings

    def done(self):
        self.publisher.stop()
        self.swarm.done()


@pytest.fixture
def make_crowd(tell):
    with contextlib.ExitStack() as stack:

        def make(redis):
            crowd = Crowd(redis, tell)
            stack.callback(crowd.done)
            return crowd

        yield make


def wait_lost(gateway, link="listener"):
    gateway.wait_log(f"redis {link} was lost")


# ---------------------------------------------------------------------------------------------- Redis and the gateway die


def test_redis_is_killed_and_restarted(make_redis, make_gateway, make_crowd):
    redis = make_redis(appendonly="yes", appendfsync="always")
    crowd = make_crowd(redis)
    crowd.assemble(make_gateway(redis, **CONFIG))
    for _ in range(2):
        redis.kill9()
        redis.start()
        crowd.publisher.wait_more(30)
        crowd.hear_channels()
    crowd.finish(Expect(interruptions=(2, 2)))


def test_the_gateway_is_killed_and_another_one_goes_on(redis, make_gateway, make_crowd):
    first, second = make_gateway(redis, **CONFIG), make_gateway(redis, **CONFIG)
    crowd = make_crowd(redis)
    crowd.assemble(first)
    crowd.swarm.join(second, WISHES)
    losses = crowd.swarm.losses
    crowd.swarm.refuge = second.port
    first.kill9()
    crowd.publisher.add("st.late", 1)
    wait_until(lambda: crowd.swarm.losses >= losses + CLIENTS, "the clients' loss")
    crowd.publisher.wait_more(10)
    crowd.swarm.wait_subscribed()
    findings = crowd.finish(Expect(quiet=True))
    assert findings.sessions == 2 * CLIENTS + len(WISHES) and not findings.gaps


# ---------------------------------------------------------------------------------------------- Redis is silent


def test_redis_pauses_all_clients(redis, make_gateway, make_crowd):
    gateway = make_gateway(redis, **CONFIG)
    crowd = make_crowd(redis)
    crowd.assemble(gateway)
    redis.client().execute_command("CLIENT", "PAUSE", CANARY_MS // 4, "ALL")
    crowd.publisher.wait_more(30)
    assert crowd.swarm.count("stale") == 0 and "was lost" not in gateway.log
    redis.client().execute_command("CLIENT", "PAUSE", 3 * CANARY_MS, "ALL")
    wait_lost(gateway)
    crowd.publisher.wait_more(30)
    findings = crowd.finish(Expect(interruptions=(1, 1)))
    assert findings.stale >= CLIENTS * 3 // 4


def test_redis_is_stopped_and_continued(redis, make_gateway, make_crowd):
    gateway = make_gateway(redis, **CONFIG)
    crowd = make_crowd(redis)
    crowd.assemble(gateway)
    redis.pause()
    wait_until(lambda: crowd.swarm.count("stale") == len(crowd.swarm.followers), "everybody's stale")
    redis.resume()
    crowd.publisher.wait_more(30)
    crowd.finish(Expect(interruptions=(1, 1)))


def test_packets_are_dropped(tmp_path, make_gateway, make_crowd):
    reason = island.why_not()
    if reason:
        pytest.skip(reason)
    redis = island.Island(tmp_path / "island")
    try:
        gateway = make_gateway(redis.url, **CONFIG)
        crowd = make_crowd(redis)
        crowd.assemble(gateway)
        redis.drop_packets()
        wait_until(lambda: crowd.swarm.count("stale") == len(crowd.swarm.followers), "everybody's stale")
        crowd.publisher.wait_more(30)
        redis.pass_packets()
        findings = crowd.finish(Expect(interruptions=(1, 1)))
        assert findings.missed > 0
    finally:
        redis.done()


# ---------------------------------------------------------------------------------------------- history is lost


def test_a_replica_without_the_tail_is_promoted(make_redis, make_gateway, make_crowd):
    master, replica = make_redis(repl_timeout=60), make_redis()
    towards_master, between = Relay(master.port), Relay(master.port)
    try:
        replica.client().replicaof("127.0.0.1", between.port)
        wait_until(lambda: replica.client().info("replication").get("master_link_status") == "up", "the replica")
        gateway = make_gateway(towards_master.url, **CONFIG)
        crowd = make_crowd(master)
        publisher = crowd.publisher
        # The new master will hand out the ids of the lost tail once more, for other events.
        publisher.add("st.same", 1)
        publisher.records["st.same"].own_ids = True
        crowd.assemble(gateway)
        crowd.swarm.join(gateway, [[Wish("st.same")]] * (CLIENTS // 20))
        publisher.wait_more(10)
        between.swallow(*between.open_pipes())  # the tail does not reach the replica
        publisher.wait_more(20)
        with publisher.lock:
            crowd.swarm.settle(publisher)
            master.kill9()
            replica.client().replicaof("NO", "ONE")
            towards_master.target = replica.port
            crowd.redis = replica
            assert publisher.note_lost(replica.client()) >= 60
        # Some come back at another gateway, which never saw what was lost.
        crowd.swarm.refuge = make_gateway(replica, **CONFIG).port
        crowd.swarm.cut(crowd.swarm.followers[::6])
        publisher.wait_more(30)
        crowd.swarm.wait_subscribed()
        findings = crowd.finish(Expect(interruptions=(0, 1)))
        assert findings.gaps["rolled_back"] >= CLIENTS // 2
    finally:
        towards_master.done()
        between.done()


def test_redis_comes_back_with_an_old_snapshot(make_redis, make_gateway, make_crowd):
    redis = make_redis()
    gateway = make_gateway(redis, **CONFIG)
    crowd = make_crowd(redis)
    publisher = crowd.publisher
    publisher.add("st.same", 1)
    publisher.records["st.same"].own_ids = True
    crowd.assemble(gateway)
    crowd.swarm.join(gateway, [[Wish("st.same")]] * (CLIENTS // 20))
    redis.client().save()
    publisher.wait_more(20)
    with publisher.lock:
        crowd.swarm.settle(publisher)
        redis.kill9()
        redis.opts["dbfilename"] = "dump.rdb"
        redis.start()
        assert publisher.note_lost(redis.client()) >= 60
    publisher.wait_more(20)
    crowd.hear_channels()
    # And once more, with nothing.
    with publisher.lock:
        crowd.swarm.settle(publisher)
        redis.kill9()
        redis.opts["dbfilename"] = "nothing.rdb"
        redis.start()
        publisher.note_lost(redis.client())
    publisher.wait_more(20)
    findings = crowd.finish(Expect(interruptions=(2, 2)))
    assert findings.gaps["rolled_back"] + findings.gaps["gone"] >= CLIENTS


def streams(publisher):
    return [record for record in publisher.records.values() if not record.is_channel and record.events]


def test_streams_are_trimmed_to_nothing(redis, make_gateway, make_crowd):
    crowd = make_crowd(redis)
    crowd.assemble(make_gateway(redis, **CONFIG))
    publisher = crowd.publisher
    connection = redis.client()
    # What was delivered may go: nobody misses it.
    with publisher.lock:
        crowd.swarm.settle(publisher)
        for record in streams(publisher):
            connection.xtrim(record.topic, maxlen=0)
    publisher.wait_more(20)
    assert crowd.swarm.count("gap") == 0
    # Trimmed before anybody could read them.
    for _ in range(3):
        with publisher.lock:
            for record in streams(publisher):
                publisher.transaction(lambda pipe, r=record: pipe.xtrim(r.topic, maxlen=0), [record.topic] * 5)
        publisher.wait_more(10)
    # Under way, while some clients are away.
    for _ in range(5):
        crowd.swarm.cut(crowd.swarm.followers[::10])
        for record in streams(publisher):
            connection.xtrim(record.topic, maxlen=0)
        publisher.wait_more(5)
        crowd.swarm.wait_subscribed()
    findings = crowd.finish(Expect(holes=("trimmed",), quiet=True))
    assert findings.gaps["trimmed"] >= CLIENTS // 2


def test_streams_that_keep_few_entries(redis, make_gateway, make_crowd):
    """Each entry drives out another one, so that the place of everybody is gone again and again."""
    crowd = make_crowd(redis)
    publisher = crowd.publisher
    for topic, maxlen in zip(STREAMS, (1, 2, 3, 5)):
        publisher.records[topic].maxlen = maxlen
    crowd.assemble(make_gateway(redis, **CONFIG))
    chance = random.Random(1)
    for turn in range(60):
        topics = [topic for topic in STREAMS for _ in range(chance.randrange(8))]
        for _ in range(chance.randrange(1, 4)):
            publisher.publish(chance.sample(topics, len(topics)))
        if turn % 15 == 7:
            crowd.swarm.cut(crowd.swarm.followers[::9])
        publisher.wait_more(1)
    crowd.swarm.wait_subscribed()
    findings = crowd.finish(Expect(holes=("trimmed",), quiet=True))
    assert findings.gaps["trimmed"] >= CLIENTS // 2


def test_streams_are_deleted_and_made_anew(redis, make_gateway, make_crowd):
    crowd = make_crowd(redis)
    crowd.assemble(make_gateway(redis, **CONFIG))
    publisher = crowd.publisher
    # Made anew at once, with higher ids; with lower ids; later; and after some entries nobody could read.
    with publisher.lock:
        crowd.swarm.settle(publisher)
        publisher.break_with("st.a", lambda pipe: pipe.delete("st.a"), then=["st.a"])
        publisher.break_with("st.b", lambda pipe: pipe.delete("st.b"), then=["st.b"] * 3, first_id=1)
        publisher.break_with("st.quiet", lambda pipe: pipe.delete("st.quiet"))
        publisher.break_with("st.c", lambda pipe: pipe.delete("st.c"), before=["st.c"] * 4)
    publisher.wait_more(20)
    # Clients that were away meanwhile are told as well.
    away = crowd.swarm.followers[::7]
    crowd.swarm.cut(away)
    with publisher.lock:
        publisher.break_with("st.a", lambda pipe: pipe.delete("st.a"), then=["st.a"])
    publisher.wait_more(20)
    crowd.swarm.wait_subscribed()
    findings = crowd.finish(Expect(quiet=True))
    assert findings.gaps["gone"] >= CLIENTS // 2


def test_everything_is_flushed(redis, make_gateway, make_crowd):
    crowd = make_crowd(redis)
    crowd.assemble(make_gateway(redis, **CONFIG))
    publisher = crowd.publisher
    with publisher.lock:
        topics = [record.topic for record in streams(publisher)]
        publisher.transaction(lambda pipe: pipe.flushall(), topics * 3)
        for topic in topics:
            publisher.records[topic].breaks.append((publisher.records[topic].begun, "gone"))
    publisher.wait_more(20)
    findings = crowd.finish(Expect(quiet=True))
    assert set(findings.gaps) == {"gone"}


# ---------------------------------------------------------------------------------------------- and all of it


def test_one_thing_after_another(redis, make_gateway, make_crowd, tell):
    """Faults in an order that chance decides, before the one before has healed."""
    seed = int(os.environ.get("HEADGATE_SEED", random.SystemRandom().randrange(1 << 32)))
    chance = random.Random(seed)
    tell(f"HEADGATE_SEED={seed}")
    gateways = [make_gateway(redis, **CONFIG) for _ in range(2)]
    crowd = make_crowd(redis)
    crowd.assemble(gateways[0])
    publisher, connection = crowd.publisher, redis.client()
    with publisher.lock:
        crowd.swarm.settle(publisher)  # so that everybody has a cursor of each stream
    kills = 0

    def cut_clients():
        crowd.swarm.refuge = chance.choice(gateways).port
        crowd.swarm.cut(chance.sample(crowd.swarm.followers, CLIENTS // chance.choice((5, 20, 100))))

    def kill_links():
        nonlocal kills
        kills += 1
        for entry in connection.client_list():
            if entry["name"].startswith("headgate") and chance.random() < 0.5:
                connection.execute_command("CLIENT", "KILL", "ID", entry["id"])

    def trim():
        with publisher.lock:
            for topic in chance.sample(STREAMS, 2):
                keep = chance.choice((0, 0, 1, 3))
                publisher.transaction(lambda pipe, t=topic, k=keep: pipe.xtrim(t, maxlen=k, approximate=False),
                                      [topic] * chance.randrange(6), [topic] * chance.randrange(3))

    def delete():
        topic = chance.choice(STREAMS)
        with publisher.lock:
            publisher.break_with(topic, lambda pipe: pipe.delete(topic), [topic] * chance.randrange(4), [topic] * chance.randrange(4))

    def pause():
        connection.execute_command("CLIENT", "PAUSE", CANARY_MS // 10, "ALL")

    def kill_a_gateway():
        killed, other = chance.sample(gateways, 2)
        crowd.swarm.refuge = other.port
        killed.kill9()
        killed.start()

    for _ in range(25):
        chance.choice((cut_clients, cut_clients, kill_links, trim, trim, delete, pause, kill_a_gateway))()
        if chance.random() < 0.6:
            publisher.wait_more(chance.choice((1, 5, 10)))
    crowd.swarm.wait_subscribed()
    crowd.finish(Expect(interruptions=(0, kills), holes=("trimmed",)))
