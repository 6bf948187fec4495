"""Hundreds of real WebSocket clients in one event loop: each keeps what it received, comes back when it is cut off, and goes on
from its cursors as the protocol says. Nothing is judged here; see checker.py."""

import asyncio
import json
import re
import threading
from dataclasses import dataclass, field

from frames import Connection
from harness import DEADLINE, wait_until

OK, CURSOR = b'{"op":"ok"', re.compile(rb'"topic":"([^"]*)","cursor":"([^"]*)"')
RECONNECT_S = 0.02


@dataclass(frozen=True)
class Wish:
    """What one client subscribes to. `kind`: only events of this kind, by a filter; `start`: from the first entry on."""

    topic: str
    kind: str = None
    start: bool = False

    @property
    def is_channel(self):
        return self.topic.startswith("ch.")

    @property
    def is_pattern(self):
        return "*" in self.topic

    def follows(self, topic):
        return topic.startswith(self.topic[:-1]) if self.is_pattern else topic == self.topic

    def passes(self, kind):
        return self.kind is None or kind in (self.kind, "all")

    def message(self, ref, from_):
        message = {"op": "subscribe", "ref": ref, "topic": self.topic}
        if self.kind:
            message["filter"] = f"kind = '{self.kind}' OR kind = 'all'"
        if from_:
            message["from"] = from_
        return message


@dataclass
class Session:
    """One connection's time: the messages in their order, as bytes."""

    messages: list = field(default_factory=list)
    wish_of: dict = field(default_factory=dict)  # sub → index of the wish
    ok: dict = field(default_factory=dict)  # index of the wish → the answer
    started: dict = field(default_factory=dict)  # index of the wish → what swarm.moment() gave when it was answered
    refused: list = field(default_factory=list)


class Follower(Connection):
    """One client."""

    def __init__(self, swarm, number, wishes, port):
        self.swarm, self.number, self.wishes, self.port = swarm, number, wishes, port
        self.sessions = []
        self.cursors = [{} for _ in wishes]  # of sessions that are over

    # --- the connection

    def connection_made(self, transport):
        self.sessions.append(Session())
        super().connection_made(transport)

    def closed(self):
        self._remember()
        if not self.swarm.leaving:
            self.swarm.losses += 1
            self.port = self.swarm.refuge or self.port
            self.swarm.loop.call_later(RECONNECT_S, self.swarm.connect, self)

    def _remember(self):
        """The newest cursor of each stream of each wish."""
        session = self.sessions[-1]
        for index, ok in session.ok.items():
            wish = self.wishes[index]
            if "cursor" in ok and not wish.is_pattern:
                self.cursors[index].setdefault(wish.topic, ok["cursor"])
            if "since" in ok and "since" not in self.cursors[index]:
                self.cursors[index]["since"] = ok["since"]
        for message in session.messages:
            if message.startswith(b'{"op":"event"'):
                found = CURSOR.search(message)
                if found:
                    index = session.wish_of[json.loads(message)["sub"] if len(session.wish_of) > 1 else next(iter(session.wish_of))]
                    self.cursors[index][found.group(1).decode()] = found.group(2).decode()

    def _from(self, index):
        wish, known = self.wishes[index], dict(self.cursors[index])
        since = known.pop("since", None)
        if wish.is_channel:
            return None
        if len(self.sessions) == 1 or (not known and since is None):
            return "start" if wish.start else None
        from_ = {"cursors": known}
        if wish.is_pattern and since is not None:
            from_["otherwise"] = {"since": since}
        return from_

    def opened(self):
        for index in range(len(self.wishes)):
            self._ask(index)

    def _ask(self, index):
        self.say(json.dumps(self.wishes[index].message(index, self._from(index))).encode())

    # --- messages

    def received(self, payload):
        session = self.sessions[-1]
        session.messages.append(payload)
        if payload.startswith((OK, b'{"op":"error"')):
            self._answered(session, json.loads(payload))
        elif b'"kind":"all"' in payload:
            self.swarm.finals += 1

    def _answered(self, session, answer):
        index = answer["ref"]
        if answer["op"] == "error":
            session.refused.append(answer)
            if answer["code"] == 108:  # "try again"
                self.swarm.loop.call_later(0.1, self._again, session, index)
            return
        session.wish_of[answer["sub"]] = index
        session.ok[index] = answer
        session.started[index] = self.swarm.moment()

    def _again(self, session, index):
        if self.open and session is self.sessions[-1]:
            self._ask(index)

    @property
    def subscribed(self):
        return self.open and len(self.sessions[-1].ok) == len(self.wishes)


