"""The audit of audit.py finds what it is there to find."""

import pytest

from audit import Audit
from ledger import Ledger


class World:
    """One client that emits to one stream; the test says what was sent, what was answered and what stands."""

    def __init__(self):
        self.ledger = Ledger()
        self.stream = []  # (id, fields) as redis-py gives them
        self.now = 0.0

    def emit(self, *numbers, client=1, topic="st.a"):
        for n in numbers:
            emit = self.ledger.emitted(client, n, topic, f"{client}-{n}", b'{"n":%d}' % n)
            self.ledger.sent(emit, self.now)
        return self

    def of(self, n, client=1):
        return self.ledger.emits[f"{client}-{n}"]

    def again(self, *numbers):
        for n in numbers:
            self.ledger.sent(self.of(n), self.now)
        return self

    def stand(self, *numbers, client=1):
        for n in numbers:
            emit = self.of(n, client)
            self.stream.append((b"%d-0" % (len(self.stream) + 1), {b"event": emit.event, b"id": emit.id.encode()}))
        return self

    def ok(self, *numbers, cursor=None, client=1):
        """Acknowledged where it stands first, or as `cursor`."""
        for n in numbers:
            emit = self.of(n, client)
            at = next((entry_id.decode() for entry_id, fields in self.stream if fields[b"id"] == emit.id.encode()), None)
            self.ledger.was_acknowledged(emit, {"cursor": cursor or f"{at}~0123abcd", "duplicate": False})
        return self

    def refuse(self, *numbers):
        for n in numbers:
            self.ledger.was_refused(self.of(n), {"code": 108, "retry_ms": 1000}, self.now)
        return self

    def lose(self, *numbers):
        for n in numbers:
            self.ledger.was_lost(self.of(n))
        return self

    def findings(self):
        return Audit(self.ledger, lambda topic: iter(self.stream)).check()

    def faults(self):
        return self.findings().faults


def world(*stands, acknowledged=(1, 2, 3, 4, 5)):
    """Five events were emitted."""
    return World().emit(1, 2, 3, 4, 5).stand(*stands).ok(*acknowledged)


ALL = (1, 2, 3, 4, 5)


def test_what_is_right_passes():
    assert not world(*ALL).faults()
    assert not World().emit(1, 2, 3).lose(1, 2, 3).again(1, 2, 3).stand(1, 2, 3).ok(1, 2, 3).faults()
    assert not World().emit(1, 2).refuse(1, 2).again(1, 2).stand(1, 2).ok(1, 2).faults()
    # Two clients may stand in any order.
    assert not World().emit(1, 2).emit(1, 2, client=2).stand(1, client=2).stand(1, 2).stand(2, client=2).ok(1, 2).ok(1, 2, client=2).faults()


def test_what_it_counts():
    world = World().emit(1, 2).refuse(1).again(1).lose(1, 2).again(1, 2).stand(1, 2).ok(1, 2)
    findings = world.findings()
    assert (findings.emits, findings.sent, findings.acknowledged, findings.refusals, findings.standing) == (2, 5, 2, 1, 2)


def found(words, world):
    faults = world.faults()
    assert any(words in fault for fault in faults), faults


def test_an_acknowledged_event_is_missing():
    found("is missing", World().emit(*ALL).stand(1, 2, 4, 5).ok(1, 2, 4, 5).ok(3, cursor="9-0~0123abcd"))


@pytest.mark.parametrize("world", [
    lambda: world(1, 2, 2, 3, 4, 5),
    lambda: world(1, 2, 3, 4, 5, 1),
    lambda: world(1, 2, 3, 4, 5, 5, acknowledged=(1, 2, 3, 4)),
], ids=str)
def test_an_event_stands_twice(world):
    found("stands 2 times", world())


@pytest.mark.parametrize("cursor", ["2-0~0123abcd", "3-1~0123abcd", "3-0", "3-0~0123ABCD", "13-0~0123abcd", ""])
def test_a_wrong_cursor(cursor):
    world = World().emit(*ALL).stand(*ALL).ok(1, 2, 4, 5)
    world.of(3).cursor = cursor
    found("was acknowledged as", world)


