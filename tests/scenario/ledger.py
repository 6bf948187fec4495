"""What clients emitted, and what they were told about it. Nothing is judged here; see audit.py.

A `moment` is a number that grows with every message that is sent, over all clients."""

import itertools
from dataclasses import dataclass, field

FAULTS_MAX = 20


@dataclass
class Emit:
    """One event, however often it was sent."""

    client: int
    number: int  # of this client's: 1, 2, 3 …
    topic: str
    id: str
    event: bytes = field(repr=False)
    first: int = 0  # the moment when it was first sent
    # The moment from which on it has its place in the client's order: when it was first sent, or first sent again after a refusal …
    place: int = 0
    # … or after the end of a connection on which it was not answered. That answer may have been a refusal.
    sure_place: int = 0
    times: int = 0
    refused: int = 0
    sent_at: float = 0.0
    cursor: str = None
    duplicate: bool = None


@dataclass
class Refusal:
    """`at`, `took`: in seconds, when it came and how long after it was sent."""

    at: float
    took: float
    code: int
    retry_ms: int


class Ledger:
    def __init__(self):
        self.emits = {}  # id → Emit
        self.acknowledged = 0
        self.refusals = []
        self.faults = []  # what no client may ever be told
        self.fault_count = 0
        self._moments = itertools.count(1)

    def fault(self, text):
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)

    def emitted(self, client, number, topic, id, event):  # noqa: A002 - the protocol's own word
        emit = self.emits[id] = Emit(client, number, topic, id, event)
        return emit

    def sent(self, emit, now):
        moment = next(self._moments)
        emit.first = emit.first or moment
        emit.place = emit.place or moment
        emit.sure_place = emit.sure_place or moment
        emit.times += 1
        emit.sent_at = now

    def was_acknowledged(self, emit, answer):
        if emit.cursor is not None:
            self.fault(f"{emit.id} was acknowledged twice: {emit.cursor}, then {answer}")
            return
        emit.cursor, emit.duplicate = answer["cursor"], answer["duplicate"]
        self.acknowledged += 1

    def was_refused(self, emit, answer, now):
        """Not for good: it will be sent again."""
        emit.place = emit.sure_place = 0
        emit.refused += 1
        self.refusals.append(Refusal(now, now - emit.sent_at, answer["code"], answer.get("retry_ms", 0)))

    def was_lost(self, emit):
        """The connection ended before the answer."""
        emit.sure_place = 0

    @property
    def missing(self):
        """How many are not acknowledged."""
        return len(self.emits) - self.acknowledged

    @property
    def topics(self):
        return sorted({emit.topic for emit in list(self.emits.values())})
