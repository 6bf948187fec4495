"""Judges what a swarm received: no silent hole, no double, no spurious gap.

Looks only at what the clients received, at Redis, and at the publisher's record of what Redis acknowledged; never at the gateway."""

import collections
import json
import re
from dataclasses import dataclass, field

from publisher import payload_of

FAULTS_MAX = 20


@dataclass
class Expect:
    """What the fault may do to subscriptions. Whatever else is found is a fault of the gateway's.

    interruptions: (least, most) gaps `disconnected` of each channel subscription; holes: reasons with which entries of a stream
    may be missing; quiet: nobody may be told `stale`."""

    interruptions: tuple = (0, 0)
    holes: tuple = ()
    quiet: bool = False


@dataclass
class Findings:
    clients: int = 0
    sessions: int = 0
    published: int = 0
    delivered: int = 0
    missed: int = 0  # covered by gaps
    vain: int = 0  # gaps of clients that came back, where nothing is missing and nobody could know
    stale: int = 0
    gaps: collections.Counter = field(default_factory=collections.Counter)
    faults: list = field(default_factory=list)
    fault_count: int = 0

    def fault(self, text):
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)

    def __str__(self):
        gaps = ", ".join(f"{count} {reason}" for reason, count in sorted(self.gaps.items())) or "none"
        return (f"{self.clients} clients in {self.sessions} sessions, {self.published} events published, {self.delivered} delivered, "
                f"gaps: {gaps}; {self.missed} missed and told, {self.vain} told in vain, {self.stale} times stale; {self.fault_count} faults")


class Checker:
    def __init__(self, swarm, publisher, redis, expect):
        self.swarm, self.records, self.expect = swarm, publisher.records, expect
        self.findings = Findings()
        self._parsed = {}
        self._cursors = {}  # (topic, n) → cursor
        self._by_id = {}  # of streams: id → n
        for record in self.records.values():
            self._truth(record, redis)

    # --- what is true

    def _truth(self, record, redis):
        """Events whose acknowledgement was lost with a connection: Redis says whether they are."""
        self.findings.published += sum(event.acknowledged for event in record.events)
        if record.is_channel:
            return
        there = {json.loads(fields[b"event"])["n"]: entry_id.decode() for entry_id, fields in redis.xrange(record.topic)}
        record.there = set(there)
        for event in record.events:
            if event.n in there and not event.lost:
                if event.acknowledged and event.id != there[event.n]:
                    self.findings.fault(f"the record is wrong: {record.topic} {event} is {there[event.n]} in Redis")
                event.id = there[event.n]
                event.acknowledged = True
        for event in record.events:
            if event.acknowledged:
                self._by_id.setdefault((record.topic, event.id), event.n)

    def _missing(self, record, after, before, wish=None):
        return [event.n for event in record.events[after:before - 1]
                if event.acknowledged and not event.lost and (wish is None or wish.passes(event.kind))]

    # --- what was received

    def _parse(self, raw):
        message = self._parsed.get(raw)
        if message is None:
            message = self._parsed[raw] = json.loads(raw)
            if message["op"] == "event":
                self._check_event(raw, message)
        return message

    def _check_event(self, raw, message):
        topic, event = message["topic"], message["event"]
        record = self.records.get(topic)
        if not record or not 1 <= event["n"] <= len(record.events):
            self.findings.fault(f"an event that nobody published: {raw}")
            return
        published = record.events[event["n"] - 1]
        if not raw.endswith(b'"event":' + payload_of(published).encode() + b"}"):
            self.findings.fault(f"{topic} {published} arrived as {raw}")
        if record.is_channel:
            if "cursor" in message:
                self.findings.fault(f"a channel's event with a cursor: {raw}")
            return
        if not published.acknowledged:
            self.findings.fault(f"{topic} {published} was delivered, but Redis does not have it")
        elif not re.fullmatch(re.escape(published.id) + "~[0-9a-f]{8}", message["cursor"]):
            self.findings.fault(f"{topic} {published} arrived with the cursor {message['cursor']}")
        if self._cursors.setdefault((topic, event["n"]), message["cursor"]) != message["cursor"]:
            self.findings.fault(f"two cursors of {topic} {published}: {self._cursors[topic, event['n']]}, {message['cursor']}")

    def check(self):
        for follower in self.swarm.followers:
            self.findings.clients += 1
            self.findings.sessions += len(follower.sessions)
            for index, wish in enumerate(follower.wishes):
                _Course(self, follower, index, wish).check()
        return self.findings