class Swarm:
    """`moment()` is called whenever a subscription is answered; its value stays with the session."""

    def __init__(self, moment=lambda: None):
        self.moment = moment
        self.loop = asyncio.new_event_loop()
        self.followers = []
        self.refuge = None  # the port to reconnect to, if not that of before
        self.leaving = False
        self.losses = 0
        self.finals = 0  # grows when a final event comes
        self._connecting = 0
        self._waiting = []
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, function, *args):
        """Runs it in the loop and returns its value."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(DEADLINE)

    def join(self, gateway, wishes_of_each):
        """Connects a client for each list of wishes and waits until all are subscribed."""
        new = [Follower(self, number, wishes, gateway.port) for number, wishes in enumerate(wishes_of_each, len(self.followers))]
        self.followers += new
        for follower in new:
            self.loop.call_soon_threadsafe(self.connect, follower)
        self.wait_subscribed()
        return new

    def wait_subscribed(self):
        wait_until(lambda: all(f.subscribed for f in self.followers),
                   lambda: f"subscriptions of {sum(not f.subscribed for f in self.followers)} of {len(self.followers)} clients, such as "
                   f"{next((f.wishes, f.sessions[-1:]) for f in self.followers if not f.subscribed)}")

    def finals_missing(self, goals):
        """A function that tells how many clients do not have an event of kind "all" and number goals[topic] or later yet."""
        wanted = []
        for follower in self.followers:
            topics = {topic for topic in goals if any(wish.follows(topic) for wish in follower.wishes)}
            if topics:
                wanted.append([follower, topics, len(follower.sessions) - 1, 0])
        seen = -1

        def missing():
            nonlocal seen, wanted
            if self.finals != seen:
                seen = self.finals
                for want in wanted:
                    self._look_for_finals(want, goals)
                wanted = [want for want in wanted if want[1]]
            return len(wanted)

        missing.examples = lambda: [(want[0].number, want[0].wishes, want[1]) for want in wanted[:3]]
        return missing

    @staticmethod
    def _look_for_finals(want, goals):
        follower, topics, at_session, at = want
        while True:
            messages = follower.sessions[at_session].messages
            for raw in messages[at:]:
                if b'"kind":"all"' in raw and raw.startswith(b'{"op":"event"'):
                    message = json.loads(raw)
                    if message["event"]["n"] >= goals.get(message["topic"], 1 << 60):
                        topics.discard(message["topic"])
                at += 1
            if at_session == len(follower.sessions) - 1:
                break
            at_session, at = at_session + 1, 0
        want[2:] = at_session, at

    def settle(self, publisher):
        """Under the publisher's lock: waits until every client has the newest event of each of its streams."""
        goals = {topic: record.begun for topic, record in publisher.records.items() if not record.is_channel and record.begun}
        publisher.publish(list(goals), "all")
        missing = self.finals_missing({topic: n + 1 for topic, n in goals.items()})
        wait_until(lambda: not missing(), lambda: f"the newest events for {missing()} clients, such as {missing.examples()}")

    def count(self, op):
        """How many clients were told this in their present session."""
        mark = b'{"op":"' + op.encode() + b'"'
        return sum(any(m.startswith(mark) for m in list(f.sessions[-1].messages)) for f in self.followers if f.sessions)

    def cut(self, followers):
        """Ends their connections; they come back by themselves."""

        def abort():
            for follower in followers:
                if follower.transport:
                    follower.transport.abort()

        self.call(abort)

    def connect(self, follower):
        """In the loop. A few at a time: the system's queue of connections to accept is short."""
        self._waiting.append(follower)
        self._connect_next()

    def _connect_next(self):
        while self._waiting and self._connecting < 64 and not self.leaving:
            self._connecting += 1
            self.loop.create_task(self._connect(self._waiting.pop(0)))

    async def _connect(self, follower):
        try:
            await self.loop.create_connection(lambda: follower, "127.0.0.1", follower.port)
        except OSError:
            if not self.leaving:
                follower.port = self.refuge or follower.port
                self.loop.call_later(RECONNECT_S, self.connect, follower)
        finally:
            self._connecting -= 1
            self._connect_next()

    def leave(self):
        """All hang up."""
        self.leaving = True

        def cut():
            for follower in self.followers:
                if follower.transport:
                    follower.transport.abort()

        self.call(cut)
        wait_until(lambda: all(f.transport is None for f in self.followers) and self._connecting == 0, "the end of the swarm")

    def done(self):
        self.leave()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE)
        self.loop.close()
