"""The page comes back after a break: it goes on where it was, shows everything once, and says what is missing and what to do."""

import signal
import threading

import pytest
from browser import event


def add(redis, topic, first, last):
    pipe = redis.client().pipeline(transaction=False)
    for n in range(first, last + 1):
        pipe.xadd(topic, {"event": event(n=n)})
    return pipe.execute()


def shown(page, topic):
    """The numbers in the list, the oldest first."""
    rows = [row for row in page.rows() if row[0] == topic]
    return [int(row[1].split(":")[1].rstrip(" }")) for row in reversed(rows)]


def block(page, road):
    """Nobody gets through until unblock()."""
    page.excused = ["WebSocket connection to"]
    target, road.target = road.target, 1
    road.cut()
    page.wait_state("Reconnecting")
    return target


def unblock(page, road, target):
    road.target = target
    page.click("#state-retry")
    page.wait_state("Live")


def test_a_cut_while_events_come(page, road, redis):
    page.open([("sub", "st.a")])
    page.wait_subscribed("st.a")
    for first in range(1, 200, 20):
        add(redis, "st.a", first, first + 9)
        road.cut()
        add(redis, "st.a", first + 10, first + 19)
        page.excused = ["WebSocket connection to"]
        page.wait_received(first + 19)
    page.wait_row("Note", "events caught up, none missed.")
    assert page.received() == 200
    page.click("#clear")
    add(redis, "st.a", 201, 201)
    page.wait_received(201)


def test_everything_once_while_a_gateway_is_killed(page, gateway, redis):
    page.excused = ["WebSocket connection to"]
    page.open([("sub", "st.a")])
    page.wait_subscribed("st.a")
    add(redis, "st.a", 1, 3)
    page.wait_received(3)
    gateway.kill9()
    page.wait_state("Reconnecting")
    add(redis, "st.a", 4, 12)
    gateway.start()
    page.wait_state("Live")
    add(redis, "st.a", 13, 15)
    page.wait_received(15)
    page.wait_row("Note", "caught up, none missed.")
    assert shown(page, "st.a") == list(range(1, 16))
    assert [row[0] for row in page.rows()].count("Note") == 2
    page.wait_row("Note", "The connection was lost here, for ")
    assert page.text("#count-gaps") == "0"


# The browser itself tells of scrolling with the next frame only.
SCROLL = """
  const scroll = (by) => {
    document.querySelector('#event-list').scrollTop += by;
    document.querySelector('#event-list').dispatchEvent(new Event('scroll'));
  };
"""


def all_shown(page):
    """[topic, n] of every event in the list, the oldest first, read from top to bottom as a person would."""
    page.script(SCROLL + "scroll(-1e9)")
    found = {}
    while True:
        rows, end = page.script(
            SCROLL + """const list = document.querySelector('#event-list');
               const rows = [...document.querySelectorAll('#event-rows .row[data-kind="event"]')]
                 .map((row) => [Number(row.dataset.seq), row.querySelector('.row-topic').textContent, row.querySelector('.row-text').textContent]);
               const end = list.scrollTop + list.clientHeight >= list.scrollHeight - 1;
               scroll(list.clientHeight);
               return [rows, end];""")
        found.update((seq, [topic, int(text.split(":")[1].rstrip(" }"))]) for seq, topic, text in rows)
        if end:
            return [found[seq] for seq in sorted(found)]


class Publisher(threading.Thread):
    """Adds entries to some streams in turn, without a pause, until it is told to stop or has added enough."""

    TOPICS = ["st.a", "st.b", "st.c"]
    ENOUGH = 4500

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.client = redis.client()
        self.enough = threading.Event()
        self.count = 0
        self.start()

    def run(self):
        while not self.enough.wait(0.002) and self.count < self.ENOUGH:
            self.client.xadd(self.TOPICS[self.count % 3], {"event": event(n=self.count)})
            self.count += 1

    def stop(self):
        self.enough.set()
        self.join()


@pytest.mark.parametrize("subscribed", [["st.*"], Publisher.TOPICS], ids=["pattern", "topics"])
def test_everything_once_whatever_breaks_while_events_come(page, gateway, road, redis, subscribed):
    page.excused = ["WebSocket connection to"]
    page.open([("sub", topic) for topic in subscribed])
    for topic in subscribed:
        page.wait_subscribed(topic)
    publisher = Publisher(redis)
    for break_it in (road.cut, lambda: gateway.end_with(signal.SIGTERM), road.cut, gateway.kill9):
        come = page.received()
        page.wait_received(come + 50)
        break_it()
        page.wait(lambda: page.text("#state-name") != "Live" or page.received() > come + 500, "the break")
        if not gateway.alive():
            gateway.start()
        page.wait_state("Live")
    page.wait_received(page.received() + 50)
    publisher.stop()
    page.wait_received(publisher.count)
    events = all_shown(page)
    assert sorted(n for _, n in events) == list(range(publisher.count))
    for i, topic in enumerate(Publisher.TOPICS):
        assert [n for t, n in events if t == topic] == list(range(i, publisher.count, 3))
    assert page.text("#count-gaps") == "0"
    # The breaks were there to be seen, and nothing was missed in any of them.
    page.fill("#filter", "reconnected")
    page.wait_text("#events-status", "4 of ")
    assert all("caught up, none missed" in words for _, words in page.rows()), page.rows()


