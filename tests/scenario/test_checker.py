"""The checker of checker.py finds what it is there to find."""

import json

import pytest

from checker import Checker, Expect
from publisher import Published, Record, payload_of
from swarm import Session, Wish


class Redis:
    """What a stream holds."""

    def __init__(self, records):
        self.records = records

    def xrange(self, topic):
        return [(event.id.encode(), {b"event": payload_of(event).encode()}) for event in self.records[topic].events
                if event.acknowledged and not event.lost and not isinstance(event, Trimmed)]


class Trimmed(Published):
    pass


class World:
    """One client on one topic with ten events; the test says what it received."""

    def __init__(self, wish):
        self.wish = wish
        topic = wish.topic.replace("*", "a")
        self.record = Record(topic, 1)
        self.records = {topic: self.record}
        for n in range(1, 11):
            self.record.events.append(Published(n, "xyz"[n % 3], None if self.record.is_channel else f"{n}-1", True))
        self.number = 0
        self.wishes = [wish]
        self.sessions = []
        self.followers = [self]  # a swarm of one
        self.connect()

    def connect(self):
        session = Session()
        ok = {"op": "ok", "ref": 0, "sub": 7, "cursor": "0-0"}
        session.ok[0], session.wish_of[7], session.started[0] = ok, 0, {self.record.topic: 0}
        self.sessions.append(session)
        self.say(ok)
        if len(self.sessions) > 1 and not self.wish.is_channel:
            self.say({"op": "caught_up", "sub": 7})
        return self

    def say(self, message):
        self.sessions[-1].messages.append(json.dumps(message, separators=(",", ":")).encode())
        return self

    def event(self, *numbers):
        for n in numbers:
            event = self.record.events[n - 1]
            cursor = f'"cursor":"{event.id}~0123abcd",' if event.id else ""
            self.sessions[-1].messages.append(
                f'{{"op":"event","sub":7,"topic":"{self.record.topic}",{cursor}"event":{payload_of(event)}}}'.encode())
        return self

    def gap(self, reason, count=None):
        return self.say({"op": "gap", "sub": 7, "topic": self.record.topic, "reason": reason, **({"count": count} if count else {})})

    def faults(self, **expect):
        return Checker(self, self, Redis(self.records), Expect(**expect)).check().faults


ALL = range(1, 11)
TRIM = {"holes": ("trimmed",)}
CUT = {"interruptions": (1, 1)}


def stream(**kw):
    return World(Wish("st.a", **kw))


def channel(**kw):
    return World(Wish("ch.a", **kw))


def test_what_is_right_passes():
    assert not stream().event(*ALL).faults(quiet=True)
    assert not channel().event(*ALL).faults(quiet=True)
    assert not stream(kind="x").event(3, 6, 9).faults()
    assert not stream().event(1, 2).gap("trimmed", 3).event(6, 7, 8, 9, 10).faults(**TRIM)
    assert not stream().event(1, 2).connect().event(3, 4, 5, 6, 7, 8, 9, 10).faults()
    assert not channel().event(1, 2).gap("disconnected").event(6, 7, 8, 9, 10).faults(**CUT)
    assert not channel().event(*ALL).say({"op": "stale", "sub": 7}).say({"op": "live", "sub": 7}).faults()


def broken(what):
    world = stream()
    world.record.breaks.append((5, what))
    return world


def test_broken_histories():
    assert not broken("gone").event(1, 2, 3, 4, 5).gap("gone").event(6, 7, 8, 9, 10).faults()
    assert not broken("gone").event(1, 2).gap("gone").event(6, 7, 8, 9, 10).faults()
    world = broken("lost")
    world.record.events[4].lost = True
    assert not world.event(1, 2, 3, 4, 5).gap("rolled_back").event(6, 7, 8, 9, 10).faults()


