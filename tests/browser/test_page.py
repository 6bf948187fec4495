"""The page, driven as a person would: by pointer and by keyboard, against a real gateway and a real Redis."""

import json
import re
import signal

import pytest
from browser import event
from selenium.webdriver.common.keys import Keys

PATTERN_FAULT = "st.**.x"


def test_publish_and_xadd_appear(page, redis):
    page.open()
    page.subscribe("ch.*")
    page.subscribe("st.*")
    page.wait_subscribed("ch.*")
    page.wait_subscribed("st.*")
    redis.client().publish("ch.prices", event(bid=1))
    redis.client().xadd("st.orders", {"event": event(order=7)})
    page.wait_row("ch.prices", '"bid"')
    page.wait_row("st.orders", '"order"')
    page.wait(lambda: "1 event ·" in page.subscription("ch.*")["facts"], "the count of ch.*")
    assert page.text("#count-subscriptions") == "2"


def test_event_is_shown_as_it_was_received(page, redis):
    page.open([("sub", "st.*")])
    page.wait_subscribed("st.*")
    raw = '{"n":9007199254740993, "big":1e400,"e":"\\u00e9 <b>bold</b>","list":[ ]}'
    entry = redis.client().xadd("st.exact", {"event": raw}).decode()
    page.select_row("9007199254740993")
    assert page.text("#inspector-title") == "st.exact"
    assert page.text("#fact-cursor").startswith(entry + "~")
    lines = [line.strip() for line in page.text("#inspector-code").splitlines()]
    assert lines == ["{", '"n": 9007199254740993,', '"big": 1e400,', '"e": "\\u00e9 <b>bold</b>",', '"list": []', "}"]
    page.click("#as-received")
    assert page.text("#inspector-code") == raw
    assert page.texts("#event-rows .row-text") == [raw]


def test_text_and_binary_are_told_apart(page, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    redis.client().publish("ch.words", "plain words")
    redis.client().publish("ch.bytes", b"\xff\x00\x01")
    page.wait_row("ch.words", "text plain words")
    page.wait_row("ch.bytes", "binary /wAB")
    page.select_row("/wAB")
    assert page.text("#fact-size") == "3 bytes · binary, as base64"


def test_emit_twice_shows_the_duplicate(page, redis):
    page.open([("sub", "st.*")])
    page.wait_subscribed("st.*")
    page.fill("#emit-topic", "st.carts")
    page.fill("#emit-event", '{"total": 12345678901234567890}')
    first_id = page.script("return document.querySelector('#emit-id').value")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first_id)
    page.click("#emit-send")
    page.wait_text("#emit-outcome", "Stored")
    stored = page.texts("#emit-outcome dd")
    assert stored[0] == first_id and stored[2] == "false"
    assert page.script("return document.querySelector('#emit-id').value") != first_id
    page.click("#emit-again")
    page.wait_text("#emit-outcome", "Duplicate: nothing was added")
    assert page.texts("#emit-outcome dd")[:3] == [first_id, stored[1], "true"]
    entries = redis.client().xrange("st.carts")
    assert [fields[b"event"] for _, fields in entries] == [b'{"total":12345678901234567890}']
    assert stored[1].startswith(entries[0][0].decode() + "~")
    page.wait_row("st.carts", "12345678901234567890")
    page.wait_text("#answers-list", "duplicate true")


def test_emit_says_what_is_wrong_while_typing(page):
    page.open()
    page.fill("#emit-event", '{"a": 1,\n "b": tru')
    page.wait_text("#emit-event-fault", "Line 2, column 7: tru is not JSON")
    page.click("#emit-send")
    assert page.focused() == "emit-event"
    page.fill("#emit-event", "[1, 2]")
    page.wait(lambda: page.text("#emit-event-fault") == "", "no fault")
    page.fill("#emit-topic", "st.*")
    page.wait_text("#emit-topic-fault", "An event goes to one topic")


def test_emit_refused_is_told_beside_the_form(page):
    page.open()
    page.fill("#emit-topic", "readonly.prices")
    page.click("#emit-send")
    page.wait_text("#emit-outcome", "Refused")
    assert re.search(r"\d{3} [a-z_]+", page.text("#emit-outcome .refusal code"))


