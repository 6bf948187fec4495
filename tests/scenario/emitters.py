"""Clients that emit, in one event loop. Each keeps what it emitted in an outbox until it is acknowledged, and sends it again with the
same id when it was refused for the time being or the connection was lost. What they emit and are told goes into a ledger."""

import asyncio
import collections
import json
import random
import threading

from frames import Connection
from harness import DEADLINE, wait_until

RECONNECT_S = 0.02
BURST_S = 0.05  # what a paced client may send at once, in time of its pace
TRY_AGAIN = (108, 111)


class Outbox:
    """What a browser has on its disk: the text of each emit that is not acknowledged, in order. Nothing else survives a reload."""

    def __init__(self):
        self._kept = {}  # number → text

    def __len__(self):
        return len(self._kept)

    def __getitem__(self, number):
        return self._kept[number]

    def put(self, number, text):
        self._kept[number] = text

    def remove(self, number):
        del self._kept[number]

    def numbers(self):
        return list(self._kept)


class Page(Connection):
    """What is in a browser's memory: it begins with what the outbox holds, and ends with the connection."""

    def __init__(self, emitter):
        self.emitter = emitter
        self.unsent = collections.deque(emitter.outbox.numbers())
        self.again = collections.deque()  # refused, and rested since
        self.waiting = {}  # ref → number
        self.resting = 0  # refused not long ago
        self.ref = 0

    def opened(self):
        self.flush()

    def flush(self):
        """Sends what there is to send, as far as its emitter lets it, in one write."""
        if not self.open:
            return
        emitter, messages = self.emitter, []
        now = emitter.loop.time()
        while (self.again or self.unsent) and emitter.may_send(self):
            number = (self.again or self.unsent).popleft()
            self.ref += 1
            self.waiting[self.ref] = number
            messages.append(b'{"op":"emit","ref":%d,%b' % (self.ref, emitter.outbox[number]))
            emitter.ledger.sent(emitter.emits[number], now)
        if messages:
            self.say(*messages)

    def received(self, payload):
        answer = json.loads(payload)
        if answer["op"] not in ("ok", "error"):
            return
        number = self.waiting.pop(answer.get("ref"), None)
        if number is None:
            self.emitter.ledger.fault(f"client {self.emitter.number} was answered twice, or unasked: {answer}")
        elif answer["op"] == "ok":
            self.emitter.was_acknowledged(number, answer)
        elif answer["code"] in TRY_AGAIN:
            self.emitter.was_refused(number, answer)
            self.resting += 1
            self.emitter.loop.call_later(answer.get("retry_ms", 0) / 1000, self._rested, number)
        else:
            self.emitter.was_refused_for_good(number, answer)

    def _rested(self, number):
        if self.emitter.page is self:
            self.resting -= 1
            self.again.append(number)
            self.flush()

    def taken(self):
        self.emitter.fill()
        self.flush()

    def closed(self):
        self.emitter.page_closed(self)


class Emitter:
    """One client. It emits `count` events in all, `window` of them unanswered at most."""

    def __init__(self, swarm, number, port, topics, count, window):
        self.swarm, self.number, self.port = swarm, number, port
        self.loop, self.ledger = swarm.loop, swarm.ledger
        self.topics, self.count, self.window = topics, count, window
        self.chance = random.Random(f"{swarm.seed}/{number}")
        self.outbox = Outbox()
        self.emits = {}  # number → ledger.Emit, of what the outbox holds
        self.begun = 0
        self.page = None

    # --- what it emits

    def emit(self):
        self.begun += 1
        number = self.begun
        topic, id_ = self.chance.choice(self.topics), f"{self.number}-{number}"
        event = self.event(number)
        self.emits[number] = self.ledger.emitted(self.number, number, topic, id_, event)
        self.outbox.put(number, b'"topic":"%b","id":"%b","event":%b}' % (topic.encode(), id_.encode(), event))
        if self.page:
            self.page.unsent.append(number)

    def event(self, number):
        return b'{"client":%d,"n":%d,"more":"%b"}' % (self.number, number, b"x" * self.chance.randrange(200))

    def fill(self):
        """Emits as much as it may now."""
        while self.begun < self.count and len(self.outbox) < self.window:
            self.emit()

    def may_send(self, page):
        return True

    @property
    def finished(self):
        return self.begun >= self.count and not len(self.outbox)

    # --- what it is told

    def was_acknowledged(self, number, answer):
        self.ledger.was_acknowledged(self.emits.pop(number), answer)
        self.outbox.remove(number)

    def was_refused(self, number, answer):
        self.ledger.was_refused(self.emits[number], answer, self.loop.time())

    def was_refused_for_good(self, number, answer):
        self.ledger.fault(f"client {self.number} was refused for good: {answer}")
        del self.emits[number]
        self.outbox.remove(number)

    # --- pages

    def load(self):
        """Opens the page; what the outbox holds is sent again."""
        if not self.swarm.leaving:
            self.page = Page(self)
            self.fill()
            self.swarm.connecting += 1
            self.loop.create_task(self._connect(self.page))

    async def _connect(self, page):
        try:
            await self.loop.create_connection(lambda: page, "127.0.0.1", self.port)
        except OSError:
            self.page_closed(page)
        finally:
            self.swarm.connecting -= 1
        if self.swarm.leaving:
            self.reload()

    def page_closed(self, page):
        for number in page.waiting.values():
            self.ledger.was_lost(self.emits[number])
        self.page = None
        self.loop.call_later(RECONNECT_S, self.load)

    def reload(self):
        """Without a word to anybody."""
        if self.page and self.page.transport:
            self.page.transport.abort()


