"""The library's connection and its subscriptions: it comes back by itself, and nothing is missed or doubled."""

import random
import threading

import pytest
from browser import event

SUBSCRIBE = """
  const [name, topic, options] = arguments;
  window.subs ??= {};
  window.got ??= [];
  const note = (what) => (message) => got.push([name, what, message.op ? message : asError(message)]);
  subs[name] = gate.subscribe(topic, {
    ...options, onEvent: note('event'), onGap: note('gap'), onStale: note('stale'), onLive: note('live'),
    onCaughtUp: note('caught_up'), onConflated: note('conflated'), onError: note('error'),
  });
"""


def subscribe(app, name, topic, **options):
    app.script(SUBSCRIBE, name, topic, options)


def wait_subscribed(app, name, state="live"):
    app.wait(lambda: app.script("return subs[arguments[0]].state", name) == state,
             lambda: f"{name} {state}: {app.script('return subs[arguments[0]].state', name)}, {got(app)[-3:]}")


def got(app, name=None, what=None):
    return [entry for entry in app.script("return got") if name in (None, entry[0]) and what in (None, entry[1])]


def numbers(app, name):
    return [message["event"]["n"] for _, _, message in got(app, name, "event")]


def wait_numbers(app, name, expected):
    app.wait(lambda: len(numbers(app, name)) >= len(expected), lambda: f"{len(expected)} events: {got(app)[-5:]}")
    assert numbers(app, name) == list(expected)


def add(redis, topic, numbers_):
    for n in numbers_:
        redis.client().xadd(topic, {"event": event(n=n)})


# --- the connection


def test_states(app, gateway):
    app.open()
    app.wait_state("live")
    gateway.kill9()
    app.wait_state("waiting")
    gateway.start()
    app.wait_state("live")
    app.driver.execute_async_script("gate.close().then(arguments[0])")
    states = app.script("return states")
    assert states[:3] == ["live", "waiting", "connecting"] and states[-2:] == ["live", "closed"], states


def test_a_goodbye_is_respected(app, make_fake_gateway):
    fake = make_fake_gateway()
    app.open(fake.url)
    app.wait_state("live")
    fake.say({"op": "goodbye", "reason": "restart", "reconnect_ms": 600000})
    fake.cut(1012)
    app.wait_state("waiting")
    assert 500000 < app.script("return waitMs") <= 600000 and fake.sessions == 1
    app.script("gate.reconnect()")
    app.wait_state("live")
    assert fake.sessions == 2


@pytest.mark.parametrize("wake", ["dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))",
                                  "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"])
def test_no_more_waiting_when_there_is_hope(app, make_fake_gateway, wake):
    fake = make_fake_gateway()
    app.open(fake.url)
    app.wait_state("live")
    fake.say({"op": "goodbye", "reason": "restart", "reconnect_ms": 600000})
    fake.cut(1012)
    app.wait_state("waiting")
    app.script(wake)
    app.wait_state("live")


def test_a_dead_connection_is_noticed_when_the_network_goes(app, make_fake_gateway):
    fake = make_fake_gateway()
    app.open(fake.url)
    app.wait_state("live")
    fake.deaf = True
    app.script("dispatchEvent(new Event('offline'))")
    app.wait(lambda: "waiting" in app.script("return states"), "the break")
    fake.deaf = False
    app.wait_state("live")


def test_a_final_close_ends_it_until_somebody_asks(app, make_fake_gateway):
    fake = make_fake_gateway(lambda command, gateway: None)
    app.open(fake.url)
    app.emit("a", 1, "one")
    app.wait(fake.emits, "the emit")
    fake.cut(4403)
    app.wait_state("stopped")
    assert app.size == 1 and app.told() == []
    fake.handler = lambda command, gateway: gateway.append(command)
    app.script("gate.reconnect()")
    app.wait_result("one")


def test_an_address_that_is_none(app):
    app.open()
    with pytest.raises(Exception, match="Invalid URL"):
        app.script("return import('/client/headgate.js').then(({ connect }) => connect('ws://['))")


