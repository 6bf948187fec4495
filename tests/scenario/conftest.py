"""Fixtures: every test has its own Redis and its own gateway in its own folder, and each is checked at the end."""

import pytest

from harness import FakeRedis, Gateway, RedisServer


def pytest_make_parametrize_id(val):
    """Short names: pytest hands them to every child process in the environment."""
    text = val if isinstance(val, str) else repr(val)
    return text[:40] if isinstance(val, (str, bytes, int, list, dict, tuple)) else None


_told = []


@pytest.fixture
def tell(request):
    """tell(text): a line under the results, also of tests that pass."""
    return lambda text: _told.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter):
    for line in _told:
        terminalreporter.write_line(line)


@pytest.fixture
def make_redis(tmp_path):
    """make_redis(**options) starts another redis-server; all are ended with the test."""
    servers = []

    def make(**opts):
        server = RedisServer(tmp_path / f"redis{len(servers)}", **opts)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.done()


@pytest.fixture
def redis(make_redis):
    return make_redis()


@pytest.fixture
def make_gateway(tmp_path):
    """make_gateway(redis_or_url, **config) starts a gateway; at the end of the test each must end cleanly."""
    gateways = []

    def make(target, env=None, args=(), **config):
        url = target if isinstance(target, str) else target.url
        gateway = Gateway(tmp_path / f"gateway{len(gateways)}", url, config=config, env=env, args=args, start=False)
        gateways.append(gateway)
        return gateway.start()

    yield make
    faults = []
    for gateway in gateways:
        try:
            gateway.done()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def gateway(redis, make_gateway):
    return make_gateway(redis)


@pytest.fixture
def client(gateway):
    return gateway.client()


@pytest.fixture
def make_fake_redis():
    """make_fake_redis(handler): see harness.FakeRedis."""
    servers = []

    def make(handler):
        server = FakeRedis(handler)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.done()
