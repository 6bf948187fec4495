"""headgate filter: what a filter makes of an event, in words a user can act on."""
import json
import subprocess

import pytest

from harness import BINARY

EVENT = b'{"type":"OrderPlaced","data":{"total":90}}'


def run(*args, event=EVENT):
    return subprocess.run([BINARY, "filter", *args], input=event, capture_output=True, timeout=60)


@pytest.mark.parametrize("text, code", [
    ("type = 'OrderPlaced'", 0),
    ("data.total > 100", 1),
    ('{"exact": {"type": "OrderPlaced"}}', 0),
    ('{"not": {"sql": "type = \'OrderPlaced\'"}}', 1),
])
def test_the_exit_code_tells(text, code):
    assert run(text).returncode == code


def test_the_text_says_which_part_decided():
    out = run("type = 'OrderPlaced' AND data.total > 100").stdout.decode()
    assert out.startswith("does not pass\n")
    decides = [line for line in out.splitlines() if "decides" in line]
    assert len(decides) == 1 and "data.total > 100" in decides[0] and "90" in decides[0]


def test_json():
    told = json.loads(run("--json", "data.total < 100").stdout)
    assert told["result"] is True and told["tree"]["value"] is True


def test_the_topic():
    assert run("--topic", "orders.eu", "topic LIKE 'orders.%'").returncode == 0
    assert run("topic LIKE 'orders.%'").returncode == 1


def test_an_event_that_is_no_json():
    done = run("EXISTS type", event=b"\xff nonsense")
    assert done.returncode == 1 and b"not JSON" in done.stdout


def test_check():
    assert run("--check", "a = 1").returncode == 0
    done = run("--check", "type = 'a' AND data.total >> 3")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert "column 28" in lines[0]
    assert lines[2].index("^") == lines[1].index(">>") + 1


def test_a_hint():
    done = run("--check", "a AND b OR c")
    assert done.returncode == 0 and b"Parentheses" in done.stderr


@pytest.mark.parametrize("args", [(), ("a", "b"), ("--nonsense", "a"), ("--topic",), ("a" * 5000,), ("{not json",)])
def test_wrong_use(args):
    done = run(*args)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_help():
    done = run("--help")
    assert done.returncode == 0 and b"Usage: headgate filter" in done.stdout
