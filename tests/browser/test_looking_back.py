"""Replays on the page: from a time, at a pace, paused, taken back; and what is left out on request."""

import time

import pytest
from browser import event
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from test_page import CONTRASTS, NEED_NAMES

MINUTE = 60000


def now_ms():
    return int(time.time() * 1000)


def history(redis, topic, ages_ms):
    """One entry for each age, the oldest first; {"n"} counts from 1. Returns the time that the ages count from."""
    now = now_ms()
    for n, age in enumerate(ages_ms, 1):
        redis.client().xadd(topic, {"event": event(n=n)}, id=f"{now - age}-0")
    return now


def numbers(page, topic):
    return [int(row[1].split(":")[1].rstrip(" }")) for row in reversed(page.rows()) if row[0] == topic]


def wait_at(page, part):
    page.wait_text(".playback-at", part)


def test_since(page, redis):
    history(redis, "st.a", [3 * 24 * 60 * MINUTE, 40 * MINUTE, 10 * MINUTE, 5 * MINUTE])
    page.open()
    page.fill("#subscribe-topic", "st.a")
    page.choose("from", "since")
    page.wait_text("#since-hint", " on this computer")
    page.fill("input[name=since]", "half past")
    page.wait_text("#since-hint", "Such as 15m")
    page.click("#subscribe-form .main")
    page.wait_text("#since-fault", "This is no time.")
    assert page.script("return document.activeElement.name") == "since"
    page.fill("input[name=since]", "15m")
    page.keys(Keys.ENTER)
    page.wait_received(2)
    assert numbers(page, "st.a") == [3, 4]
    assert "since " in page.subscription("st.a")["facts"] and not page.shown(".playback")
    page.wait(lambda: page.script("return location.search").startswith("?sub=st.a&from=since:20"), lambda: page.script("return location.search"))
    page.driver.refresh()
    page.wait_received(2)


@pytest.mark.parametrize("text, expected", [
    ("90s", "now - 90000"), ("2 h ago", "now - 7200000"), ("1.5d", "now - 129600000"), ("1700000000000", "1700000000000"),
    ("2026-11-23T10:00:00Z", "Date.UTC(2026, 10, 23, 10)"), ("2026-11-23 10:00:00.250+02:00", "Date.UTC(2026, 10, 23, 8, 0, 0, 250)"),
    ("2026-11-23 10:00", "+new Date(2026, 10, 23, 10)"), ("2026-02-29", "NaN"), ("2024-02-29", "+new Date(2024, 1, 29)"),
    ("10:30", "+new Date(2026, 10, 24, 10, 30)"), ("23:59:59", "+new Date(2026, 10, 23, 23, 59, 59)"), ("24:00", "NaN"), ("", "NaN"), ("5", "NaN"),
])
def test_times_as_they_are_typed(page, text, expected):
    page.open()
    got = page.driver.execute_async_script(
        """const [text, expected, done] = arguments;
           import('./moment.js').then(({momentRead}) => {
             const now = +new Date(2026, 10, 24, 12);
             const ms = {'NaN': NaN}[expected] ?? 0;
             done([String(momentRead(text, now)), text]);
           });""", text, expected)
    wanted = page.script(f"const now = +new Date(2026, 10, 24, 12); return String({expected})")
    assert got == [wanted, text]


def test_a_replay_is_paused_and_resumed_and_taken_back(page, redis):
    history(redis, "st.a", [30 * MINUTE + 1000, 30 * MINUTE, 20 * MINUTE])
    page.open()
    page.subscribe("st.a", "since", since="31m", speed=1)
    page.wait_received(2)
    wait_at(page, "Replaying at ")
    assert page.subscription("st.a")["facts"].count("at 1×") == 1
    page.click(".playback button")
    wait_at(page, "Paused at ")
    # At a thousand times the pace ten minutes are over at once; but not while it stands still.
    Select(page.find(".playback select")).select_by_visible_text("1,000×")
    redis.client().xadd("st.b", {"event": event(n=1)})
    page.subscribe("st.b", "start")
    page.wait_row("st.b", "1")
    assert numbers(page, "st.a") == [1, 2]
    page.click(".playback button")
    page.wait_row("st.a", '"n": 3')
    # Nothing more to come: it meets the present in a second or two.
    wait_at(page, "Caught up")
    page.wait_row("Note", "The replay of st.a has met the present.")
    assert not page.shown(".playback-line button")
    assert page.text("#count-subscriptions") == "2"
    page.click("#clear")
    Select(page.find(".playback select[aria-label^='How far']")).select_by_visible_text("10 min")
    page.click('button[aria-label="Jump back on st.a"]')
    page.wait_row("Note", "st.a goes on from ")
    page.wait(lambda: numbers(page, "st.a") == [2, 3], lambda: page.rows())


