"""A browser and the page in it, with verbs that wait for conditions and never for time."""

import json
import os
import time
from urllib.parse import urlencode

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split() + ["--host-resolver-rules=MAP headgate.test 127.0.0.1"]  # a page from another machine without TLS, as browsers see it
DEADLINE = 20 * float(os.environ.get("HEADGATE_SLOW", "1"))


def start_driver(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Page:
    def __init__(self, driver, url):
        self.driver = driver
        self.url = url.rstrip("/") + "/"
        self.excused = []  # console errors that a test expects

    # --- opening and looking

    def open(self, query=(), live=True):
        self.driver.get(self.url + ("?" + urlencode(query) if query else ""))
        if live:
            self.wait_state("Live")
        return self

    def size(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, **features):
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """The text of the first match, seen or not; None when there is none."""
        return self.script("return document.querySelector(arguments[0])?.textContent ?? null", selector)

    def texts(self, selector):
        return self.script("return [...document.querySelectorAll(arguments[0])].map((n) => n.textContent)", selector)

    def shown(self, selector):
        return self.script("return document.querySelector(arguments[0])?.checkVisibility() ?? false", selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE
        while True:
            try:
                value = condition()
            except StaleElementReferenceException:
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"did not come about in time: {what() if callable(what) else what}")
            time.sleep(0.02)

    def wait_text(self, selector, part):
        return self.wait(lambda: part in (self.text(selector) or ""), lambda: f"{part!r} in {selector}: {self.text(selector)!r}")

    def wait_state(self, name):
        return self.wait(lambda: self.text("#state-name") == name, lambda: f"state {name}: {self.text('#head')!r}")

    def console_errors(self):
        errors = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [message for message in errors if not any(part in message for part in self.excused)]

    # --- subscriptions

    def subscribe(self, topic, start="live", last=None, since=None, speed=None, key=None, every=None, rate=None):
        self.fill("#subscribe-topic", topic)
        self.choose("from", start)
        if speed or key or rate:
            self.script("document.querySelector('#subscribe-more').open = true")
            self.choose("deliver", "latest" if key else "rate" if rate else "all")
        given = {"last": last, "since": since, "speed": speed, "key": key, "every": every, "rate": rate}
        for name, value in given.items():
            if value is not None:
                self.fill(f"#subscribe-form input[name={name}]", str(value))
        self.click("#subscribe-form .main")

    def choose(self, name, value):
        self.script("document.querySelector(`#subscribe-form input[name=${arguments[0]}][value=${arguments[1]}]`).click()", name, value)

    def subscription(self, topic):
        """{state, facts, trouble} of one row of the list, or None."""
        return self.script(
            """for (const row of document.querySelectorAll('.sub')) {
                 const part = (name) => row.querySelector(name).textContent;
                 if (part('.sub-topic') === arguments[0])
                   return {state: part('.sub-state'), facts: part('.sub-facts'), trouble: part('.sub-trouble')};
               }
               return null;""",
            topic,
        )

    def wait_subscribed(self, topic, state="Live"):
        self.wait(lambda: (self.subscription(topic) or {}).get("state") == state, lambda: f"{topic} {state}: {self.subscription(topic)}")

    # --- events

    def rows(self):
        """[topic, text] of the rows in sight, the newest first."""
        return self.script(
            "return [...document.querySelectorAll('#event-rows .row')]"
            ".map((row) => [row.querySelector('.row-topic').textContent, row.querySelector('.row-text').textContent])"
        )

    def wait_row(self, topic, part):
        found = lambda: next((row for row in self.rows() if row[0] == topic and part in row[1]), None)  # noqa: E731
        return self.wait(found, lambda: f"a row {topic} with {part!r}: {self.rows()[:10]}")

    def received(self):
        return int(self.text("#count-total").replace(",", ""))

    def wait_received(self, count):
        self.wait(lambda: self.received() >= count, lambda: f"{count} events; {self.received()} came")

    def select_row(self, part):
        self.wait(lambda: self._press_row(part), lambda: f"a row with {part!r} to press: {self.rows()[:10]}")
        self.wait(lambda: self.shown("#inspector"), "the inspector")

    def _press_row(self, part):
        for row in self.driver.find_elements(By.CSS_SELECTOR, "#event-rows .row"):
            if part in row.text:
                row.click()
                return True
        return False

    # --- hands

    def click(self, selector):
        self.find(selector).click()

    def fill(self, selector, text):
        field = self.find(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier, key):
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def focused(self):
        return self.script("return document.activeElement.id")

    def tab_to(self, element_id):
        """Presses Tab until the element has the focus; everything passed on the way must show that it has it."""
        for _ in range(60):
            self.keys(Keys.TAB)
            assert self.script(FOCUS_SHOWN), f"the focus cannot be seen on {self.script('return document.activeElement.outerHTML')[:200]}"
            if self.focused() == element_id:
                return
        raise AssertionError(f"Tab does not lead to #{element_id}")

    def accessibility_nodes(self):
        return self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]


# A hidden radio button shows its focus on the words beside it.
FOCUS_SHOWN = """
  const at = document.activeElement;
  if (at === document.body) return true;
  const seen = at.type === 'radio' ? at.nextElementSibling : at;
  const style = getComputedStyle(seen);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
"""


def event(**members):
    return json.dumps(members)