def test_nothing_came_meanwhile(page, road, redis):
    add(redis, "st.a", 1, 2)
    page.open([("sub", "st.a"), ("sub", "st.*")])
    page.wait_subscribed("st.a")
    page.wait_subscribed("st.*")
    # What the pattern has of the past need not come again once its connection has stood a while.
    begun = page.script("return performance.now()")
    page.wait(lambda: page.script("return performance.now()") > begun + 1500, "some time")
    unblock(page, road, block(page, road))
    page.wait_row("Note", "nothing new, none missed on streams.")
    assert page.received() == 0
    assert len(page.rows()) == 1
    page.wait_text("#announcer", "Reconnected after")


def test_only_channels(page, road, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    target = block(page, road)
    redis.client().publish("ch.a", event(n=1))
    unblock(page, road, target)
    page.wait_row("Break", "What channels carried meanwhile on ch.* is not known: they keep nothing.")
    assert page.received() == 0


def test_the_place_in_ok_is_enough(page, road, redis):
    page.open([("sub", "st.empty")])
    page.wait_subscribed("st.empty")
    target = block(page, road)
    add(redis, "st.empty", 1, 3)
    unblock(page, road, target)
    page.wait_row("Note", "Reconnected; 3 events caught up, none missed.")
    assert shown(page, "st.empty") == [1, 2, 3]


def make_anew(redis, ids):
    redis.client().delete("st.a")
    add(redis, "st.a", 100, 101)


def roll_back(redis, ids):
    redis.client().delete("st.a")
    redis.client().xadd("st.a", {"event": event(n=50)}, id=ids[-1])
    add(redis, "st.a", 100, 101)


GAPS = [
    (lambda redis, ids: (add(redis, "st.a", 4, 99), redis.client().xtrim("st.a", maxlen=2, approximate=False)),
     "missed on st.a: the stream was trimmed before they could be read. Fetch the present state", [98, 99]),
    (lambda redis, ids: redis.client().xdel("st.a", ids[-1], add(redis, "st.a", 99, 101)[0]),
     "missed on st.a: they were deleted from the stream. Usually nothing is to be done", [100, 101]),
    (make_anew, "The stream of st.a was deleted, flushed or made anew: there is no history to go on from. Fetch the present state.", [100, 101]),
    (roll_back, "The history of st.a was rewritten, as by a failover", [100, 101]),
]


@pytest.mark.parametrize("change, says, then", GAPS, ids=["trimmed", "deleted", "gone", "rolled_back"])
def test_what_is_missing_is_told(page, gateway, redis, change, says, then):
    page.excused = ["WebSocket connection to"]
    page.open([("sub", "st.a")])
    page.wait_subscribed("st.a")
    ids = add(redis, "st.a", 1, 3)
    page.wait_received(3)
    gateway.end_with(signal.SIGTERM, check=True)
    page.wait_state("Reconnecting")
    change(redis, ids)
    gateway.start()
    page.wait_row("Gap", says)
    page.wait_row("Break", "Something is missing: 1 gap, told below.")
    page.wait(lambda: shown(page, "st.a")[-2:] == then, lambda: page.rows())
    assert "1 gap" in page.subscription("st.a")["facts"]
    page.select_row(says.split(":")[0])
    assert page.text("#inspector-title") == "Gap on st.a"
    assert page.text("#inspector-words") + " " + page.text("#inspector-advice") == page.wait_row("Gap", says)[1]


def test_a_stream_that_is_gone_is_told_once(page, gateway, road, redis):
    page.open([("sub", "st.a")])
    page.wait_subscribed("st.a")
    add(redis, "st.a", 1, 3)
    page.wait_received(3)
    target = block(page, road)
    redis.client().delete("st.a")
    unblock(page, road, target)
    page.wait_row("Gap", "The stream of st.a was deleted")
    target = block(page, road)
    add(redis, "st.a", 7, 8)
    unblock(page, road, target)
    page.wait_row("Note", "2 events caught up, none missed.")
    assert shown(page, "st.a") == [1, 2, 3, 7, 8]
    assert page.text("#count-gaps") == "1"


@pytest.mark.settings(event_bytes_max=1024)
def test_overflow_is_told(page, redis):
    page.open([("sub", "ch.a")])
    page.wait_subscribed("ch.a")
    redis.client().publish("ch.a", event(pad="x" * 2000))
    page.wait_row("Gap", "1 event missed on ch.a: they came faster than this page took them, or were larger than the gateway’s limits. Fetch the present state.")


def test_stale_and_live_are_shown_where_they_belong(page, redis):
    page.open([("sub", "st.a"), ("sub", "ch.a")])
    page.wait_subscribed("st.a")
    page.wait_subscribed("ch.a")
    redis.pause()
    page.wait_subscribed("st.a", "Stale")
    page.wait_text(".sub-proof", "Not proven alive since")
    redis.resume()
    page.wait_subscribed("st.a")
    page.wait_subscribed("ch.a")
    add(redis, "st.a", 1, 1)
    page.wait_received(1)
    assert page.texts(".sub-proof") == ["", ""]
