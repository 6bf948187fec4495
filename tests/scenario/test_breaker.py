"""Redis is away while clients go on emitting: the gateway holds no more for it, says at once that it cannot, and to come back later;
when Redis is back it gets no more at a time than the clients send, and nothing is lost.

HEADGATE_OUTAGE_S   how long Redis is away (default 30 when it is killed, 15 when it is stopped)"""

import os
import statistics
import time

import pytest

from audit import Audit, entries_of
from emitters import Emitters
from harness import SLOW, wait_until
from ledger import Ledger
from watch import EVERY_S, Watch, memory_of

CLIENTS, WINDOW = 40, 100
# A second, of all clients together: what they emit, and what they send at most when they have to catch up.
RATE, RATE_MAX = int(2000 / SLOW), int(4000 / SLOW)
PADDING = 800
TOPICS = ["st.a", "st.b", "st.c"]
# Of what the clients send at most, how much may reach Redis in one EVERY_S: a busy machine bunches it.
BUNCHED = 3
MEMORY_GROWTH_MAX = 32 << 20
REFUSAL_S = 0.1 * SLOW


def outage_s(default):
    return float(os.environ.get("HEADGATE_OUTAGE_S", default))


class Trial:
    """One outage from beginning to end."""

    def __init__(self, redis, gateway, tell):
        self.redis, self.gateway, self.tell = redis, gateway, tell
        self.ledger = Ledger()
        self.emitters = Emitters(self.ledger)
        self.watch = Watch(gateway, redis)

    def begin(self):
        self.emitters.join_paced(self.gateway, CLIENTS, TOPICS, RATE, RATE_MAX, WINDOW, PADDING)
        self.emitters.flowing = True
        self.emitters.wait_acknowledged(2 * RATE)
        self.memory_before = memory_of(self.gateway.pid)

    def endure(self, seconds):
        """The outage has begun."""
        self.away_from = time.monotonic()
        wait_until(lambda: time.monotonic() >= self.away_from + seconds, "the end of the outage", timeout=2 * seconds)
        self.away_to = time.monotonic()

    def recover(self):
        """Redis is back; the clients go on for a while, and then send what is left."""
        self.emitters.wait_acknowledged(self.ledger.acknowledged + 5 * RATE, timeout=60)
        self.emitters.flowing = False
        self.emitters.wait_finished(timeout=120)

    # --- what must hold

    def check_refusals(self):
        """In the last two thirds of the outage nobody waits for an answer."""
        assert all(refusal.code in (108, 111) and refusal.retry_ms > 0 for refusal in self.ledger.refusals)
        late_from = self.away_from + (self.away_to - self.away_from) / 3
        took = [refusal.took for refusal in self.ledger.refusals if late_from <= refusal.at < self.away_to]
        assert len(took) >= CLIENTS, f"{len(took)} refusals"
        median = statistics.median(took)
        self.tell(f"{len(self.ledger.refusals)} refusals; of {len(took)} in the last {self.away_to - late_from:.0f} s the median "
                  f"came after {1000 * median:.1f} ms, the last after {1000 * max(took):.1f} ms")
        assert median < REFUSAL_S

    def check_memory(self):
        growth = self.watch.memory_most(self.away_from) - self.memory_before
        self.tell(f"{self.memory_before >> 20} MiB before, {growth / (1 << 20):.1f} MiB more at most")
        # Sanitizers keep what was freed.
        assert growth <= MEMORY_GROWTH_MAX or SLOW > 1

    def check_recovery(self, left_over):
        """Redis is never given more at a time than clients that come back gently send. `left_over`: so many emits lay unread in
        the connections of a Redis that was stopped, which does them at once, whatever the gateway does."""
        most = int(BUNCHED * RATE_MAX * EVERY_S)
        works = self.watch.work_since(self.away_to)
        self.tell(f"after the outage at most {max(max(work.calls, work.entries) for work in works)} emits in {EVERY_S} s, "
                  f"{most} and {left_over} left over are right")
        beyond = [work for work in works if work.beyond(most)]
        assert sum(work.beyond(most) for work in beyond) <= left_over, f"more than {most} in {EVERY_S} s: {beyond}"

    def check_once(self):
        findings = Audit(self.ledger, lambda topic: entries_of(self.redis.client(), topic)).check()
        self.tell(str(findings))
        assert not findings.faults, "\n".join([str(findings), *findings.faults])

    def done(self):
        self.watch.done()
        self.emitters.done()


@pytest.fixture
def make_trial(tell):
    trials = []

    def make(redis, gateway):
        trials.append(Trial(redis, gateway, tell))
        trials[-1].begin()
        return trials[-1]

    yield make
    for trial in trials:
        trial.done()


def test_redis_is_killed(make_redis, make_gateway, make_trial):
    redis = make_redis(appendonly="yes", appendfsync="always")
    trial = make_trial(redis, make_gateway(redis))
    redis.kill9()
    trial.endure(outage_s(30))
    redis.start()
    trial.recover()
    trial.check_once()
    trial.check_memory()
    trial.check_refusals()
    trial.check_recovery(0)


def test_redis_is_stopped(redis, make_gateway, make_trial):
    trial = make_trial(redis, make_gateway(redis))
    redis.pause()
    trial.endure(outage_s(15))
    redis.resume()
    trial.recover()
    trial.check_once()
    trial.check_memory()
    trial.check_refusals()
    trial.check_recovery(CLIENTS * WINDOW)