def test_attempts_are_spread(app, make_fake_gateway):
    waits = app.open().driver.execute_async_script("""
      const done = arguments[0];
      import('/client/backoff.js').then(({ Backoff }) => {
        const spans = [];
        for (let i = 0; i < 300; i += 1) {
          const backoff = new Backoff({ firstMs: 100, ceilingMs: 1000 });
          spans.push([0, 0, 0, 0, 0, 0].map(() => backoff.nextMs(50)));
        }
        done(spans);
      });""")
    for n, span in enumerate([100, 200, 400, 800, 1000, 1000]):
        column = [row[n] for row in waits]
        assert min(column) < 50 + span * 0.1 and max(column) > 50 + span * 0.9 and 50 <= min(column) and max(column) <= 50 + span


# --- the same session


@pytest.mark.parametrize("knows_hello", [True, False])
def test_hello_comes_first_after_a_break(app, make_fake_gateway, knows_hello):
    fake = make_fake_gateway(lambda command, gateway: gateway.append(command) if command["session"] != "session-1" else None)
    fake.knows_hello = knows_hello
    app.open(fake.url)
    app.emit("a", 1, "quiet", echo=False)
    app.wait(fake.emits, "the emit")
    assert [command["op"] for command in fake.commands] == ["emit"] and '"echo":false' in fake.emits()[0]["raw"]
    fake.cut()
    app.wait_result("quiet")
    second = [command for command in fake.commands if command["session"] == "session-2"]
    assert (second[0]["op"], second[0]["named"]) == ("hello", "session-1")
    assert '"echo":false' in second[1]["raw"]
    fake.cut()
    app.wait(lambda: fake.sessions == 3 and app.state == "live", "the third session")
    app.wait(lambda: [c["named"] for c in fake.commands if c["op"] == "hello"] == ["session-1"] * 2, lambda: fake.commands)
    # A later page did not show the event itself: it gets it.
    fake.handler = lambda command, gateway: None
    app.emit("a", 2, "later", echo=False)
    app.emit("a", 3, "loud")
    app.wait(lambda: fake.emits(id="later"), "the emit")
    app.wait_stored()
    fake.handler = lambda command, gateway: gateway.append(command)
    app.reload()
    app.wait_told("ack", "loud")
    assert ['"echo"' in command["raw"] for command in fake.emits() if command["id"] != "quiet"] == [True, False, False]
    assert [command["op"] for command in fake.commands if command["session"] == "session-4"][0] == "emit"


def test_the_gateway_of_today(app, gateway, redis):
    """Whatever it knows of hello and echo: what is emitted is acknowledged, also after a break."""
    app.open()
    app.emit("st.a", 1, "one", echo=False)
    app.wait_result("one")
    gateway.kill9()
    gateway.start()
    app.emit("st.a", 2, "two", echo=False)
    app.wait_result("two")


# --- subscriptions


def test_events_come(app, redis):
    app.open()
    subscribe(app, "s", "st.*", filter="n > 1")
    subscribe(app, "c", "ch.a")
    wait_subscribed(app, "s")
    wait_subscribed(app, "c")
    add(redis, "st.a", [1, 2, 3])
    redis.client().publish("ch.a", "plain words")
    wait_numbers(app, "s", [2, 3])
    first = got(app, "s", "event")[0][2]
    assert first["topic"] == "st.a" and "~" in first["cursor"]
    app.wait(lambda: got(app, "c", "event"), "the message of the channel")
    assert got(app, "c", "event")[0][2]["text"] == "plain words"


def test_the_past(app, redis):
    add(redis, "st.a", range(5))
    app.open()
    subscribe(app, "all", "st.a", **{"from": "start"})
    subscribe(app, "few", "st.*", **{"from": {"last": 2}})
    wait_numbers(app, "all", range(5))
    wait_numbers(app, "few", [3, 4])
    app.wait(lambda: got(app, "all", "caught_up") and got(app, "few", "caught_up"), "both caught up")


