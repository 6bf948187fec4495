"""Publishes to streams and channels at a steady pace, and keeps a record of what Redis acknowledged.

The events of each topic are numbered 1, 2, 3 …, and go out in that order. An event whose answer was lost with the connection is
`unknown`: whether it happened only Redis can tell, and for a channel nobody."""

import json
import threading
from dataclasses import dataclass, field

import redis as redis_py

from harness import wait_until

KINDS = "xyz"


@dataclass
class Published:
    n: int
    kind: str
    id: str = None  # of a stream's entry
    acknowledged: bool = False
    lost: bool = False  # acknowledged, and then lost by Redis with a failover


@dataclass
class Record:
    """One topic. `breaks`: (n, what): between the events n and n + 1 the stream was deleted ("gone"), or it came back without its
    newest events ("lost")."""

    topic: str
    every: int
    events: list = field(default_factory=list)  # of number n: events[n - 1]
    breaks: list = field(default_factory=list)
    there: set = field(default_factory=set)  # numbers of the events that are in Redis, once a checker has looked
    maxlen: int = None  # each entry trims the stream to so many
    own_ids: bool = False  # ids are chosen so that a new history hands out those of a lost one again

    @property
    def is_channel(self):
        return self.topic.startswith("ch.")

    @property
    def begun(self):
        return len(self.events)

    def acknowledged(self):
        return sum(event.acknowledged for event in list(self.events))


def payload_of(event):
    return json.dumps({"n": event.n, "kind": event.kind}, separators=(",", ":"))


class Publisher:
    """Every `tick` seconds each topic gets an event if its turn has come. `connect()` gives a redis client."""

    def __init__(self, connect, topics, tick=0.02):
        self.connect = connect
        self.records = {topic: Record(topic, every) for topic, every in topics.items()}
        self.tick = tick
        self.lock = threading.RLock()  # held while anything is published
        self._stop = threading.Event()
        self._thread = None
        self._client = None
        self.failures = 0

    # --- one batch

    def make(self, topic, kind=None):
        """A new event, not published yet. Under the lock."""
        events = self.records[topic].events
        n = len(events) + 1
        event = Published(n, kind or KINDS[n % 3])
        events.append(event)
        return event

    def put(self, pipe, topic, event):
        record = self.records[topic]
        if record.is_channel:
            pipe.publish(topic, payload_of(event))
        else:
            pipe.xadd(topic, {"event": payload_of(event)}, id=event.id or "*", maxlen=record.maxlen, approximate=False)

    @staticmethod
    def took(event, answer):
        """What Redis said to the command that put the event."""
        if isinstance(answer, Exception):
            raise answer
        event.acknowledged = True
        if isinstance(answer, bytes):
            event.id = answer.decode()

    def publish(self, topics, kind=None):
        """One event for each topic, at once. False: the connection was lost."""
        with self.lock:
            batch = [(topic, self.make(topic, kind)) for topic in topics]
            try:
                if not self._client:
                    self._client = self.connect()
                pipe = self._client.pipeline(transaction=False)
                for topic, event in batch:
                    if self.records[topic].own_ids:
                        event.id = f"{1 + self._client.xlen(topic)}-1"
                    self.put(pipe, topic, event)
                answers = pipe.execute(raise_on_error=False)
                for (_, event), answer in zip(batch, answers):
                    self.took(event, answer)
                return True
            except (redis_py.exceptions.ConnectionError, redis_py.exceptions.BusyLoadingError, OSError):
                self.failures += 1
                self._client = None
                return False

    # --- faults, under the lock

    def transaction(self, fault, before=(), then=(), first_id=None):
        """In one transaction: events for these topics, the fault, and events again, with ids from `first_id`-1 on if given."""
        pipe = self._client.pipeline(transaction=True)
        batch = []
        for topic in before:
            batch.append((len(pipe.command_stack), self._queue(pipe, topic)))
        fault(pipe)
        for number, topic in enumerate(then):
            id_ = f"{first_id + number}-1" if first_id else None
            batch.append((len(pipe.command_stack), self._queue(pipe, topic, id_)))
        answers = pipe.execute()
        for at, event in batch:
            self.took(event, answers[at])

    def _queue(self, pipe, topic, id_=None):
        event = self.make(topic)
        event.id = id_
        self.put(pipe, topic, event)
        return event

    def break_with(self, topic, fault, before=(), then=(), first_id=None):
        """The stream's history ends with the fault."""
        record = self.records[topic]
        record.breaks.append((record.begun + len(before), "gone"))
        self.transaction(fault, before, then, first_id)

    def note_lost(self, redis):
        """What this Redis does not have is lost, and this breaks the history of its stream. Returns how many."""
        count = 0
        for record in self.records.values():
            if record.is_channel:
                continue
            there = {json.loads(fields[b"event"])["n"] for _, fields in redis.xrange(record.topic)}
            lost = [event for event in record.events if event.acknowledged and not event.lost and event.n not in there]
            for event in lost:
                event.lost = True
            if lost:
                record.breaks.append((record.begun, "lost"))
            count += len(lost)
        return count

    # --- at a steady pace

    def _run(self):
        for tick in range(1 << 60):
            if self._stop.wait(self.tick):
                return
            due = [topic for topic, record in list(self.records.items()) if tick % record.every == 0]
            if due:
                self.publish(due)

    def start(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread:
            self._thread.join()

    def wait_more(self, count, topics=None):
        """Waits until Redis has acknowledged so many more events of each topic (those that are published on every tick)."""
        records = [record for topic, record in self.records.items() if (topic in topics if topics else record.every == 1)]
        goals = [(record, record.acknowledged() + count) for record in records]
        wait_until(lambda: all(record.acknowledged() >= goal for record, goal in goals), f"{count} more events")

    def add(self, topic, every):
        with self.lock:
            self.records[topic] = Record(topic, every)

    def moment(self):
        """How many events of each topic were begun up to now."""
        return {topic: record.begun for topic, record in list(self.records.items())}

    def all_topics(self, prefix=""):
        return [topic for topic in self.records if topic.startswith(prefix)]

    def finish(self, topics):
        """The last event of each topic; it passes every filter. Call it after stop()."""
        wait_until(lambda: self.publish(topics, "all"), "the last events")
        return {topic: self.records[topic].begun for topic in topics}