def test_a_replay_survives_a_restart(page, gateway, redis):
    page.excused = ["WebSocket connection to"]
    history(redis, "st.a", [30 * MINUTE + 1000, 30 * MINUTE, 20 * MINUTE, 1000])
    page.open([("sub", "st.a"), ("from", "start@1")])
    page.wait_received(2)
    page.click(".playback button")
    wait_at(page, "Paused at ")
    gateway.kill9()
    page.wait_state("Reconnecting")
    gateway.start()
    page.wait_state("Live")
    page.wait_subscribed("st.a")
    page.wait_row("Note", "What was under way on st.a goes on.")
    page.wait_text("#answers-list", "pause")
    assert page.text(".playback-at").startswith("Paused at ")
    Select(page.find(".playback select")).select_by_visible_text("1,000×")
    page.click(".playback button")
    wait_at(page, "Caught up")
    assert numbers(page, "st.a") == [1, 2, 3, 4]


def test_seek_is_refused_for_channels(page):
    page.open([("sub", "ch.a"), ("from", "start@2")])
    page.wait_subscribed("ch.a")
    wait_at(page, "Caught up")
    assert not page.find('button[aria-label="Jump back on ch.a"]').is_enabled()


def test_latest_of_a_key(page, redis):
    page.open()
    page.subscribe("ch.prices", key="data.symbol", every=60000)
    page.wait_subscribed("ch.prices")
    assert "latest of each data.symbol every 60,000 ms" in page.subscription("ch.prices")["facts"]
    assert page.script("return location.search") == "?sub=ch.prices&thin=latest:60000:data.symbol"
    pipeline = redis.client().pipeline(transaction=False)
    for n in range(1000):
        pipeline.publish("ch.prices", event(n=n, data={"symbol": "BTC" if n % 2 else "ETH"}))
    pipeline.execute()
    page.driver.refresh()
    page.wait_subscribed("ch.prices")
    # A shorter one beside it: the two are different subscriptions.
    page.subscribe("ch.prices", key="data.symbol", every=20)
    page.wait(lambda: page.text("#count-subscriptions") == "2", "both")
    redis.client().publish("ch.prices", event(n=1000, data={"symbol": "BTC"}))
    page.wait_row("ch.prices", "1000")
    for n in range(1001, 1101):
        redis.client().publish("ch.prices", event(n=n, data={"symbol": "BTC"}))
    page.wait_row("ch.prices", "1100")
    page.wait(lambda: any("left out" in facts for facts in page.texts(".sub-facts")), lambda: page.texts(".sub-facts"))


def test_a_rate(page, redis):
    page.open()
    page.subscribe("st.a", rate=2)
    page.wait_subscribed("st.a")
    assert "at most 2/s" in page.subscription("st.a")["facts"]
    pipeline = redis.client().pipeline(transaction=False)
    for n in range(3000):
        pipeline.xadd("st.a", {"event": event(n=n)})
    pipeline.execute()
    page.wait_row("st.a", "2999")
    page.wait(lambda: "2,99" in page.subscription("st.a")["facts"] and "left out" in page.subscription("st.a")["facts"],
              lambda: page.subscription("st.a"))
    assert int(page.subscription("st.a")["facts"].split(" ")[0]) + int(page.subscription("st.a")["facts"].split(" · ")[1].split(" ")[0].replace(",", "")) == 3000