@pytest.mark.parametrize("world, expect", [
    (lambda: stream().event(1, 2, 4, 5, 6, 7, 8, 9, 10), TRIM),
    (lambda: stream().event(2, 3, 4, 5, 6, 7, 8, 9, 10), TRIM),
    (lambda: stream().event(1, 2, 3, 4, 5, 6, 7, 8, 9), TRIM),
    (lambda: stream(kind="x").event(3, 9), TRIM),
    (lambda: stream().event(1, 2).connect().event(4, 5, 6, 7, 8, 9, 10), TRIM),
    (lambda: channel().event(1, 2, 4, 5, 6, 7, 8, 9, 10), {}),
    (lambda: channel().event(1, 2, 3).connect().event(5, 6, 7, 8, 9), {}),
], ids=str)
def test_silent_holes(world, expect):
    assert any("silent hole" in fault for fault in world().faults(**expect))


@pytest.mark.parametrize("world", [
    lambda: stream().event(1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    lambda: stream().event(1, 2, 4, 3, 5, 6, 7, 8, 9, 10),
    lambda: stream().event(1, 2, 3).connect().event(3, 4, 5, 6, 7, 8, 9, 10),
    lambda: channel().event(1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
], ids=str)
def test_doubles(world):
    assert any("a double" in fault for fault in world().faults(**TRIM))


@pytest.mark.parametrize("world, expect", [
    (lambda: stream().event(1, 2).gap("trimmed", 3).event(*range(3, 11)), TRIM),
    (lambda: stream().event(1, 2).gap("trimmed", 2).event(*range(4, 11)), TRIM),
    (lambda: stream().event(1, 2).gap("gone").event(*range(4, 11)), TRIM),
    (lambda: stream().event(1, 2).gap("trimmed", 1).event(*range(4, 11)), {}),
    (lambda: stream(kind="x").event(3, 6).gap("trimmed", 1).event(9), TRIM),
    (lambda: channel().event(1, 2, 3).gap("disconnected").event(*range(4, 11)), {}),
    (lambda: channel().event(1, 2, 3).gap("disconnected").gap("disconnected").event(*range(4, 11)), CUT),
    (lambda: channel().event(*ALL), CUT),
], ids=str)
def test_wrong_gaps(world, expect):
    assert world().faults(**expect)


def test_breaks_that_are_not_told():
    assert broken("gone").event(*ALL).faults()
    assert broken("gone").event(1, 2, 3, 4).gap("gone").event(5, 6, 7, 8, 9, 10).faults()
    assert broken("gone").event(1, 2, 3, 4, 5).gap("gone").gap("gone").event(6, 7, 8, 9, 10).faults()
    world = broken("lost")
    world.record.events[4].lost = True
    assert world.event(*ALL).faults()


def test_a_place_that_was_trimmed_cannot_be_proven():
    def world(missing, back=True):
        world = stream().event(1, 2)
        world.record.events[:2] = [Trimmed(event.n, event.kind, event.id, True) for event in world.record.events[:2]]
        return (world.connect() if back else world).gap("trimmed").event(*range(4 if missing else 3, 11))

    assert not world(True).faults(**TRIM)
    assert not world(False).faults(**TRIM)
    assert world(False, back=False).faults(**TRIM)


def test_other_faults():
    assert stream(kind="x").event(3, 4, 6, 9).faults()  # against its filter
    assert stream().event(*ALL).say({"op": "stale", "sub": 7}).faults()
    assert stream().event(*ALL).say({"op": "stale", "sub": 7}).say({"op": "live", "sub": 7}).faults(quiet=True)
    assert stream().event(*ALL).say({"op": "caught_up", "sub": 7}).faults()
    assert stream().event(*ALL).say({"op": "error", "sub": 7, "code": 100}).faults()
    world = stream()
    world.record.events[4].acknowledged = False
    assert world.event(*ALL).faults()  # Redis does not have it
    world = stream().event(*ALL)
    world.record.events[4].kind = "y" if world.record.events[4].kind != "y" else "z"
    assert world.faults()  # other bytes than were published
