"""Filters on the page: typed, refused at their place, tried on what is in the list, changed in place."""

import pytest
from browser import event
from selenium.webdriver.common.keys import Keys
from test_page import CONTRASTS, NEED_NAMES

FIELD = "#subscribe-filter"


def subscribe(page, topic, filter, start="live"):
    page.fill(FIELD, filter)
    page.subscribe(topic, start)


def filters(page):
    return page.texts(".sub-filter")


def edit(page, text):
    page.fill(".sub-editor input", text)
    page.click(".sub-editor .main")


def test_only_what_passes_arrives(page, redis):
    page.open()
    subscribe(page, "ch.orders", "type = 'OrderPlaced' AND data.total > 100")
    page.wait_subscribed("ch.orders")
    assert filters(page) == ["type = 'OrderPlaced' AND data.total > 100"]
    for total in (99, 101, 500):
        redis.client().publish("ch.orders", event(type="OrderPlaced", data={"total": total}))
    page.wait_received(2)
    page.wait_row("ch.orders", "500")
    assert ["101" in row[1] or "500" in row[1] for row in page.rows()] == [True, True]


def test_a_filter_object(page, redis):
    page.open()
    subscribe(page, "ch.a", '{"exact": {"type": "A"}')
    page.wait_text(FIELD + "-fault", "Column 24: ")
    assert page.subscription("ch.a") is None and page.focused() == "subscribe-filter"
    subscribe(page, "ch.a", '{"exact": {"type": "A"}}')
    page.wait_subscribed("ch.a")
    redis.client().publish("ch.a", event(type="B"))
    redis.client().publish("ch.a", event(type="A"))
    page.wait_received(1)
    assert len(page.rows()) == 1
    subscribe(page, "ch.b", '{"exact": {"type": 5}}')
    page.wait_text(FIELD + "-fault", "Column 20: A text in quotes was expected here.")


@pytest.mark.parametrize("filter, column, says, mark", [
    ("type == 'A'", 6, "Write a single = to compare.", "="), ("n > > 1", 5, "stands where a value was expected", ">"),
    ("data.größe = 'ü' AND (n > 1", 28, "a ) is missing here", "\u00a0"), ("'😀😀' = = n", 8, "a value was expected", "="),
    ("n = 1 AND " * 30 + "m = = 2", 305, "a value was expected", "="),
])
def test_a_fault_is_shown_at_its_column(page, filter, column, says, mark):
    """The browser's driver types no characters beyond the basic plane, so the text is put in by script."""
    page.open()
    page.script("const f = document.querySelector(arguments[0]); f.value = arguments[1]; f.dispatchEvent(new Event('input', {bubbles: true}))",
                FIELD, filter)
    page.subscribe("ch.a")
    page.wait_text(FIELD + "-fault", f"Column {column}: ")
    assert says in page.text(FIELD + "-fault")
    assert page.text(FIELD + "-fault .place mark") == mark
    # The form has it to be mended; the list is not littered, and the keyboard stands at the place.
    page.wait(lambda: page.subscription("ch.a") is None, "no row")
    assert page.focused() == "subscribe-filter"
    at = page.script("return [document.activeElement.selectionStart, [...document.activeElement.value.slice(0, document.activeElement.selectionStart)].length]")
    assert at[1] == column - 1
    assert page.find(FIELD).get_attribute("aria-invalid") == "true"
    page.keys(" ")
    page.script("document.querySelector(arguments[0]).value = ''; document.querySelector(arguments[0]).dispatchEvent(new Event('input', {bubbles: true}))", FIELD)
    page.wait(lambda: page.text(FIELD + "-fault") == "", "no fault")


def test_the_fault_is_told_while_typing(page):
    page.open()
    page.fill("#subscribe-topic", "ch.a")
    page.fill(FIELD, "n = ")
    page.wait_text(FIELD + "-fault", "The expression ends too early")
    page.find(FIELD).send_keys("1 OR m = 2 AND o = 3")
    page.wait_text(FIELD + "-hint", "equal rank")
    assert page.text(FIELD + "-fault") == ""
    assert page.texts("#answers-list li") == []  # nobody asked for these


def test_the_hint_stays_with_the_subscription(page):
    page.open()
    subscribe(page, "ch.a", "n = 1 OR m = 2 AND o = 3")
    page.wait_subscribed("ch.a")
    page.wait_text(".sub .advice", "equal rank")