def test_an_event_is_never_acknowledged():
    found("never acknowledged", world(*ALL, acknowledged=(1, 2, 3, 4)))
    found("never acknowledged", world(1, 2, 3, 4, acknowledged=(1, 2, 3, 4)))


def foreign(event_id):
    world = World().emit(*ALL).stand(*ALL).ok(*ALL)
    world.stream.append((b"6-0", {b"event": b'{"n":6}', b"id": event_id}))
    return world


def test_what_nobody_emitted():
    for event_id in (b"1-6", b"x", b"\xff", b""):
        found("nobody emitted", foreign(event_id))
    world = World().emit(1, 2).stand(1, 2).ok(1, 2)
    world.stream[1][1][b"event"] = b'{"n":2 }'  # other bytes
    found("nobody emitted", world)
    world = World().emit(1, 2).stand(1, 2).ok(1, 2)
    world.stream[1][1][b"user"] = b"somebody"  # another field
    found("nobody emitted", world)
    world = World().emit(1).emit(2, topic="st.b").stand(1, 2).ok(1, 2)  # in another's stream
    found("nobody emitted", world)
    world = World().emit(1).stand(1).ok(1)
    world.stream.append((b"2-0", {}))
    found("nobody emitted", world)
    world = World().emit(1).stand(1).ok(1)
    world.ledger.emitted(1, 2, "st.a", "1-2", b"{}")  # kept by the client, and not sent yet
    found("nobody emitted", world.stand(2))


@pytest.mark.parametrize("stands", [(2, 1, 3, 4, 5), (1, 2, 3, 5, 4), (5, 1, 2, 3, 4), (2, 3, 4, 5, 1)], ids=str)
def test_swapped_order(stands):
    found("swapped order", world(*stands))
    # Of those that were not acknowledged as well.
    found("swapped order", world(*stands, acknowledged=()))
    # A lost connection is no excuse where nobody was refused.
    found("swapped order", World().emit(*ALL).lose(*ALL).again(*ALL).stand(*stands).ok(*ALL))


def test_order_after_a_refusal():
    # Who was refused goes to the end …
    assert not World().emit(1, 2, 3).refuse(1).again(1).stand(2, 3, 1).ok(1, 2, 3).faults()
    # … or stands where it was put all the same, if Redis had it …
    assert not World().emit(1, 2, 3).refuse(1).again(1).stand(1, 2, 3).ok(1, 2, 3).faults()
    # … but before what was emitted after it was sent again, and those that were not refused stay in order.
    found("swapped order", World().emit(1, 2).refuse(1).again(1).emit(3).stand(2, 3, 1).ok(1, 2, 3))
    found("swapped order", World().emit(1, 2, 3).refuse(1).again(1).stand(3, 2, 1).ok(1, 2, 3))
    found("swapped order", World().emit(1, 2).refuse(1).again(1).emit(3).stand(1, 3, 2).ok(1, 2, 3))
    # Refused twice.
    assert not World().emit(1).refuse(1).again(1).emit(2).refuse(1).again(1).stand(2, 1).ok(1, 2).faults()
    # A refusal that was lost with the connection.
    assert not World().emit(1, 2, 3).refuse(3).lose(1, 2).again(1, 2, 3).stand(2, 1, 3).ok(1, 2, 3).faults()
    found("swapped order", World().emit(1, 2, 3).refuse(3).lose(1, 2).again(1, 2, 3).emit(4).stand(2, 4, 1, 3).ok(1, 2, 3, 4))


def test_what_clients_may_never_be_told():
    found("acknowledged twice", world(*ALL).ok(3))
    found("acknowledged twice", world(*ALL).ok(3, cursor="9-0~0123abcd"))
    told = world(*ALL)
    told.ledger.fault("answered twice")
    found("answered twice", told)


def test_faults_beyond_those_told_are_counted():
    world = World().emit(*range(1, 101)).stand(*range(1, 101), *range(1, 101)).ok(*range(1, 101))
    for _ in range(50):
        world.ledger.fault("x")
    findings = world.findings()
    assert findings.fault_count == 150 and len(findings.faults) <= 20
