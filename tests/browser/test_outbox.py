"""The outbox of the library: whatever breaks, each emit stands in the stream once, in order, and is told of."""

import random
import re

import pytest
from record import entries, faults, ids
from selenium.common.exceptions import WebDriverException

BREAKS = {  # run before any script of the page
    "absent": "Object.defineProperty(window, 'indexedDB', { value: undefined });",
    "refused": "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };",
    "unanswered": "IDBFactory.prototype.open = () => ({});",
    "full": "IDBObjectStore.prototype.add = () => { throw new DOMException('no', 'QuotaExceededError'); };",
    "closed": "IDBDatabase.prototype.transaction = () => { throw new DOMException('no', 'InvalidStateError'); };",
}


def named(topic, numbers):
    return [f"{topic} {n}" for n in numbers]


def acknowledged(app, topic):
    return [(id, facts["cursor"]) for _, id, facts in app.told("ack") if id.startswith(f"{topic} ")]  # noqa: A001


@pytest.fixture
def before_scripts(driver):
    """before_scripts(text): runs in every page of this tab before its own scripts."""
    installed = []

    def install(text):
        installed.append(driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": text})["identifier"])

    yield install
    for identifier in installed:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": identifier})


# --- acknowledged


def test_emit_and_acknowledgement(app, redis):
    app.open()
    app.emit("st.a", {"n": 1, "words": "ö\u2028😀\n"}, "one")
    result = app.wait_result("one")
    ((entry, id, event),) = entries(redis, "st.a")  # noqa: A001
    assert result["duplicate"] is False and result["cursor"].startswith(entry + "~")
    assert (id, event) == ("one", '{"n":1,"words":"ö\u2028😀\\n"}')
    assert app.told() == [["ack", "one", {**result, "takenOver": False}]]
    assert app.size == 0
    assert app.script("return gate.outbox.persistent") is True


def test_an_id_is_made_where_none_is_given(app, redis):
    app.open()
    app.driver.execute_async_script("const done = arguments[0]; gate.emit('st.a', 1).then(() => done())")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids(redis, "st.a")[0])


def test_the_same_id_again_is_a_duplicate(app, redis):
    app.open()
    app.emit("st.a", 1, "one")
    app.wait_result("one")
    app.emit("st.a", 1, "one")
    app.wait(lambda: len(app.told("ack")) == 2, "two acknowledgements")
    assert [facts["duplicate"] for _, _, facts in app.told()] == [False, True]
    assert ids(redis, "st.a") == ["one"]


def test_many_at_once_in_their_order(app, redis):
    app.open()
    for topic in ("st.a", "st.b"):
        app.emit_many(topic, range(150))
    app.wait_size(0)
    for topic in ("st.a", "st.b"):
        assert faults(named(topic, range(150)), entries(redis, topic), acknowledged(app, topic)) == []
    assert len(app.told()) == 300


# --- whatever breaks