def test_dry_run(page, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    for n in range(30):
        redis.client().publish("ch.a", event(n=n))
        redis.client().publish("ch.b", event(n=n))
    redis.client().publish("ch.a", "no json")
    page.wait_received(61)
    page.fill("#subscribe-topic", "ch.a")
    page.fill(FIELD, "n >= 25")
    # The last twenty of ch.a: the text and 29 down to 11.
    page.wait_text(FIELD + "-trial", "✓ 5 · ✗ 15 of the last 20 events in the list")
    page.wait(lambda: page.texts('.row[data-passes="true"] .row-text') == [f'✓Passes the filter being typed: {{"n": {n}}}' for n in (29, 28, 27, 26, 25)],
              lambda: page.texts('.row[data-passes]'))
    marked = page.script("return [...document.querySelectorAll('.row[data-passes]')].map((row) => row.querySelector('.row-topic').textContent)")
    assert set(marked) == {"ch.a"}
    assert page.script("return document.querySelector('.row[data-passes=\"false\"] .row-mark').title") == "Does not pass the filter being typed: n >= 25"
    page.fill("#subscribe-topic", "ch.*")
    page.fill(FIELD, "topic = 'ch.b' AND n = 29")
    page.wait_text(FIELD + "-trial", "✓ 1 · ✗ 19 of")
    page.fill("#subscribe-topic", "other.**")
    page.wait(lambda: page.text(FIELD + "-trial") == "", "nothing to try it on")
    assert page.script("return document.querySelectorAll('.row[data-passes]').length") == 0
    page.fill("#subscribe-topic", "ch.b")
    page.wait_text(FIELD + "-trial", "✓ 1 · ✗ 19 of")
    page.click("#subscribe-form .main")
    page.wait(lambda: page.script("return document.querySelectorAll('.row[data-passes]').length") == 0, "no marks")


def test_dry_run_is_absent_where_the_gateway_does_not_know_it(page, redis):
    page.open([("sub", "ch.*")])
    page.wait_subscribed("ch.*")
    redis.client().publish("ch.a", event(n=1))
    page.wait_received(1)
    page.script("""window.asked = 0;
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (text) { asked += text.split('"explain"').length - 1; send.call(this, text.replaceAll('"explain"', '"unheard"')); };""")
    page.fill("#subscribe-topic", "ch.*")
    page.fill(FIELD, "n = 1")
    page.wait(lambda: page.script("return asked") == 2, "the question, once")
    page.fill(FIELD, "n = = 1")
    page.click("#subscribe-form .main")
    page.wait_text(FIELD + "-fault", "Column 5: ")
    assert page.text(FIELD + "-trial") == "" and page.script("return asked") == 2
    assert "104" not in page.text("#answers-list")


def test_change_in_place(page, redis):
    page.open()
    subscribe(page, "ch.a", "n < 10")
    page.wait_subscribed("ch.a")
    redis.client().publish("ch.a", event(n=1))
    page.wait_row("ch.a", '"n": 1')
    page.click('button[aria-label="Change the filter of ch.a where n < 10"]')
    assert page.script("return document.activeElement.closest('.sub-editor') !== null")
    edit(page, "n >>")
    page.wait_text(".sub-editor .fault", "Column 4: ")
    assert filters(page) == ["n < 10"]
    edit(page, "n > 10 OR m = 1 AND o = 1")
    page.wait(lambda: filters(page) == ["n > 10 OR m = 1 AND o = 1"], lambda: filters(page))
    page.wait_text(".sub > .advice", "equal rank")
    assert not page.shown(".sub-editor")
    for n in (2, 11):
        redis.client().publish("ch.a", event(n=n, o=1))
    page.wait_row("ch.a", '"n": 11')
    assert page.received() == 2
    page.wait(lambda: "2 events ·" in page.subscription("ch.a")["facts"], lambda: page.subscription("ch.a"))
    page.click(".sub-filter + .sub-actions button")
    page.keys("x", Keys.ESCAPE)
    assert not page.shown(".sub-editor") and filters(page) == ["n > 10 OR m = 1 AND o = 1"]
    page.click(".sub-filter + .sub-actions button")
    edit(page, Keys.BACKSPACE)
    page.wait(lambda: filters(page) == ["every event"], lambda: filters(page))
    redis.client().publish("ch.a", event(n=3))
    page.wait_row("ch.a", '"n": 3')


def test_the_same_in_another_spelling_is_one(page, redis):
    page.open()
    subscribe(page, "ch.a", "n = 1")
    page.wait_subscribed("ch.a")
    subscribe(page, "ch.a", "n=1")
    page.wait_text("#announcer", "means the same as")
    assert filters(page) == ["n = 1"]
    subscribe(page, "ch.a", "n = 1")
    page.wait_text("#subscribe-fault", "is subscribed already with this filter.")
    subscribe(page, "ch.a", "n = 2")
    page.wait(lambda: page.text("#count-subscriptions") == "2", "both")
    redis.client().publish("ch.a", event(n=1))
    redis.client().publish("ch.a", event(n=2))
    page.wait_received(2)
    page.click('button[aria-label="Change the filter of ch.a where n = 2"]')
    edit(page, "n  =  1")
    page.wait(lambda: filters(page) == ["n = 1"], lambda: filters(page))


def test_the_address_remembers_filters(page, redis):
    page.open([("sub", "ch.a"), ("sub", "ch.b"), ("filter", "n > 1"), ("filter", "")])
    page.wait_subscribed("ch.a")
    page.wait_subscribed("ch.b")
    assert filters(page) == ["n > 1", "every event"]
    page.click('button[aria-label="Filter ch.b"]')
    edit(page, "n < 1 AND s != 'a&b'")
    page.wait(lambda: "a%26b" in page.script("return location.search"), lambda: page.script("return location.search"))
    page.driver.refresh()
    page.wait_subscribed("ch.b")
    assert filters(page) == ["n > 1", "n < 1 AND s != 'a&b'"]


def test_a_bad_filter_in_the_address_can_be_mended(page, redis):
    page.open([("sub", "ch.a"), ("filter", "n = = 1")])
    page.wait_subscribed("ch.a", "Refused")
    assert "120 filter_invalid" in page.subscription("ch.a")["trouble"]
    assert page.text(".sub-trouble .place mark") == "="
    page.click(".sub-filter + .sub-actions button")
    edit(page, "n = 1")
    page.wait_subscribed("ch.a")
    redis.client().publish("ch.a", event(n=1))
    page.wait_received(1)


def test_filters_survive_a_restart(page, gateway, redis):
    page.excused = ["WebSocket connection to"]
    page.open([("sub", "ch.a"), ("filter", "n > 1")])
    page.wait_subscribed("ch.a")
    gateway.kill9()
    page.wait_state("Reconnecting")
    gateway.start()
    page.wait_state("Live")
    page.wait_subscribed("ch.a")
    for n in (1, 2):
        redis.client().publish("ch.a", event(n=n))
    page.wait_row("ch.a", '"n": 2')
    assert page.received() == 1


def test_by_keyboard_alone(page, redis):
    page.open([("sub", "ch.a")])
    page.wait_subscribed("ch.a")
    page.tab_to("subscribe-filter")
    page.keys("n = 1", Keys.ENTER)
    page.wait_text("#subscribe-fault", "Type a topic or pattern.")
    while page.script("return document.activeElement.getAttribute('aria-label')") != "Filter ch.a":
        page.keys(Keys.TAB)
    page.keys(Keys.ENTER, "n = 2", Keys.ENTER)
    page.wait(lambda: filters(page) == ["n = 2"], lambda: filters(page))
    assert page.script("return document.activeElement.getAttribute('aria-label')") == "Change the filter of ch.a where n = 2"


def _crowded(page, redis):
    page.open([("sub", "ch.*"), ("sub", "ch.a"), ("filter", "type = 'A' OR n > 1 AND data.customer.address.city = 'Esch'"), ("filter", "n = = 1")])
    page.wait_subscribed("ch.a", "Refused")
    page.wait_text(".sub > .advice", "equal rank")
    for n in range(4):
        redis.client().publish("ch.b", event(type="A", n=n, data={"customer": {"address": {"city": "Esch"}}}))
    page.wait_received(4)
    page.click(".sub-filter + .sub-actions button")
    page.fill(".sub-editor input", "n > 1 OR n = 0 AND n = 0")
    page.wait_text(".sub-editor .trial", "✓ 1 · ✗ 3")


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
        assert node.get("ignored") or role not in NEED_NAMES or node.get("name", {}).get("value", "").strip(), node
