"""gateway/run, the first command of the README: up, tried, down, and the data is still there."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import redis as redis_py

from harness import BINARY, ROOT, WRAP, WsClient, free_port, wait_until

pytestmark = pytest.mark.skipif(
    Path(BINARY).resolve() != ROOT / "build/release/gateway/headgate" or bool(WRAP), reason="gateway/run runs the release build")


class Run:
    """The script as a process; `out` is what it said so far."""

    tls = None  # as of a Gateway

    def __init__(self, tmp_path, *args, state="state"):
        self.state = tmp_path / state
        self.logfile = tmp_path / f"run{free_port()}.log"
        self.clients = []
        with open(self.logfile, "wb") as log:
            self.process = subprocess.Popen(
                [ROOT / "gateway/run", "--state", self.state, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)

    @property
    def out(self):
        return self.logfile.read_text()

    def wait_up(self):
        wait_until(lambda: "Headgate is up" in self.out or self.process.poll() is not None, "the start", timeout=120)
        assert self.process.poll() is None, self.out
        self.port = int(re.search(r"Headgate is up: http://127\.0\.0\.1:(\d+)/", self.out).group(1))
        return self

    def tries(self):
        return [line.strip() for line in self.out.splitlines() if line.strip().startswith("redis-cli ")]

    def children(self):
        """By name. Those that the script calls for a moment may end while we look."""
        found = {}
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            for pid in file.read().split():
                try:
                    found[Path(f"/proc/{pid}/comm").read_text().strip()] = int(pid)
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return found

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def make_run(tmp_path):
    runs = []

    def make(*args, **kw):
        run = Run(tmp_path, *args, **kw)
        runs.append(run)
        return run

    yield make
    for run in runs:
        run.end(signal.SIGKILL)


def shell(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True, timeout=20).stdout


def test_up_tried_down_and_up_again(make_run):
    run = make_run("--listen", "127.0.0.1:0").wait_up()
    client = WsClient(run)
    client.subscribe("**")
    publish, xadd = run.tries()
    assert " PUBLISH " in publish and " XADD " in xadd
    assert shell(publish).strip() == "1"
    shell(xadd)
    client.wait_events(2)
    assert sorted((m["topic"], str(m["event"])) for m in client.events()) == [("events.orders", "{'n': 1}"), ("prices.BTC", "{'usd': 1}")]
    assert client.emit("events.orders", {"n": 2}, "id-1")["duplicate"] is False
    assert client.emit("events.orders", {"n": 2}, "id-1")["duplicate"] is True
    children = run.children()
    assert run.end() == 0, run.out
    assert client.wait_closed()[0] == 1012
    for pid in children.values():
        assert not Path(f"/proc/{pid}").exists()

    again = make_run("--listen", "127.0.0.1:0").wait_up()
    client = WsClient(again)
    sub = client.subscribe("events.orders", from_="start")
    assert [m["event"] for m in client.wait_events(2, sub)] == [{"n": 1}, {"n": 2}]
    assert client.emit("events.orders", {"n": 2}, "id-1")["duplicate"] is True
    assert again.end(signal.SIGINT) == 0, again.out


def test_redis_is_for_this_machine_alone(make_run):
    run = make_run("--listen", "127.0.0.1:0").wait_up()
    port = int((run.state / "redis/port").read_text())
    assert redis_py.Redis(port=port).config_get("bind")["bind"] == "127.0.0.1"
    assert (run.state / "redis").stat().st_mode & 0o077 == 0
    assert run.end() == 0


def test_a_state_folder_of_any_name(make_run):
    run = make_run("--listen", "127.0.0.1:0", state="with space ä %41/" + "x" * 100).wait_up()
    WsClient(run).subscribe("events.x")
    assert run.end() == 0, run.out


def test_a_state_folder_is_used_once(make_run):
    first = make_run("--listen", "127.0.0.1:0").wait_up()
    second = make_run("--listen", "127.0.0.1:0")
    assert second.process.wait(timeout=60) == 1
    assert "in use" in second.out
    assert first.end() == 0


def test_a_redis_of_ones_own(make_run, redis):
    run = make_run("--listen", "127.0.0.1:0", "--redis", redis.url).wait_up()
    client = WsClient(run)
    client.subscribe("**")
    for command in run.tries():
        shell(command)
    client.wait_events(2)
    assert "redis-server" not in run.children()
    assert run.end() == 0
    assert redis.client().xlen("events.orders") == 1


def test_a_port_that_is_taken(make_run, redis):
    run = make_run("--listen", f"127.0.0.1:{redis.port}")
    assert run.process.wait(timeout=60) == 1
    assert "taken" in run.out and str(redis.port) in run.out


@pytest.mark.parametrize("victim, name", [("headgate", "The gateway"), ("redis-server", "redis-server")])
def test_a_death_is_told_and_ends_it(make_run, victim, name):
    run = make_run("--listen", "127.0.0.1:0").wait_up()
    children = run.children()
    os.kill(children[victim], signal.SIGKILL)
    assert run.process.wait(timeout=60) == 1
    assert f"{name} ended unexpectedly" in run.out
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()), "the end of both")


def test_a_bad_configuration_is_told(make_run, tmp_path):
    config = tmp_path / "bad.json"
    config.write_text('{"colour": 1}')
    run = make_run("--listen", "127.0.0.1:0", "--config", config)
    assert run.process.wait(timeout=120) == 1
    assert "colour" in run.out


@pytest.mark.parametrize("args, code", [(["--help"], 0), (["--nonsense"], 2), (["--listen"], 2), (["--listen", "nonsense"], 1),
                                        (["--config", "/no/such/file"], 1)])
def test_arguments(make_run, args, code):
    run = make_run(*args)
    assert run.process.wait(timeout=60) == code
    assert "--listen" in run.out or code == 1