def test_a_reload_in_the_middle(app, redis):
    app.open()
    app.emit_many("st.a", range(5))
    app.wait_size(0)
    redis.pause()
    app.emit_many("st.a", range(5, 20))
    app.emit_many("st.b", range(20))
    app.wait_stored()
    app.reload()
    app.emit_many("st.a", range(20, 30))
    app.wait_size(45)
    redis.resume()
    app.wait_size(0)
    assert faults(named("st.a", range(30)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []
    assert faults(named("st.b", range(20)), entries(redis, "st.b"), acknowledged(app, "st.b")) == []
    assert {facts["takenOver"] for _, id, facts in app.told() if id.startswith("st.b")} == {True}
    assert sorted(app.results()) == sorted(named("st.a", range(20, 30)))


def test_a_page_that_comes_back_much_later(app, redis, gateway):
    app.open()
    app.wait_ready()
    app.wait_state("live")
    gateway.kill9()
    app.emit_many("st.a", range(10))
    app.wait_stored()
    app.leave()
    gateway.start()
    app.open()
    app.wait(lambda: len(app.told("ack")) == 10, "ten acknowledgements")
    assert faults(named("st.a", range(10)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []


def test_a_gateway_that_is_killed(app, gateway, redis):
    app.open()
    app.emit_many("st.a", range(10))
    app.wait(lambda: len(app.told("ack")) >= 3, "three acknowledgements")
    app.emit_many("st.a", range(10, 100))
    gateway.kill9()
    app.wait(lambda: app.state != "live", "the break")
    app.emit_many("st.a", range(100, 110))
    gateway.start()
    app.wait_size(0)
    assert faults(named("st.a", range(110)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []


@pytest.mark.settings(emit_timeout_ms=100, redis_timeout_ms=100)
def test_a_redis_that_hangs_for_longer_than_the_gateway_tries(app, redis):
    app.open()
    app.emit_many("st.a", range(3))
    app.wait_size(0)
    redis.pause()
    app.emit_many("st.a", range(3, 8))
    app.wait(lambda: any(emit["attempts"] > 2 for emit in app.outbox()), "some attempts")
    redis.resume()
    app.wait_size(0)
    assert faults(named("st.a", range(8)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []


# --- several tabs


def open_tab(app):
    app.driver.switch_to.new_window("tab")
    return app.driver.current_window_handle


@pytest.mark.parametrize("end", ["closed", "crashed"])
def test_what_a_tab_leaves_behind_is_taken_over(app, make_fake_gateway, end):
    silent = make_fake_gateway(lambda command, gateway: None)
    first = app.driver.current_window_handle
    app.open(silent.url)
    app.wait_ready()
    second = open_tab(app)
    app.open(silent.url)
    app.emit_many("a", range(5))
    app.emit_many("b", range(5))
    app.wait(lambda: len(silent.emits()) == 2, "two emits at the gateway")
    app.wait_stored()
    app.driver.switch_to.window(first)
    # What another tab owns that is there is left to it.
    app.reload()
    app.wait_ready()
    assert app.size == 0
    app.driver.switch_to.window(second)
    if end == "crashed":
        with pytest.raises(WebDriverException):
            app.driver.get("chrome://crash")
    else:
        app.driver.close()
    app.driver.switch_to.window(first)
    silent.handler = lambda command, gateway: gateway.append(command)
    app.wait(lambda: len(app.told("ack")) == 10, lambda: app.told())
    for topic in ("a", "b"):
        assert [id for t, id, _ in silent.stream if t == topic] == named(topic, range(5))  # noqa: A001
    assert all(facts["takenOver"] for _, _, facts in app.told())


def test_of_several_tabs_one_takes_over(app, make_fake_gateway):
    gateway = make_fake_gateway(lambda command, gateway: None)
    first = app.driver.current_window_handle
    app.open(gateway.url)
    app.wait_ready()
    second = open_tab(app)
    app.open(gateway.url)
    app.wait_ready()
    third = open_tab(app)
    app.open(gateway.url)
    app.emit_many("a", range(20))
    app.wait_stored()
    gateway.handler = lambda command, gateway: gateway.append(command)
    app.driver.close()
    told = {}
    for _ in range(2):
        for tab in (first, second):
            app.driver.switch_to.window(tab)
            app.wait(lambda: len(gateway.stream) == 20, lambda: gateway.stream)
            app.wait_size(0)
            told[tab] = app.told()
    assert sorted(len(entry) for entry in told.values()) == [0, 20]
    assert len(gateway.stream) == 20 and third not in app.driver.window_handles


@pytest.mark.parametrize("slept", [False, True], ids=["minutes", "hours"])
def test_a_tab_that_was_believed_dead_is_told_what_became_of_its_emits(app, make_fake_gateway, gateway, slept):
    """Without Web Locks a tab that stood still for minutes looks dead to the others."""
    fake = make_fake_gateway(lambda command, gateway: None)
    app.url = f"http://headgate.test:{gateway.port}/"
    first = app.driver.current_window_handle
    app.open(fake.url, maxAgeMs=1800000)
    app.emit("a", 1, "one")
    app.emit("a", {"b": 2}, "two")
    app.wait(lambda: len(fake.emits()) == 1, "the first emit at the gateway")
    app.wait_stored()
    # What a browser does to a tab for minutes cannot be waited for: this one writes its mark no more, and then it is gone.
    app.script("const set = Storage.prototype.setItem; Storage.prototype.setItem = function (...all) { if (this !== localStorage) set.apply(this, all); }")
    open_tab(app)
    fake.handler = lambda command, gateway: (
        gateway.append(command) if command["id"] == "one" else {"code": 121, "reason": "event_invalid", "message": "No.", "pointer": "/b"})
    app.open(fake.url)
    app.wait_ready()
    app.script("for (const key of Object.keys(localStorage)) if (key.includes(' mark-')) localStorage.removeItem(key)")
    app.wait_told("ack", "one")
    app.wait_told("undeliverable", "two")
    app.driver.switch_to.window(first)
    assert app.results() == {} and app.errors() == {}
    fake.handler = lambda command, gateway: None
    if slept:
        app.script("const now = Date.now; Date.now = () => now() + 3600000")
    fake.cut()
    assert app.wait_result("one") == {"cursor": "1-0~00000000", "duplicate": False}
    error = app.wait_error("two")
    assert (error["code"], error["reason"], error["pointer"]) == (121, "event_invalid", "/b")
    assert app.size == 0 and app.told() == []


def test_without_tls(app, gateway, redis, driver):
    """Pages on http: from another machine have neither Web Locks nor crypto.randomUUID."""
    app.url = f"http://headgate.test:{gateway.port}/"
    app.open()
    assert app.script("return [isSecureContext, typeof navigator.locks, typeof crypto.randomUUID]") == [False, "undefined", "undefined"]
    app.driver.execute_async_script("const done = arguments[0]; gate.emit('st.id', 1).then(() => done())")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids(redis, "st.id")[0])
    redis.pause()
    app.emit_many("st.a", range(5))
    app.wait_stored()
    app.reload()
    app.emit_many("st.a", range(5, 8))
    app.wait_size(8)
    first = driver.current_window_handle
    open_tab(app)
    app.open()
    app.emit_many("st.b", range(5))
    app.wait_stored()
    assert app.size == 5
    driver.close()
    driver.switch_to.window(first)
    app.wait_size(13)
    redis.resume()
    app.wait_size(0)
    assert faults(named("st.a", range(8)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []
    assert faults(named("st.b", range(5)), entries(redis, "st.b"), acknowledged(app, "st.b")) == []


# --- without IndexedDB


@pytest.mark.parametrize("how", BREAKS)
def test_memory_where_indexeddb_is_not_there_or_fails(app, redis, gateway, before_scripts, how):
    before_scripts(BREAKS[how])
    app.open()
    app.wait_ready()
    app.emit_many("st.a", range(10))
    app.wait_size(0)
    assert app.script("return gate.outbox.persistent") is False
    gateway.kill9()
    app.emit_many("st.a", range(10, 20))
    gateway.start()
    app.wait_size(0)
    assert faults(named("st.a", range(20)), entries(redis, "st.a"), acknowledged(app, "st.a")) == []


def test_what_memory_holds_is_told_at_the_end(app, make_fake_gateway, before_scripts):
    before_scripts(BREAKS["absent"])
    app.open(make_fake_gateway(lambda command, gateway: None).url)
    app.emit("a", 1, "one")
    app.driver.execute_async_script("gate.close().then(arguments[0])")
    assert app.errors()["one"]["reason"] == "closed"
    assert app.wait_told("undeliverable", "one")["reason"] == "closed"


def test_data_that_is_cleared_away_is_not_lost(app, make_fake_gateway):
    fake = make_fake_gateway(lambda command, gateway: None)
    app.open(fake.url)
    app.emit_many("a", range(3))
    app.wait(lambda: len(fake.emits()) == 1, "an emit at the gateway")
    app.wait_stored()
    app.driver.execute_async_script("""
      const done = arguments[1];
      indexedDB.open(`headgate ${arguments[0]}`).onsuccess = ({ target }) => {
        const clear = target.result.transaction('emits', 'readwrite');
        clear.objectStore('emits').clear();
        clear.oncomplete = () => { target.result.close(); done(); };
      };""", fake.url)
    fake.handler = lambda command, gateway: gateway.append(command)
    fake.cut()
    app.wait_size(0)
    assert [id for _, id, _ in fake.stream] == named("a", range(3))  # noqa: A001


# --- the window of the ids


def undecided(app, fake, **options):
    """An emit that was sent, and of which nobody knows since the window of its id has passed."""
    fake.handler = lambda command, gateway: gateway.append(command) and None
    app.open(fake.url, **options)
    app.emit("a", {"n": 1}, "one")
    app.wait(lambda: fake.stream, "the emit in the stream")
    fake.cut()
    fake.handler = lambda command, gateway: None
    return app.wait_told("undeliverable", "one")


def test_an_unknown_outcome_is_not_sent_again(app, make_fake_gateway):
    fake = make_fake_gateway(dedupe_window_ms=1000)
    fake.stop()
    fake.start()
    app.open(fake.url)
    fake.handler = lambda command, gateway: gateway.append(command) and None
    app.emit("a", {"n": 1}, "one")
    app.emit("a", {"n": 2}, "two")
    app.wait(lambda: fake.stream, "the emit in the stream")
    fake.stop()
    app.wait_told("undeliverable", "one")
    assert app.wait_error("one")["reason"] == "outcome_unknown"
    fake.handler = lambda command, gateway: gateway.append(command)
    fake.start()
    # Those behind it go on; they were never sent.
    app.wait_result("two")
    assert [command["id"] for command in fake.emits()] == ["one", "two"]
    assert [(emit["id"], emit["state"]) for emit in app.outbox()] == [("one", "undecided")]
    # A page that comes later is told as well.
    app.reload()
    app.wait(lambda: len(app.told("undeliverable")) == 2, lambda: app.told())
    assert [command["id"] for command in fake.emits()] == ["one", "two"]
    assert app.told("undeliverable")[-1][2]["event"] == {"n": 1}
    result = app.driver.execute_async_script("const done = arguments[0]; gate.outbox.resend('one').then(done)")
    assert result["duplicate"] is True
    assert app.size == 0


def test_an_undecided_emit_can_be_discarded(app, make_fake_gateway):
    fake = make_fake_gateway(dedupe_window_ms=1000)
    app.open(fake.url)
    fake.handler = lambda command, gateway: None
    app.emit("a", {"n": 1}, "one")
    app.wait(lambda: fake.emits(), "the emit at the gateway")
    fake.stop()
    app.wait_told("undeliverable", "one")
    assert app.script("return [gate.outbox.discard('one'), gate.outbox.discard('one'), gate.outbox.size]") == [True, False, 0]
    error = app.driver.execute_async_script("const done = arguments[0]; gate.outbox.resend('one').catch((error) => done(error.reason))")
    assert error == "not_in_outbox"
    app.reload()
    app.wait_ready()
    assert app.size == 0


def test_within_the_window_it_is_sent_again(app, make_fake_gateway):
    """The gateway does not say how long it remembers: ten minutes are taken for granted."""
    fake = make_fake_gateway()
    app.open(fake.url)
    fake.handler = lambda command, gateway: gateway.append(command) and None
    app.emit("a", {"n": 1}, "one")
    app.wait(lambda: fake.stream, "the emit in the stream")
    fake.handler = lambda command, gateway: gateway.append(command)
    fake.cut()
    assert app.wait_result("one")["duplicate"] is True
    assert len({command["raw"].split('"event"')[1] for command in fake.emits()}) == 1


@pytest.mark.parametrize("minutes, reason", [(9, None), (10, "outcome_unknown"), (-1, "outcome_unknown")])
def test_the_window_is_counted_over_reloads(app, make_fake_gateway, before_scripts, minutes, reason):
    """Also where the clock was put back: then nobody knows how long it was."""
    fake = make_fake_gateway()
    app.open(fake.url)
    fake.handler = lambda command, gateway: None
    app.emit("a", 1, "one")
    app.wait(lambda: fake.emits(), "the emit at the gateway")
    fake.handler = lambda command, gateway: gateway.append(command)
    before_scripts(f"const now = Date.now; Date.now = () => now() + {minutes} * 60000;")
    app.reload()
    if reason:
        assert app.wait_told("undeliverable", "one")["reason"] == reason
        assert len(fake.emits()) == 1
    else:
        app.wait_told("ack", "one")


def test_the_window_is_counted_where_the_clock_is_put_back(app, make_fake_gateway):
    fake = make_fake_gateway(dedupe_window_ms=1000)
    app.open(fake.url)
    fake.handler = lambda command, gateway: None
    app.emit("a", 1, "one")
    app.wait(lambda: fake.emits(), "the emit at the gateway")
    app.script("const now = Date.now; Date.now = () => now() - 3600000;")
    fake.stop()
    assert app.wait_told("undeliverable", "one")["reason"] == "outcome_unknown"


def test_an_emit_that_never_went_waits_for_ever_or_as_long_as_it_may(app, make_fake_gateway, before_scripts):
    fake = make_fake_gateway(dedupe_window_ms=1000)
    fake.stop()
    app.open(fake.url)
    app.emit("a", 1, "one")
    app.wait_stored()
    before_scripts("const now = Date.now; Date.now = () => now() + 86400000;")
    app.reload()
    app.wait_ready()
    assert [emit["id"] for emit in app.outbox()] == ["one"] and app.told() == []
    app.options = {"maxAgeMs": 3600000}
    app.reload()
    assert app.wait_told("undeliverable", "one")["reason"] == "too_old"
    app.wait_size(0)


# --- limits


def test_a_full_outbox_refuses_at_once(app, make_fake_gateway):
    fake = make_fake_gateway(lambda command, gateway: None)
    app.open(fake.url, maxEmits=3, maxBytes=100)
    app.emit("a", "x" * 58, "one")
    app.emit("a", "x" * 39, "two")
    assert app.wait_error("two")["reason"] == "outbox_full"
    app.emit("a", 1, "three")
    app.emit("a", 2, "four")
    app.emit("a", 3, "five")
    assert app.wait_error("five")["reason"] == "outbox_full"
    assert app.script("return [gate.outbox.size, gate.outbox.bytes]") == [3, 62]
    assert app.told() == []
    fake.handler = lambda command, gateway: gateway.append(command)
    fake.cut()
    app.wait_size(0)
    assert app.script("return gate.outbox.bytes") == 0
    app.emit("a", 3, "five")
    app.wait_result("five")


@pytest.mark.settings(event_bytes_max=1024)
@pytest.mark.parametrize("known", [True, False], ids=["connected", "not yet"])
def test_too_large_an_event(app, redis, known):
    app.open()
    if known:
        app.wait_state("live")
    app.script("emit('st.a', 'ö'.repeat(511), { id: 'fits' }); emit('st.a', 'ö'.repeat(511) + 'x', { id: 'large' })")
    error = app.wait_error("large")
    assert (error["code"], error["reason"]) == (123, "event_too_large") and "1025" in error["message"] and "1024" in error["message"]
    assert app.wait_told("undeliverable", "large")["code"] == 123
    app.wait_result("fits")
    assert ids(redis, "st.a") == ["fits"]
    assert app.script("return states.filter((state) => state === 'live').length") == 1


@pytest.mark.settings(message_bytes_max=2048)
def test_too_large_a_message(app, redis):
    app.open()
    app.emit("st.a", "x" * 2000, "large")
    assert app.wait_error("large")["code"] == 123
    app.emit("st.a", "x" * 1800, "fits")
    app.wait_result("fits")
    assert app.script("return states.filter((state) => state === 'live').length") == 1


def test_the_gateway_is_never_asked_for_more_than_half_of_what_it_permits(app, make_fake_gateway):
    held = []
    fake = make_fake_gateway(lambda command, gateway: held.append(command), emits=10)
    app.open(fake.url, ordered=False)
    app.emit_many("a", range(20))
    app.wait(lambda: len(held) == 5, lambda: f"five emits: {len(held)}")
    app.wait_stored()
    # All that is under way is told by the outbox itself, so nothing has to be waited for.
    assert [emit["state"] for emit in app.outbox()] == ["sending"] * 5 + ["waiting"] * 15
    fake.handler = lambda command, gateway: gateway.append(command)
    fake.cut()
    app.wait_size(0)
    assert len(fake.stream) == 20


# --- refused


@pytest.mark.parametrize("topic, code", [("readonly.a", 103), ("nobody.knows", 102), ("ch.a", 107), ("st.\u0001", 107)])
def test_a_final_refusal(app, redis, topic, code):
    app.open()
    app.emit(topic, 1, "bad")
    app.emit("st.a", 1, "good")
    error = app.wait_error("bad")
    assert error["code"] == code and error["message"]
    assert app.wait_told("undeliverable", "bad")["code"] == code
    app.wait_result("good")
    app.wait_size(0)
    app.reload()
    app.wait_ready()
    assert app.size == 0 and len(app.told()) == 2


@pytest.mark.parametrize("answer", [
    {"code": 121, "reason": "event_invalid", "message": "No.", "pointer": "/data/x"},
    {"code": 122, "reason": "id_conflict", "message": "No."},
    {"code": 106, "reason": "limit_exceeded", "message": "No."},
    {"code": 999, "reason": "of_a_later_version", "message": "No.", "unknown": True, "stack": "x"},
])
def test_each_final_refusal_is_told_as_it_came(app, make_fake_gateway, answer):
    fake = make_fake_gateway(lambda command, gateway: answer if command["id"] == "bad" else gateway.append(command))
    app.open(fake.url)
    app.emit("a", {"data": {"x": 1}}, "bad")
    app.emit("a", 2, "good")
    error = app.wait_error("bad")
    assert (error["code"], error["reason"], error["message"]) == (answer["code"], answer["reason"], answer["message"])
    assert error["pointer"] == answer.get("pointer")
    assert app.wait_told("undeliverable", "bad")["event"] == {"data": {"x": 1}}
    app.wait_result("good")
    assert len(fake.emits(id="bad")) == 1


@pytest.mark.parametrize("script, code, reason", [
    ("gate.emit('a', undefined)", 121, "event_invalid"),
    ("gate.emit('a', () => 1)", 121, "event_invalid"),
    ("gate.emit('a', 1n)", 121, "event_invalid"),
    ("(() => { const a = {}; a.a = a; return gate.emit('a', a); })()", 121, "event_invalid"),
    ("gate.emit('', 1)", 107, "bad_request"),
    ("gate.emit(7, 1)", 107, "bad_request"),
    ("gate.emit('a', 1, { id: '' })", 107, "bad_request"),
    ("gate.emit('a', 1, { id: 7 })", 107, "bad_request"),
    ("(gate.close(), gate.emit('a', 1))", 0, "closed"),
])
def test_what_is_no_emit_is_refused_at_once(app, make_fake_gateway, script, code, reason):
    app.open(make_fake_gateway().url)
    error = app.driver.execute_async_script(
        f"const done = arguments[0]; {script}.then(done, (error) => done([error.name, error instanceof Error, error.code, error.reason, error.message]))")
    assert error[:4] == ["HeadgateError", True, code, reason] and error[4]
    assert app.size == 0 and app.told() == []


@pytest.mark.parametrize("answer", [
    {"code": 108, "reason": "unavailable", "message": "Later.", "retry_ms": 20},
    {"code": 108, "reason": "unavailable", "message": "Later."},
    {"code": 111, "reason": "too_many_requests", "message": "Later.", "retry_ms": 20},
    {"code": 998, "reason": "of_a_later_version", "message": "Later.", "retry_ms": 20},
])
def test_a_passing_refusal_keeps_the_order(app, make_fake_gateway, answer):
    chance = random.Random(7)
    fake = make_fake_gateway(lambda command, gateway: answer if chance.random() < 0.3 else gateway.append(command))
    app.open(fake.url)
    for topic in ("a", "b"):
        app.emit_many(topic, range(12))
    app.wait_size(0)
    for topic in ("a", "b"):
        assert [id for t, id, _ in fake.stream if t == topic] == named(topic, range(12))  # noqa: A001
    assert len(fake.emits()) > 24 and app.errors() == {}


def test_it_waits_as_long_as_it_is_told(app, make_fake_gateway):
    fake = make_fake_gateway(lambda command, gateway: (
        {"code": 111, "reason": "too_many_requests", "message": "Later.", "retry_ms": 600000} if command["topic"] == "a" else gateway.append(command)))
    app.open(fake.url)
    app.emit_many("a", range(2))
    app.wait(lambda: len(fake.emits()) == 1, "one emit")
    # Other topics do not wait.
    app.emit_many("b", range(100))
    app.wait_size(2)
    assert len(fake.emits(topic="a")) == 1


def test_what_was_refused_unread_was_not_sent(app, make_fake_gateway):
    """Error 111 tells that nothing was appended: such an emit never becomes undecided."""
    fake = make_fake_gateway(lambda command, gateway: {"code": 111, "reason": "too_many_requests", "message": "Later.", "retry_ms": 100},
                             dedupe_window_ms=1000)
    app.open(fake.url)
    app.emit("a", 1, "one")
    begun = app.script("return performance.now()")
    app.wait(lambda: app.script("return performance.now()") > begun + 3000 and len(fake.emits()) > 3, "more than the window")
    assert app.told() == []
    fake.handler = lambda command, gateway: gateway.append(command)
    app.wait_result("one")


# --- the end


def test_close_leaves_what_is_unanswered_for_the_next_page(app, make_fake_gateway):
    fake = make_fake_gateway(lambda command, gateway: None)
    app.open(fake.url)
    app.emit_many("a", range(3))
    app.wait(lambda: fake.emits(), "an emit at the gateway")
    app.driver.execute_async_script("gate.close().then(arguments[0])")
    assert {error["reason"] for error in app.errors().values()} == {"closed"} and len(app.errors()) == 3
    assert app.told() == [] and app.state == "closed"
    fake.handler = lambda command, gateway: gateway.append(command)
    app.start()
    app.wait_size(0)
    assert [id for _, id, _ in fake.stream] == named("a", range(3))  # noqa: A001


def test_what_the_application_throws_is_its_own(app, make_fake_gateway):
    app.open(make_fake_gateway().url)
    app.script("window.thrown = []; addEventListener('error', (event) => thrown.push(event.message)); sessionStorage.setItem('told', '{')")
    app.emit_many("a", range(3))
    app.wait_size(0)
    app.wait(lambda: len(app.script("return thrown")) == 3, lambda: app.script("return thrown"))
    app.script("sessionStorage.removeItem('told')")


# --- all of it at once

TOPICS = ["st.a", "st.b", "st.c"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_once_whatever_breaks(app, gateway, road, redis, seed):
    chance = random.Random(seed)
    app.open()
    made = {topic: 0 for topic in TOPICS}

    def emit():
        for topic in TOPICS:
            first = made[topic]
            made[topic] += chance.randrange(1, 15)
            app.emit_many(topic, range(first, made[topic]))
        app.wait_stored()

    def restart():
        gateway.kill9()
        gateway.start()

    def hang():
        redis.pause()
        emit()
        chance.choice([road.cut, app.reload])()
        emit()
        redis.resume()

    for _ in range(10):
        emit()
        chance.choice([road.cut, app.reload, app.reload, restart, hang])()
        if chance.random() < 0.5:
            count = len(app.told())
            app.wait(lambda: len(app.told()) > count or app.size == 0, "an acknowledgement")  # noqa: B023
    app.wait_size(0)
    assert app.told("undeliverable") == []
    assert sum(made.values()) > 100
    for topic in TOPICS:
        assert faults(named(topic, range(made[topic])), entries(redis, topic), acknowledged(app, topic)) == []


@pytest.mark.parametrize("emitted, stream, told, says", [
    ("ab", "ab", "ab", None),
    ("ab", "ab", "abab", None),
    ("ab", "a", "ab", "b was lost"),
    ("ab", "abb", "ab", "b stands 2 times"),
    ("ab", "ba", "ab", "the order is another one"),
    ("ab", "abc", "ab", "c was never emitted"),
    ("ab", "ab", "a", "b was not acknowledged"),
    ("ab", "ab", "aB", "b was not acknowledged"),
])
def test_the_check_finds_what_it_should(emitted, stream, told, says):
    found = faults(list(emitted), [(f"{n}-0", id, "") for n, id in enumerate(stream)],  # noqa: A001
                   [(id, f"{stream.find(id)}-0~00000000") for id in told])
    assert (found == []) if says is None else any(says in fault for fault in found), found


def test_the_check_finds_a_wrong_place():
    assert faults(["a"], [("1-0", "a", "")], [("a", "2-0~00000000")]) == ["a was acknowledged with 2-0~00000000 and stands at 1-0"]
