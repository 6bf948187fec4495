"""Two gateways on one Redis, and the same id at the same instant at both: one of them appends, and both clients are told the same."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

import pytest

from audit import entries_of
from frames import Connection
from harness import DEADLINE

PAIRS, ROUNDS, IDS = 5, 100, 20  # as many pairs of clients race at once, in so many rounds, with so many ids in each
TOPICS = ["st.a", "st.b", "st.c"]


@dataclass
class Race:
    """One id, and what the client at each gateway said and was told."""

    topic: str
    id: str
    events: list
    answers: list = field(default_factory=lambda: [None, None])


class Racer(Connection):
    """A client at one of the two gateways."""

    def __init__(self, lane):
        self.lane = lane
        self.began = asyncio.get_running_loop().create_future()
        self.awaited = {}  # ref → Race
        self.ref = 0

    def opened(self):
        self.began.set_result(None)

    def closed(self):
        if self.awaited:
            self.finished.set_exception(ConnectionError("the gateway hung up"))

    def race(self, races, joined):
        """Emits all at once: each in a message of its own, or `joined` in one."""
        self.finished = asyncio.get_running_loop().create_future()
        messages = []
        for race in races:
            self.ref += 1
            self.awaited[self.ref] = race
            messages.append(b'{"op":"emit","ref":%d,"topic":"%b","id":"%b","event":%b}' % (
                self.ref, race.topic.encode(), race.id.encode(), race.events[self.lane]))
        self.say(*([b"\n".join(messages)] if joined else messages))

    def received(self, payload):
        answer = json.loads(payload)
        if answer["op"] in ("ok", "error"):
            self.awaited.pop(answer["ref"]).answers[self.lane] = answer
            if not self.awaited:
                self.finished.set_result(None)


async def enter(gateway, lane):
    racer = Racer(lane)
    await asyncio.get_running_loop().create_connection(lambda: racer, "127.0.0.1", gateway.port)
    await asyncio.wait_for(racer.began, DEADLINE)
    return racer


async def run_races(gateways, event):
    """All rounds; `event(lane, number)` is what the client in this lane emits."""
    pairs = [[await enter(gateway, lane) for lane, gateway in enumerate(gateways)] for _ in range(PAIRS)]
    races = []
    for n in range(ROUNDS):
        for p, pair in enumerate(pairs):
            numbers = range(n * IDS, (n + 1) * IDS)
            own = [Race(TOPICS[p % len(TOPICS)], f"{p}-{k}", [event(0, k), event(1, k)]) for k in numbers]
            races += own
            # In turns: who is written to first, whether the other goes the other way round, whether all comes in one message.
            first, second = pair if n & 1 else reversed(pair)
            first.race(own, joined=n & 4)
            second.race(own[::-1] if n & 2 else own, joined=n & 4)
        await asyncio.wait_for(asyncio.gather(*(racer.finished for pair in pairs for racer in pair)), DEADLINE)
    for pair in pairs:
        for racer in pair:
            racer.transport.abort()
    return races


def standing(redis):
    """(topic, id of the event) → its entries: (id of the entry, bytes of the event)"""
    there = {}
    for topic in TOPICS:
        for entry_id, fields in entries_of(redis.client(), topic):
            there.setdefault((topic, fields[b"id"].decode()), []).append((entry_id.decode(), fields[b"event"]))
    return there


@pytest.fixture
def hold_races(redis, make_gateway, tell):
    """hold_races(event, judge): `judge(race, winner)` returns None or what is wrong with the answers of a race whose one entry is
    that of the lane `winner`."""

    def hold(event, judge):
        races = asyncio.run(run_races([make_gateway(redis), make_gateway(redis)], event))
        there = standing(redis)
        assert len(there) == len(races) == PAIRS * ROUNDS * IDS
        faults, wins = [], Counter()
        for race in races:
            entries = there.get((race.topic, race.id), [])
            firsts = [lane for lane, answer in enumerate(race.answers) if answer["op"] == "ok" and not answer["duplicate"]]
            wrong = None
            if len(entries) != 1:
                wrong = f"{len(entries)} entries"
            elif len(firsts) != 1:
                wrong = f"{len(firsts)} of the two have appended it"
            elif race.events[firsts[0]] != entries[0][1]:
                wrong = "the event of the other one stands there"
            elif not race.answers[firsts[0]]["cursor"].startswith(entries[0][0] + "~"):
                wrong = "it does not stand where it was acknowledged"
            else:
                wins[firsts[0]] += 1
                wrong = judge(race, firsts[0])
            if wrong:
                faults.append(f"{wrong}: {race}; {entries}")
        tell(f"{len(races)} races, won by {wins[0]} and {wins[1]}; {len(faults)} faults")
        assert not faults, "\n".join([f"{len(faults)} faults of {len(races)}", *faults[:5]])
        # Else nobody raced.
        assert min(wins[0], wins[1]) >= len(races) // 100

    return hold


def test_the_same_event(hold_races):
    def judge(race, winner):
        first, second = race.answers[winner], race.answers[1 - winner]
        if second["op"] != "ok" or not second["duplicate"]:
            return "the other one is not told that it is a duplicate"
        if first["cursor"] != second["cursor"]:
            return "two cursors"
        return None

    hold_races(lambda lane, number: b'{"n":%d}' % number, judge)


def test_another_event_of_the_same_id(hold_races):
    def judge(race, winner):
        answer = race.answers[1 - winner]
        if answer["op"] != "error" or answer["code"] != 122 or answer["reason"] != "id_conflict":
            return "the other one is not told of the conflict"
        if "retry_ms" in answer or "cursor" in answer:
            return "the other one is told to try again"
        return None

    hold_races(lambda lane, number: b'{"n":%d,"lane":%d}' % (number, lane), judge)