class PacedEmitter(Emitter):
    """Emits at a pace of its own, whatever happens: `rate` a second while the swarm is `flowing`. What it has to send it sends at
    `rate_max` a second at most, so that it comes back gently, with `window` emits unanswered or resting at most."""

    def __init__(self, *args, rate, rate_max, padding):
        super().__init__(*args)
        self.rate, self.rate_max, self.padding = rate, rate_max, padding
        self.due = self.chance.random()  # not all at the same time
        self.allowed = 0.0

    def event(self, number):
        return b'{"client":%d,"n":%d,"more":"%b"}' % (self.number, number, b"x" * self.padding)

    def fill(self):
        pass

    def may_send(self, page):
        if self.allowed < 1 or len(page.waiting) + page.resting >= self.window:
            return False
        self.allowed -= 1
        return True

    def pass_time(self, seconds):
        if self.swarm.flowing:
            self.due += seconds * self.rate
            while self.due >= 1:
                self.due -= 1
                self.emit()
        self.allowed = min(self.allowed + seconds * self.rate_max, 1 + BURST_S * self.rate_max)
        if self.page:
            self.page.flush()

    @property
    def finished(self):
        return not len(self.outbox)


class Emitters:
    """The swarm. Topics and events follow from the seed."""

    TICK_S = 0.01

    def __init__(self, ledger, seed=0):
        self.ledger, self.seed = ledger, seed
        self.loop = asyncio.new_event_loop()
        self.clients = []
        self.leaving = False
        self.flowing = False
        self.connecting = 0
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, function, *args):
        """Runs it in the loop and returns its value."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(DEADLINE)

    # --- who is there

    def join(self, gateways, clients, topics, count, window):
        """So many clients, in turns on the gateways, begin to emit; `count` events in all."""
        for number in range(clients):
            share = count // clients + (number < count % clients)
            self.clients.append(Emitter(self, number, gateways[number % len(gateways)].port, topics, share, window))
        self.call(self._load)

    def join_paced(self, gateway, clients, topics, rate, rate_max, window, padding):
        """So many clients that emit at `rate` a second together, once `flow` is called."""
        for number in range(clients):
            self.clients.append(PacedEmitter(self, number, gateway.port, topics, 0, window, rate=rate / clients,
                                             rate_max=rate_max / clients, padding=padding))
        self.call(self._load)
        self.wait_there()
        self.call(self._tick, self.loop.time())

    def _load(self):
        for client in self.clients:
            client.load()

    def wait_there(self):
        wait_until(lambda: all(client.page and client.page.open for client in self.clients), "the clients' connections")

    def _tick(self, before):
        if self.leaving:
            return
        now = self.loop.time()
        for client in self.clients:
            client.pass_time(now - before)
        self.loop.call_later(self.TICK_S, self._tick, now)

    # --- verbs

    def reload(self, clients):
        def do():
            for client in clients:
                client.reload()

        self.call(do)

    def wait_acknowledged(self, count, timeout=None):
        """In all, from the beginning."""
        wait_until(lambda: self.ledger.acknowledged >= count,
                   lambda: f"{count} acknowledgements (there are {self.ledger.acknowledged})", timeout)

    def wait_finished(self, timeout=None):
        wait_until(lambda: all(client.finished for client in self.clients), lambda: f"the acknowledgement of {self.unfinished()}",
                   timeout)

    def unfinished(self):
        """A sentence about what is missing."""
        example = next((emit for emit in list(self.ledger.emits.values()) if emit.cursor is None), None)
        return f"{self.ledger.missing} of {len(self.ledger.emits)} emits, such as {example}"

    def done(self):
        self.leaving = True

        def cut():
            for client in self.clients:
                client.reload()

        self.call(cut)
        wait_until(lambda: not self.connecting and all(client.page is None for client in self.clients), "the end of the emitters")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE)
        self.loop.close()