class _Course:
    """One subscription of one client over all of its sessions."""

    def __init__(self, checker, follower, index, wish):
        self.checker, self.findings, self.expect = checker, checker.findings, checker.expect
        self.index, self.wish = index, wish
        self.name = f"client {follower.number} on {wish.topic}{' kind ' + wish.kind if wish.kind else ''}"
        self.sessions = follower.sessions
        self.topics = [topic for topic in checker.records if wish.follows(topic)]

    def fault(self, text):
        self.findings.fault(f"{self.name}: {text}")

    def check(self):
        courses = {topic: [] for topic in self.topics}
        for number, session in enumerate(self.sessions):
            self._take_session(number, session, courses)
        for topic, course in courses.items():
            record = self.checker.records[topic]
            if self.wish.is_channel:
                for number in range(len(self.sessions)):
                    self._check_channel(record, number, [item for at, *item in course if at == number])
            else:
                self._check_stream(record, course)

    def _take_session(self, number, session, courses):
        last = number == len(self.sessions) - 1
        if self.index not in session.ok:
            if last:
                self.fault(f"not subscribed: {session.refused}")
            return
        sub = session.ok[self.index]["sub"]
        stale = caught_up = gaps = 0
        parse = self.checker._parse
        for raw in session.messages:
            message = parse(raw)
            if message.get("sub") != sub:
                if message["op"] not in ("welcome", "ok", "error", "goodbye") and message.get("sub") not in session.wish_of:
                    self.fault(f"nobody asked for {raw}")
                continue
            op = message["op"]
            if op == "event":
                topic, event = message["topic"], message["event"]
                if topic not in courses:
                    self.fault(f"received {raw}")
                    continue
                if not self.wish.passes(event["kind"]):
                    self.fault(f"received {raw} against its filter")
                courses[topic].append((number, "event", event["n"]))
                self.findings.delivered += 1
            elif op == "gap":
                gaps += 1
                self.findings.gaps[message["reason"]] += 1
                told = [topic for topic in courses if message["topic"] in (topic, self.wish.topic)]
                if not told:
                    self.fault(f"received {raw}")
                for topic in told:
                    courses[topic].append((number, "gap", message["reason"], message.get("count")))
            elif op in ("stale", "live"):
                if stale == (op == "stale"):
                    self.fault(f"told {op} twice")
                stale = op == "stale"
                self.findings.stale += stale
                if self.expect.quiet:
                    self.fault(f"told {op} although the source was alive")
            elif op == "caught_up":
                caught_up += 1
            elif op != "ok":
                self.fault(f"received {raw}")
        if last:
            if stale:
                self.fault("is stale at the end")
            asked = not self.wish.is_channel and (number > 0 or self.wish.start)
            if caught_up != asked:
                self.fault(f"was told caught_up {caught_up} times")
            least, most = self.expect.interruptions
            if self.wish.is_channel and not least <= gaps <= most:
                self.fault(f"was told {gaps} gaps for {least} to {most} interruptions")

    # --- streams

    def _start(self, record):
        """(the last event before the subscription, whether that is exact)"""
        session = next(session for session in self.sessions if self.index in session.ok)
        if self.wish.start and not record.maxlen:
            return 0, True
        if self.wish.is_pattern or self.wish.start:
            return session.started[self.index].get(record.topic, 0), False
        cursor = session.ok[self.index]["cursor"].split("~")[0]
        if cursor == "0-0":
            return 0, True
        n = self.checker._by_id.get((record.topic, cursor))
        if n is None:
            self.fault(f"was told to stand at {cursor}, which is no entry")
            return 0, True
        return n, True

    def _check_stream(self, record, course):
        at, exact = self._start(record)
        gaps, told_in, at_in = [], None, 0
        for session, kind, *what in course:
            if kind == "gap":
                if session != told_in:
                    gaps, told_in = [], session  # it came back with the cursor of before, so it is told once more
                gaps.append([*what, session > at_in])
                continue
            n = what[0]
            if n <= at and not exact:
                at = n - 1  # it was subscribed before the answer arrived
            exact = True
            if n <= at:
                self.fault(f"{record.topic}: event {n} after {at}: a double, or out of order")
                continue
            self._check_step(record, at, n, gaps)
            at, at_in, gaps = n, session, []
        self._check_step(record, at, record.begun + 1, gaps)

    def _check_step(self, record, at, n, gaps):
        """From event `at` to event `n`."""
        breaks = [what for after, what in record.breaks if at <= after < n]
        missing = self.checker._missing(record, at, n)
        unseen = self.checker._missing(record, at, n, self.wish) if self.wish.kind else missing
        if not gaps and not unseen and not breaks:
            return
        where = f"{record.topic} between {at} and {n}"
        reasons = [reason for reason, _, _ in gaps]
        if breaks:
            self._check_breaks(record, at, where, breaks, gaps, unseen)
            self.findings.missed += len(unseen)
            return
        if unseen and not gaps:
            self.fault(f"{where}: a silent hole: {unseen[:10]}")
            return
        wrong = set(reasons) - set(self.expect.holes)
        # Who comes back to a place that was trimmed too: whether it missed anything nobody knows who was not there.
        vain = at not in record.there and all(count is None and resumed for _, count, resumed in gaps)
        if not wrong and not missing and vain:
            self.findings.vain += len(gaps)
            return
        if wrong or not missing:
            self.fault(f"{where}: a spurious gap: {gaps}; {len(missing)} are missing")
            return
        self.findings.missed += len(unseen)
        counts = [count for _, count, _ in gaps]
        if self.wish.kind:
            if any(count is not None for count in counts):
                self.fault(f"{where}: a count that nobody can know: {gaps}")
        elif None not in counts and sum(counts) != len(missing):
            self.fault(f"{where}: {len(missing)} are missing, told was {gaps}")

    def _check_breaks(self, record, at, where, breaks, gaps, unseen):
        """Where history broke, somebody who was there is told so at least once, and not more often than it broke. Something may have
        been trimmed as well, and who comes back when the new stream was trimmed can be told only that. Who comes back just when the
        gateway notices may be told for its own place and then with all others. Who has seen nothing that was lost need not be told."""
        reasons = [reason for reason, _, _ in gaps]
        most = len(breaks) + any(resumed for _, _, resumed in gaps)
        may = {"gone": {"gone"}, "lost": {"rolled_back", "gone"}}
        told = [reason for reason in reasons if reason in ("gone", "rolled_back")]
        allowed = set().union(*(may[what] for what in breaks))
        concerned = at > 0 and ("gone" in breaks or record.events[at - 1].lost)
        if not set(told) <= allowed or len(told) > most or (concerned and not told and "trimmed" not in reasons):
            self.fault(f"{where}: history broke ({', '.join(breaks)}), told was {reasons}")
        elif unseen and not reasons:
            self.fault(f"{where}: a silent hole: {unseen[:10]}")
        elif set(reasons) - set(told) - set(self.expect.holes):
            self.fault(f"{where}: a spurious gap: {reasons}")

    # --- channels

    def _check_channel(self, record, number, course):
        session = self.sessions[number]
        if self.index not in session.ok:
            return
        at, exact = session.started[self.index].get(record.topic, 0), False
        gap = False
        for kind, *what in course:
            if kind == "gap":
                if what[0] != "disconnected":
                    self.fault(f"{record.topic}: a gap of a channel: {what}")
                gap = True
                continue
            n = what[0]
            if n <= at and not exact:
                at = n - 1
            exact = True
            if n <= at:
                self.fault(f"{record.topic}: event {n} after {at}: a double, or out of order")
                continue
            self._check_channel_step(record, at, n, gap)
            at, gap = n, False
        if number == len(self.sessions) - 1:
            self._check_channel_step(record, at, record.begun + 1, gap)

    def _check_channel_step(self, record, at, n, gap):
        unseen = self.checker._missing(record, at, n, self.wish)
        if unseen and not gap:
            self.fault(f"{record.topic} between {at} and {n}: a silent hole: {unseen[:10]}")
        self.findings.missed += len(unseen)