class Publisher(threading.Thread):
    """Adds entries in turn, without a pause, until it is told to stop or has added enough."""

    TOPICS = ["st.a", "st.b", "st.c"]

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.client = redis.client()
        self.enough = threading.Event()
        self.count = 0
        self.start()

    def run(self):
        while not self.enough.wait(0.002) and self.count < 4000:
            self.client.xadd(self.TOPICS[self.count % 3], {"event": event(n=self.count)})
            self.count += 1

    def stop(self):
        self.enough.set()
        self.join()


def test_everything_once_whatever_breaks_while_events_come(app, gateway, road, redis):
    app.open()
    for name in ("st.*", *Publisher.TOPICS):
        subscribe(app, name, name)
        wait_subscribed(app, name)
    publisher = Publisher(redis)
    chance = random.Random(3)

    def restart():
        gateway.kill9()
        gateway.start()

    for _ in range(8):
        come = app.script("return got.length")
        # The longer it takes the more would be missed, but this is no test of patience.
        app.wait(lambda: app.script("gate.reconnect(); return got.length") > come + 100, "some events")  # noqa: B023
        chance.choice([road.cut, restart])()
    publisher.stop()
    app.script("gate.reconnect()")
    app.wait(lambda: len(got(app, "st.*", "event")) >= publisher.count, "all events")
    for i, topic in enumerate(Publisher.TOPICS):
        expected = list(range(i, publisher.count, 3))
        app.wait(lambda: len(got(app, topic, "event")) >= len(expected), "all events")  # noqa: B023
        assert numbers(app, topic) == expected
        assert [m["event"]["n"] for _, _, m in got(app, "st.*", "event") if m["topic"] == topic] == expected
    assert got(app, what="gap") == [] and got(app, what="error") == []


def test_a_gap_is_told(app, gateway, redis):
    app.open()
    subscribe(app, "s", "st.a")
    wait_subscribed(app, "s")
    add(redis, "st.a", range(3))
    wait_numbers(app, "s", range(3))
    gateway.kill9()
    redis.client().delete("st.a")
    add(redis, "st.a", [100])
    gateway.start()
    wait_numbers(app, "s", [0, 1, 2, 100])
    assert [m["reason"] for _, _, m in got(app, "s", "gap")] == ["gone"]


def test_stale_and_live(app, redis):
    app.open()
    subscribe(app, "s", "st.a")
    wait_subscribed(app, "s")
    redis.pause()
    wait_subscribed(app, "s", "stale")
    redis.resume()
    wait_subscribed(app, "s")
    assert [what for _, what, _ in got(app)] == ["stale", "live"]


def test_another_filter(app, redis, gateway):
    app.open()
    subscribe(app, "s", "st.a", filter="n < 10")
    wait_subscribed(app, "s")
    add(redis, "st.a", [1, 20])
    wait_numbers(app, "s", [1])
    update = "const done = arguments[1]; subs.s.update(arguments[0]).then(() => done('ok'), (error) => done(error.code))"
    assert app.driver.execute_async_script(update, "n >= 10") == "ok"
    add(redis, "st.a", [2, 30])
    wait_numbers(app, "s", [1, 30])
    assert app.driver.execute_async_script(update, "n >=") == 120
    assert app.script("return subs.s.filter") == "n >= 10"
    gateway.kill9()
    app.wait_state("waiting")
    assert app.driver.execute_async_script(update, None) == "ok"
    gateway.start()
    wait_subscribed(app, "s")
    add(redis, "st.a", [3])
    wait_numbers(app, "s", [1, 30, 3])


def test_another_filter_before_the_first_is_answered(app, make_fake_gateway):
    fake = make_fake_gateway()
    app.open(fake.url)
    app.wait_state("live")
    app.script(SUBSCRIBE + "subs[name].update('n > 5')", "s", "st.a", {"filter": "n > 2"})
    app.wait(lambda: len(fake.commands) == 2, lambda: fake.commands)
    assert [(c["op"], c["filter"], c.get("sub")) for c in fake.commands] == [("subscribe", "n > 2", None), ("update", "n > 5", 1)]
    assert app.script("return subs.s.filter") == "n > 5"


