"""Judges streams by what clients emitted and were told: each event once, where it was acknowledged, in the order of emitting.

Looks only at the streams and at the clients' ledger; never at the gateway."""

import re
from dataclasses import dataclass, field

from ledger import FAULTS_MAX

PAGE = 10000


@dataclass
class Findings:
    emits: int = 0
    sent: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    refusals: int = 0
    standing: int = 0
    faults: list = field(default_factory=list)
    fault_count: int = 0

    def fault(self, text):
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)

    def __str__(self):
        return (f"{self.emits} emits sent {self.sent} times, {self.refusals} refusals, {self.acknowledged} acknowledged, "
                f"{self.duplicates} of them as duplicates, {self.standing} entries; {self.fault_count} faults")


def entries_of(redis, stream):
    """All entries, a page at a time."""
    after = "-"
    while page := redis.xrange(stream, min=after, count=PAGE):
        yield from page
        after = "(" + page[-1][0].decode()


class Audit:
    """`entries(topic)` gives what stands in its stream: (id, fields) as redis-py does."""

    def __init__(self, ledger, entries):
        self.ledger, self.entries = ledger, entries
        self.findings = Findings()
        self.stands = {}  # id of an emit → its places in the stream: (number of the entry, id of the entry)

    def check(self):
        findings, ledger = self.findings, self.ledger
        findings.emits, findings.acknowledged, findings.refusals = len(ledger.emits), ledger.acknowledged, len(ledger.refusals)
        for topic in ledger.topics:
            self._read(topic)
        for emit in ledger.emits.values():
            self._check_emit(emit)
        self._check_orders()
        findings.fault_count += ledger.fault_count - len(ledger.faults)
        for text in ledger.faults:
            findings.fault(text)
        return findings

    def _read(self, topic):
        for number, (entry_id, fields) in enumerate(self.entries(topic)):
            self.findings.standing += 1
            emit = self.ledger.emits.get(fields.get(b"id", b"").decode("utf-8", "replace"))
            if emit is None or emit.topic != topic or not emit.first or fields != {b"event": emit.event, b"id": emit.id.encode()}:
                self.findings.fault(f"{topic} {entry_id.decode()} is what nobody emitted: {fields}; {emit}")
                continue
            self.stands.setdefault(emit.id, []).append((number, entry_id.decode()))

    def _check_emit(self, emit):
        findings = self.findings
        findings.sent += emit.times
        findings.duplicates += bool(emit.duplicate)
        places = [entry_id for _, entry_id in self.stands.get(emit.id, [])]
        if len(places) > 1:
            findings.fault(f"{emit.id} stands {len(places)} times: {places}; {emit}")
        if emit.cursor is None:
            findings.fault(f"{emit.id} was never acknowledged; it stands at {places}; {emit}")
        elif not places:
            findings.fault(f"{emit.id} was acknowledged and is missing: {emit}")
        elif not re.fullmatch(re.escape(places[0]) + "~[0-9a-f]{8}", emit.cursor):
            findings.fault(f"{emit.id} was acknowledged as {emit.cursor} and stands at {places}")

    # --- order

    def _check_orders(self):
        """Where nobody was refused, no lost answer was a refusal either."""
        place = "sure_place" if self.ledger.refusals else "place"
        by_client = {}
        for emit in self.ledger.emits.values():
            if emit.id in self.stands:
                by_client.setdefault((emit.client, emit.topic), []).append(emit)
        for emits in by_client.values():
            self._check_order(emits, [emit for emit in emits if getattr(emit, place)], lambda emit: getattr(emit, place))

    def _check_order(self, emits, placed, place):
        """One client's of one topic. An emit stands behind all those that had their place when it was first sent."""
        placed = iter(sorted(placed, key=place))
        other, last = next(placed, None), None
        for emit in sorted(emits, key=lambda emit: emit.first):
            while other and place(other) < emit.first:
                if last is None or self._at(other) > self._at(last):
                    last = other
                other = next(placed, None)
            if last and self._at(emit) < self._at(last):
                self.findings.fault(f"swapped order in {emit.topic}: {emit.id} stands at {self.stands[emit.id]}, "
                                    f"{last.id}, emitted before it, at {self.stands[last.id]}")

    def _at(self, emit):
        return self.stands[emit.id][0][0]