def test_pause_and_resume(page, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    redis.client().publish("ch.a", event(n=1))
    page.wait_row("ch.a", '"n": 1')
    page.click("#pause")
    for n in (2, 3, 4):
        redis.client().publish("ch.a", event(n=n))
    page.wait_text("#pause", "Resume (3 waiting)")
    assert [row[1] for row in page.rows()] == ['{"n": 1}']
    page.click("#pause")
    page.wait_row("ch.a", '"n": 4')
    assert [row[1] for row in page.rows()] == ['{"n": 4}', '{"n": 3}', '{"n": 2}', '{"n": 1}']
    page.click("#clear")
    page.wait(lambda: page.rows() == [], "an empty list")
    page.wait_text("#events-empty", "Waiting for events on ch.*")


def test_filter(page, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    for name in ("ch.red", "ch.green", "ch.blue"):
        redis.client().publish(name, event(colour=name[3:]))
    page.wait_received(3)
    page.fill("#filter", "GREEN")
    page.wait(lambda: [row[0] for row in page.rows()] == ["ch.green"], "only the match")
    redis.client().publish("ch.green", event(colour="green", n=2))
    redis.client().publish("ch.red", event(colour="red", n=2))
    page.wait_text("#events-status", "2 of 5 match")
    page.fill("#filter", "violet")
    page.wait_text("#events-empty", "Nothing in the list matches.")
    page.click("#filter-clear")
    page.wait(lambda: len(page.rows()) == 5, "all rows")


def test_unsubscribe(page, redis):
    page.open([("sub", "ch.*"), ("sub", "st.*")])
    page.wait_subscribed("ch.*")
    page.wait_subscribed("st.*")
    page.click('button[aria-label="Unsubscribe ch.*"]')
    page.wait(lambda: page.subscription("ch.*") is None, "ch.* gone from the list")
    # What comes later on the other topic proves that the first one was not merely slow.
    redis.client().publish("ch.a", event(n=1))
    redis.client().xadd("st.a", {"event": event(n=2)})
    page.wait_row("st.a", '"n": 2')
    assert [row[0] for row in page.rows()] == ["st.a"]
    page.wait(lambda: page.script("return location.search") == "?sub=st.*", "the address without ch.*")


def test_invalid_pattern_is_told_where_it_was_typed(page):
    page.open()
    page.subscribe(PATTERN_FAULT)
    page.wait_subscribed(PATTERN_FAULT, "Refused")
    assert re.match(r"\d{3} [a-z_]+ .", page.subscription(PATTERN_FAULT)["trouble"])
    page.click(f'button[aria-label="Remove {PATTERN_FAULT}"]')
    page.wait(lambda: page.subscription(PATTERN_FAULT) is None, "it gone from the list")
    page.subscribe(" ")
    page.wait_text("#subscribe-fault", "Type a topic or pattern.")


def test_start_and_last(page, redis):
    for n in range(5):
        redis.client().xadd("st.old", {"event": event(n=n)})
    page.open()
    page.subscribe("st.old", "last", last=2)
    page.wait_received(2)
    page.wait(lambda: [row[1] for row in page.rows()] == ['{"n": 4}', '{"n": 3}'], lambda: f"the last two: {page.rows()}")
    page.click('button[aria-label="Unsubscribe st.old"]')
    page.wait(lambda: page.subscription("st.old") is None, "it gone from the list")
    page.click("#clear")
    page.subscribe("st.old", "start")
    page.wait(lambda: len(page.rows()) == 5, lambda: f"all five: {page.rows()}")


def test_the_address_and_the_tab_remember(page, redis):
    redis.client().xadd("st.a", {"event": event(n=1)})
    redis.client().xadd("st.a", {"event": event(n=2)})
    page.open([("sub", "st.a"), ("sub", "ch.b"), ("from", "last:1"), ("from", "live")])
    page.wait_row("st.a", '"n": 2')
    page.fill("#emit-event", '{"draft": true}')
    page.fill("#filter", "n")
    page.subscribe("ch.c")
    page.wait_subscribed("ch.c")
    assert page.script("return location.search") == "?sub=st.a&sub=ch.b&sub=ch.c&from=last:1&from=live&from=live"
    page.driver.refresh()
    page.wait_state("Live")
    page.wait_subscribed("ch.c")
    page.wait_row("st.a", '"n": 2')
    assert page.received() == 1
    assert page.script("return document.querySelector('#emit-event').value") == '{"draft": true}'
    assert page.script("return document.querySelector('#filter').value") == "n"


def test_five_thousand_events_leave_it_responsive(page, redis):
    page.open([("sub", "st.*")])
    page.wait_subscribed("st.*")
    page.script(
        """window.longest = 0; let last = performance.now();
           const beat = () => { const now = performance.now(); longest = Math.max(longest, now - last); last = now; requestAnimationFrame(beat); };
           beat();"""
    )
    pipeline = redis.client().pipeline(transaction=False)
    for n in range(6000):
        pipeline.xadd("st.flood", {"event": event(n=n, filler="x" * 120)})
    pipeline.execute()
    page.wait_received(6000)
    page.wait_row("st.flood", '"n": 5999')
    page.wait_text("#events-status", "Keeping the newest 5,000 · 1,000 older dropped")
    assert page.script("return longest") < 2000
    assert page.script("return document.querySelectorAll('#event-rows .row').length") < 100
    page.script("document.querySelector('#event-list').scrollTop = 1e9")
    page.wait_row("st.flood", '"n": 1000,')
    page.wait_text("#newer", "newer")
    # A reader away from the top keeps sight of what they read.
    before = page.rows()
    redis.client().xadd("st.flood", {"event": event(n=6000)})
    page.wait_received(6001)
    page.wait_text("#events-status", "1,001 older dropped")
    assert len(set(map(tuple, before)) & set(map(tuple, page.rows()))) >= len(before) - 2
    page.click("#newer")
    page.wait_row("st.flood", '"n": 6000')
    page.select_row('"n": 5999')
    assert '"n": 5999' in page.text("#inspector-code")


def test_gateway_restart(page, gateway, redis):
    page.excused = ["WebSocket connection to"]
    page.open([("sub", "st.*"), ("sub", "ch.*"), ("from", "start")])
    page.wait_subscribed("st.*")
    page.wait_subscribed("ch.*")
    redis.client().xadd("st.a", {"event": event(n=1)})
    page.wait_row("st.a", '"n": 1')
    gateway.end_with(signal.SIGTERM, check=True)
    page.wait_state("Reconnecting")
    page.wait_text("#state-detail", "Next try in")
    assert page.subscription("st.*")["state"] == "Pending"
    for n in (10, 11):
        redis.client().xadd("st.a", {"event": event(n=n)})
    redis.client().xadd("st.new", {"event": event(n=12)})
    gateway.start()
    page.wait_state("Live")
    page.wait_subscribed("st.*")
    page.wait_subscribed("ch.*")
    redis.client().publish("ch.b", event(n=2))
    redis.client().xadd("st.a", {"event": event(n=3)})
    page.wait_row("ch.b", '"n": 2')
    page.wait_row("st.a", '"n": 3')
    # It went on where it was: what came meanwhile, from a new stream too, and the first event only once.
    page.wait_row("st.a", '"n": 11')
    page.wait_row("st.new", '"n": 12')
    assert page.received() == 6
    page.wait_row("Break", "Reconnected; 3 events caught up. What channels carried meanwhile on ch.* is not known")


def test_gap_is_told_in_words(page, redis):
    page.open([("sub", "ch.a")])
    page.wait_subscribed("ch.a")
    redis.client().publish("ch.a", event(n=1))
    page.wait_row("ch.a", '"n": 1')
    redis.kill9()
    redis.start()
    page.wait_row("Gap", "missed on ch.a: the gateway had lost its connection to Redis, and channels keep nothing. Fetch the present state.")
    assert page.text("#count-gaps") != "0"
    page.wait_subscribed("ch.a")
    page.wait(lambda: redis.client().publish("ch.a", event(n=2)), "a listener in Redis")
    page.wait_row("ch.a", '"n": 2')


def test_by_keyboard_alone(page, redis):
    page.open()
    page.tab_to("subscribe-topic")
    page.keys("st.keys", Keys.ENTER)
    page.wait_subscribed("st.keys")
    page.tab_to("emit-topic")
    page.chord(Keys.CONTROL, "a")
    page.keys("st.keys")
    page.tab_to("emit-event")
    page.chord(Keys.CONTROL, "a")
    page.keys('{"by":"keyboard"}')
    page.chord(Keys.CONTROL, Keys.ENTER)
    page.wait_text("#emit-outcome", "Stored")
    page.tab_to("emit-again")
    page.keys(Keys.ENTER)
    page.wait_text("#emit-outcome", "Duplicate")
    redis.client().xadd("st.keys", {"event": event(n=2)})
    page.wait_row("st.keys", '"n": 2')
    page.tab_to("event-list")
    page.keys(Keys.ARROW_DOWN)
    page.wait_text("#inspector-code", '"n": 2')
    page.keys(Keys.END)
    page.wait_text("#inspector-code", '"by": "keyboard"')
    selected = page.find('#event-rows .row[aria-selected="true"]').get_attribute("id")
    assert page.find("#event-list").get_attribute("aria-activedescendant") == selected
    page.keys(Keys.ENTER)
    assert page.focused() == "inspector-title"
    page.tab_to("inspector-copy")
    page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.shown("#inspector"), "the inspector closed")
    assert page.focused() == "event-list"


NEED_NAMES = {
    "button", "textbox", "searchbox", "checkbox", "radio", "spinbutton", "link", "listbox", "option", "region", "navigation", "image",
    "dialog",
}


@pytest.mark.parametrize("width", [1400, 360])
def test_every_control_has_a_name(page, redis, width):
    page.size(width, 800)
    page.open([("sub", "ch.*"), ("sub", PATTERN_FAULT)])
    page.wait_subscribed("ch.*")
    page.wait_subscribed(PATTERN_FAULT, "Refused")
    redis.client().publish("ch.a", event(n=1))
    page.script("document.querySelector('#events').scrollIntoView()")
    page.select_row('"n"')
    roles, nameless = set(), []
    for node in page.accessibility_nodes():
        role = node.get("role", {}).get("value", "")
        roles.add(role)
        if not node.get("ignored") and role in NEED_NAMES and not node.get("name", {}).get("value", "").strip():
            nameless.append((role, node.get("properties")))
    assert not nameless
    assert {"button", "textbox", "radio", "listbox", "option", "main", "banner", "image"} <= roles
    assert page.script("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("width", [1400, 1000, 360])
def test_nothing_sticks_out(page, redis, width):
    page.size(width, 800)
    page.open([("sub", "ch.*"), ("sub", "ch." + "long" * 50)])
    page.wait_subscribed("ch.*")
    redis.client().publish("ch." + "topic" * 40, json.dumps({"word" * 100: "x" * 3000}))
    page.wait_received(1)
    over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.script(over) <= 0
    page.script("document.querySelector('#events').scrollIntoView()")
    page.select_row("wordword")
    assert page.script(over) <= 0


CONTRASTS = """
  const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (css) => { probe.clearRect(0, 0, 1, 1); probe.fillStyle = css; probe.fillRect(0, 0, 1, 1); return [...probe.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor; if (rgb(c)[3] === 255) return c; } return 'white'; };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || node.disabled || !node.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) || node.closest('svg, noscript')) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(rgb(ground(node)))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)} ${node.textContent.slice(0, 40)}`);
  }
  return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, redis, scheme):
    page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.open([("sub", "ch.*"), ("sub", PATTERN_FAULT)])
    page.wait_subscribed("ch.*")
    page.wait_subscribed(PATTERN_FAULT, "Refused")
    redis.client().publish("ch.a", event(n=1, s="text", yes=True))
    redis.client().publish("ch.a", "words")
    page.select_row('"n"')
    page.click("#pause")
    page.fill("#emit-event", "{")
    page.click("#emit-send")
    page.fill("#emit-event", "{}")
    page.fill("#emit-topic", "readonly.prices")
    page.click("#emit-send")
    page.wait_text("#emit-outcome", "Refused")
    assert page.script(CONTRASTS) == []
