"""Fixtures: one browser for all tests; each test has its own Redis, its own gateway and a page that remembers nothing."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scenario"))

from app import App  # noqa: E402
from browser import Page, start_driver  # noqa: E402
from fake_gateway import FakeGateway  # noqa: E402
from harness import Gateway, RedisServer, free_port  # noqa: E402
from relay import Relay  # noqa: E402


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path / "redis")
    yield server
    server.done()


def pytest_configure(config):
    config.addinivalue_line("markers", "settings(**settings): the gateway's, laid over those of the harness")


@pytest.fixture
def gateway(request, tmp_path, redis):
    settings = request.node.get_closest_marker("settings")
    # A fixed port: the page must find the gateway again after a restart.
    server = Gateway(tmp_path / "gateway", redis.url, settings and settings.kwargs, listen=f"127.0.0.1:{free_port()}")
    yield server
    # Not done(): that waits until no client holds a connection, and a browser keeps idle ones for minutes.
    assert server.alive(), "the gateway ended by itself"
    server.end_with(signal.SIGTERM)


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    driver = start_driver(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def road(gateway):
    """The road from the page to the gateway; tests can cut it."""
    relay = Relay(gateway.port)
    yield relay
    relay.done()


@pytest.fixture
def page(request, driver, gateway):
    on_the_road = "road" in request.fixturenames
    page = Page(driver, f"http://127.0.0.1:{request.getfixturevalue('road').port}" if on_the_road else gateway.url)
    page.size(1400, 900)
    page.media(prefers_reduced_motion="reduce")
    driver.get_log("browser")
    yield page
    errors = page.console_errors()
    # Away from the page first: the gateway counts its clients when it ends.
    driver.get("about:blank")
    assert not errors, "\n".join(errors)


@pytest.fixture
def app(request, driver, gateway):
    """An application with the library at /client/, in a tab that remembers nothing."""
    on_the_road = "road" in request.fixturenames
    app = App(driver, f"http://127.0.0.1:{request.getfixturevalue('road').port}" if on_the_road else gateway.url)
    first = driver.current_window_handle
    yield app
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)
    driver.get("about:blank")
    driver.get_log("browser")


@pytest.fixture
def make_fake_gateway():
    """make_fake_gateway(handler, **limits): see fake_gateway.py."""
    fakes = []

    def make(handler=None, **limits):
        fakes.append(FakeGateway(handler, **limits))
        return fakes[-1]

    yield make
    for fake in fakes:
        fake.done()
