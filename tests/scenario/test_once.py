"""Clients emit while pages are reloaded, the gateway and Redis are killed, links are cut and answers are lost: each event that was
acknowledged stands in its stream once, where it was acknowledged, in the order of emitting; and in the end each is acknowledged.

HEADGATE_EMITS     how many events (default 200000 in each test; 60000 where HEADGATE_SLOW is above 1; a tenth where Redis is imitated)
HEADGATE_SEED      repeats the choices of a run"""

import os
import random
import time

import pytest

from audit import Audit, entries_of
from emitters import Emitters
from harness import SLOW, free_port, wait_until
from idmp_redis import IdmpRedis
from ledger import Ledger
from relay import Relay

CLIENTS, WINDOW = 50, 100
EMITS = int(os.environ.get("HEADGATE_EMITS", "200000" if SLOW <= 1 else "60000"))
TOPICS = ["st.carts", "st.orders", "st.orders.eu", "st.clicks", "st.votes"]
FAULTS = 60
CANARY_MS = int(1000 * SLOW)
PATIENT = {"emit_timeout_ms": 3600000, "emits_max": 1000000, "breaker_failures": 1000, "breaker_open_min_ms": 600000,
           "breaker_open_max_ms": 600000}


class Storm:
    """Redis and what stands in front of it, a relay, a gateway and the clients; and what befalls them."""

    def __init__(self, redis, front, relay, gateway, emitters, emits, chance):
        self.redis, self.front, self.relay, self.gateway = redis, front, relay, gateway
        self.emitters, self.emits, self.chance = emitters, emits, chance
        self.count = {}

    def reload_pages(self):
        clients = self.emitters.clients
        self.emitters.reload(self.chance.sample(clients, self.chance.choice((1, 5, 10, len(clients)))))

    def kill_gateway(self):
        self.gateway.kill9()
        self.gateway.start()

    def kill_redis(self):
        self.redis.kill9()
        self.redis.repair_log()
        self.redis.start()
        self.relay.target = self.front.port

    def cut_links(self):
        self.relay.cut()

    def lose_answers(self):
        """Redis does what it is told, nobody learns of it, and then the links end."""
        with self.redis.client() as connection:
            self.relay.mute(*self.relay.open_pipes())
            before = self._appended(connection)
            wait_until(lambda: self._appended(connection) > before or before == self.emits, "more entries")
        self.relay.cut()

    @staticmethod
    def _appended(connection):
        return sum(connection.xlen(topic) for topic in TOPICS)

    def rage(self):
        """Until nearly all is acknowledged; often before the fault before has healed."""
        kinds = [self.reload_pages, self.reload_pages, self.kill_gateway, self.kill_redis, self.cut_links, self.lose_answers]
        order = [kinds[n % len(kinds)] for n in range(FAULTS)]
        self.chance.shuffle(order)
        for n, fault in enumerate(order):
            at = (n + self.chance.random()) / FAULTS
            self.emitters.wait_acknowledged(int(0.95 * self.emits * at), timeout=60)
            fault()
            self.count[fault.__name__] = self.count.get(fault.__name__, 0) + 1

    def __str__(self):
        return ", ".join(f"{count} {name}" for name, count in sorted(self.count.items()))


@pytest.fixture
def storm_over(make_redis, make_gateway, tell):
    """storm_over(**config) lets a storm go over a gateway; returns the findings. `front`: a function that puts something in front of
    Redis."""

    def run(front=None, emits=EMITS, **config):
        began = time.monotonic()
        seed = int(os.environ.get("HEADGATE_SEED", random.SystemRandom().randrange(1 << 32)))
        tell(f"HEADGATE_SEED={seed}")
        print(f"HEADGATE_SEED={seed}")
        redis = make_redis(appendonly="yes", appendfsync="always")
        front = front(redis) if front else redis
        relay, emitters = Relay(front.port, listens=False), Emitters(Ledger(), seed)
        try:
            gateway = make_gateway(relay.url, listen=f"127.0.0.1:{free_port()}", canary_ms=CANARY_MS, redis_timeout_ms=CANARY_MS,
                                   **config)
            storm = Storm(redis, front, relay, gateway, emitters, emits, random.Random(seed))
            emitters.join([gateway], CLIENTS, TOPICS, emits, WINDOW)
            late = ""
            try:
                storm.rage()
                emitters.wait_finished(timeout=60)
            except AssertionError as timeout:
                late = str(timeout)
        finally:
            emitters.done()
            relay.done()
        findings = Audit(emitters.ledger, lambda topic: entries_of(redis.client(), topic)).check()
        tell(f"{findings} ({storm}; {time.monotonic() - began:.1f} s)")
        print(findings)
        assert not findings.faults and not late, "\n".join([f"HEADGATE_SEED={seed}", str(findings), *findings.faults, late])
        return findings

    return run


def test_a_gateway_that_waits(storm_over):
    """It refuses nothing, and so the order of each client is that of emitting."""
    findings = storm_over(**PATIENT)
    assert findings.refusals == 0
    assert findings.duplicates > 0 and findings.sent > EMITS


def test_a_gateway_that_refuses(storm_over):
    """It soon gives up on Redis, and holds less than the clients send; they try again."""
    findings = storm_over(emit_timeout_ms=int(100 * SLOW), emits_max=2000, emits_per_session_max=80)
    assert findings.refusals > 0
    assert findings.duplicates > 0 and findings.sent > EMITS


def test_a_redis_that_does_it_itself(storm_over):
    """By XADD IDMP; on an imitation, which is slow."""
    fronts = []

    def imitate(redis):
        fronts.append(IdmpRedis(lambda: redis.port))
        return fronts[0]

    try:
        findings = storm_over(front=imitate, emits=EMITS // 10, **PATIENT)
        assert findings.refusals == 0
        assert findings.duplicates > 0 and findings.sent > EMITS // 10
        assert fronts[0].counts["FCALL"] == fronts[0].counts["EVALSHA"] == 0
        assert fronts[0].counts["XADD"] > EMITS // 10
    finally:
        for front in fronts:
            front.done()