@pytest.mark.parametrize("topic, options, code", [("st.a", {"filter": "n >"}, 120), ("nobody.knows", {}, 102), ("st.**.x", {}, 107)])
def test_a_refusal_is_told(app, topic, options, code):
    app.open()
    subscribe(app, "s", topic, **options)
    wait_subscribed(app, "s", "refused")
    assert [m["code"] for _, _, m in got(app, "s", "error")] == [code]


def test_nothing_comes_after_close(app, redis):
    app.open()
    for name, topic in (("s", "st.a"), ("end", "st.*")):
        subscribe(app, name, topic)
        wait_subscribed(app, name)
    app.script("subs.s.close()")
    add(redis, "st.a", [1])
    wait_numbers(app, "end", [1])
    assert got(app, "s") == []
    subscribe(app, "again", "st.a", **{"from": "start"})
    wait_numbers(app, "again", [1])


CLOSED_AND_AGAIN = """
  const note = (name) => ({ event }) => got.push([name, 'event', { event }]);
  window.subs = {};
  const open = (name, topic, from) => { subs[name] = gate.subscribe(topic, { from, onEvent: note(name) }); };
  const [how, done] = arguments;
  open('first', 'st.a', 'live');
  const go = () => {
    open('other', 'st.b', 'live');
    if (how === 'overlapping') open('second', 'st.a', 'live');
    subs.first.close();
    if (how !== 'overlapping') open('second', 'st.a', 'start');
    done();
  };
  const poll = () => (subs.first.state === 'live' ? go() : setTimeout(poll, 1));
  if (how === 'under way') go();
  else poll();
"""


@pytest.mark.parametrize("how", ["answered", "under way", "overlapping"])
def test_closed_and_subscribed_again_at_once(app, redis, how):
    add(redis, "st.a", [1, 2])
    app.open()
    app.wait_state("live")
    app.driver.execute_async_script(CLOSED_AND_AGAIN, how)
    wait_subscribed(app, "second")
    wait_subscribed(app, "other")
    # Whatever was unsubscribed meanwhile is so now.
    app.driver.execute_async_script("const done = arguments[0]; subs.other.update('n > 0').then(done)")
    add(redis, "st.a", [3])
    app.wait(lambda: 3 in numbers(app, "second"), lambda: got(app))
    if how == "answered":
        assert numbers(app, "second") == [1, 2, 3]
    assert got(app, "first") == []


def test_the_same_twice_is_refused(app, redis):
    app.open()
    subscribe(app, "s", "st.a", filter="n > 1")
    subscribe(app, "twin", "st.a", filter="n>1")
    wait_subscribed(app, "s")
    wait_subscribed(app, "twin", "closed")
    assert [m["reason"] for _, _, m in got(app, "twin")] == ["already_subscribed"]
    add(redis, "st.a", [2])
    wait_numbers(app, "s", [2])


def test_thinned(app, redis):
    app.open()
    subscribe(app, "s", "st.a", rate=1)
    wait_subscribed(app, "s")
    add(redis, "st.a", range(50))
    app.wait(lambda: got(app, "s", "conflated") and numbers(app, "s")[-1] == 49, lambda: got(app))
    assert sum(m["count"] for _, _, m in got(app, "s", "conflated")) + len(numbers(app, "s")) == 50


def test_everything_that_comes_can_be_looked_at(app, make_fake_gateway):
    app.open(make_fake_gateway().url)
    text = app.driver.execute_async_script("""
      const [url, done] = arguments;
      import('/client/headgate.js').then(({ connect }) => connect(url, { onMessage: (message, text) => done([message, text]) }));""", app.server)
    assert text[0]["op"] == "welcome" and '"op": "welcome"' in text[1]


# --- places