@pytest.mark.parametrize("filter", ["", "n > 1"])
def test_a_key_that_is_none_is_mended_where_it_was_typed(page, filter):
    page.open()
    if filter:
        page.fill("#subscribe-filter", filter)
    page.subscribe("ch.a", key="data.x =")
    page.wait_text("#key-fault", "Column 9: ")
    page.wait(lambda: page.subscription("ch.a") is None, "no row")
    assert page.text("#subscribe-filter-fault") == ""
    assert page.script("return document.activeElement.name") == "key"
    page.keys(Keys.END, " 2", Keys.ENTER)
    page.wait_subscribed("ch.a")


def test_what_is_folded_away_is_said(page):
    page.open()
    assert page.text("#subscribe-more-sum") == "replay speed, leave out"
    page.subscribe("st.a", "start", speed=10, key="data.symbol")
    page.wait_subscribed("st.a")
    page.click("#subscribe-more summary")
    page.wait_text("#subscribe-more-sum", "at 10×, latest of each data.symbol every 200 ms")
    page.driver.refresh()
    page.wait_subscribed("st.a")
    page.wait_text("#subscribe-more-sum", "at 10×, latest of each data.symbol every 200 ms")
    assert page.script("return document.querySelector('#subscribe-more').open")
    page.fill("input[name=speed]", "5000")
    page.click("#subscribe-form .main")
    page.wait_text("#subscribe-fault", "is subscribed already")
    page.fill("#subscribe-topic", "st.b")
    page.click("#subscribe-form .main")
    page.wait_text("#speed-fault", "A number from 0.01 to 1,000.")


def test_by_keyboard_alone(page, redis):
    history(redis, "st.a", [30 * MINUTE, 20 * MINUTE])
    page.open()
    page.tab_to("subscribe-topic")
    page.keys("st.a")
    page.tab_to("subscribe-filter")
    page.keys(Keys.TAB, Keys.TAB, Keys.ARROW_LEFT)
    assert page.script("return document.activeElement.value") == "since"
    page.keys(Keys.TAB)
    page.chord(Keys.CONTROL, "a")
    page.keys("1h", Keys.TAB, Keys.ENTER, Keys.TAB, "1", Keys.ENTER)
    page.wait_subscribed("st.a")
    page.wait_received(1)
    wait_at(page, "Replaying")
    while page.script("return document.activeElement.getAttribute('aria-label')") != "Pause the replay of st.a":
        page.keys(Keys.TAB)
    page.keys(Keys.SPACE)
    wait_at(page, "Paused")
    assert page.script("return document.activeElement.getAttribute('aria-label')") == "Resume the replay of st.a"
    page.keys(Keys.TAB, Keys.END)
    page.chord(Keys.SHIFT, Keys.TAB)
    page.keys(Keys.SPACE)
    wait_at(page, "Caught up")
    # The button that had the keyboard is gone; its neighbour has it now.
    assert page.script("return document.activeElement.getAttribute('aria-label')") == "Jump back on st.a"
    page.keys(Keys.SPACE)
    page.wait_row("Note", "st.a goes on from ")


def _crowded(page, redis):
    history(redis, "st.a", [30 * MINUTE, 20 * MINUTE])
    page.open([("sub", "st.a"), ("sub", "ch.p"), ("sub", "st.a"), ("from", "since:1h@2"), ("from", "live"), ("from", "start"),
               ("filter", ""), ("filter", ""), ("filter", "n > 0"),
               ("thin", ""), ("thin", "latest:1000:data.customer.address.postal_code"), ("thin", "rate:3")])
    page.wait_received(3)
    page.choose("from", "since")
    page.script("document.querySelector('#subscribe-more').open = true")
    page.choose("deliver", "latest")
    page.fill("input[name=speed]", "-")
    page.fill("#subscribe-topic", "x")
    page.keys(Keys.ENTER)
    page.wait_text("#speed-fault", "A number")
    redis.pause()
    page.wait_subscribed("ch.p", "Stale")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, redis, scheme):
    page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    _crowded(page, redis)
    assert page.script(CONTRASTS) == []


@pytest.mark.parametrize("width", [1400, 1000, 360])
def test_nothing_sticks_out_and_all_has_names(page, redis, width):
    page.size(width, 800)
    _crowded(page, redis)
    assert page.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    for node in page.accessibility_nodes():
        role = node.get("role", {}).get("value", "")
        assert node.get("ignored") or role not in NEED_NAMES | {"combobox"} or node.get("name", {}).get("value", "").strip(), node