def test_places(app):
    """Where a subscription goes on, by what it had; web/docs/protocol.md, "Coming back"."""
    app.open()
    cases = app.driver.execute_async_script("""
      const done = arguments[0];
      import('/client/place.js').then(({ Place }) => {
        const at = (from, ...steps) => {
          const place = new Place(from);
          for (const [name, ...facts] of steps) place[name](...facts);
          return place.from();
        };
        const begun = ['begin', { cursor: '5-0~a' }, 't'];
        const event = ['note', 't', '6-0~b'];
        const many = new Place('live');
        for (let i = 0; i < 1500; i += 1) many.note(`t${i}`, `${i}-0~a`);
        done({
          nothing: at('live'),
          stood: at('live', begun),
          event: at('live', begun, event),
          again: at('live', begun, event, ['begin', { cursor: '9-0~c' }, 't']),
          channel: at('live', ['begin', {}, 't'], ['note', 't', undefined]),
          pattern: at('live', ['begin', { since: 7 }, 't.*']),
          start: at('start', begun),
          startOn: at('start', begun, event),
          startDone: at('start', begun, ['arrive']),
          last: at({ last: 3 }, ['begin', { since: 7 }, 't.*'], event),
          lastDone: at({ last: 3 }, ['begin', { since: 7 }, 't.*'], event, ['arrive']),
          since: at({ since: 3, speed: 2 }, begun, event),
          cursors: at({ cursors: { t: '1-0~a' }, otherwise: 'start' }, begun),
          gone: at('live', begun, event, ['miss', 't', 'gone']),
          trimmed: at('live', begun, event, ['miss', 't', 'trimmed']),
          many: Object.keys(many.from().cursors).length,
          room: Object.keys(many.from(100).cursors),
        });
      });""")
    t5, t6 = {"t": "5-0~a"}, {"t": "6-0~b"}
    assert cases == {
        "nothing": "live",
        "stood": {"cursors": t5, "otherwise": "live"},
        "event": {"cursors": t6, "otherwise": "live"},
        "again": {"cursors": t6, "otherwise": "live"},
        "channel": "live",
        "pattern": {"cursors": {}, "otherwise": {"since": 7}},
        "start": "start",
        "startOn": {"cursors": t6, "otherwise": "start"},
        "startDone": {"cursors": t5, "otherwise": "live"},
        "last": {"last": 3},
        "lastDone": {"cursors": t6, "otherwise": {"since": 7}},
        "since": {"cursors": t6, "otherwise": {"since": 3}, "speed": 2},
        "cursors": {"cursors": {"t": "1-0~a"}, "otherwise": "start"},
        "gone": {"cursors": {"t": "0-0"}, "otherwise": "live"},
        "trimmed": {"cursors": t6, "otherwise": "live"},
        "many": 1000,
        "room": ["t1499", "t1498", "t1497", "t1496", "t1495"],
    }


# --- types


def test_the_types_name_what_is_there(app, make_fake_gateway):
    """Members of the interfaces against those of the objects; what TypeScript makes of it is for the eye."""
    app.open(make_fake_gateway().url)
    types = app.driver.execute_async_script("fetch('/client/headgate.d.ts').then((answer) => answer.text()).then(arguments[0])")
    app.emit("a", 1, "one")
    app.wait_result("one")
    app.script("gate.subscribe('a')")
    there = app.script("""
      const members = (object) => [...new Set([...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))])]
        .filter((name) => name !== 'constructor' && !(name in Object.prototype)).sort();
      const outbox = gate.outbox;
      const promise = gate.emit('a', 1);
      return { Gate: members(gate), Outbox: members(outbox), Subscription: members(gate.subscribe('b')), Emit: members(outbox.list()[0]) };""")
    for name, members in there.items():
        body = types.split(f"export interface {name} {{")[1].split("\n}")[0]
        declared = {line.strip().removeprefix("readonly ").split("(")[0].split(":")[0].rstrip("?") for line in body.splitlines()
                    if line.strip() and not line.strip().startswith(("/", "*"))}
        assert sorted(declared) == members, name
