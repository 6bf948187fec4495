"""The command line, the configuration file and its error messages."""

import json
import re
import signal
import socket

import pytest

from harness import ROOT, Gateway, free_port, run_gateway, wait_until

GOOD = {"listen": "127.0.0.1:0", "redis": "redis://127.0.0.1:6379", "topics": [{"match": "**", "source": "auto"}]}


def write(tmp_path, content, name="headgate.json"):
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return file


def test_version():
    result = run_gateway("--version")
    assert result.returncode == 0 and re.fullmatch(r"headgate \d+\.\d+\.\d+\S*(\n.*)*\n", result.stdout), result


def test_help_tells_every_option():
    result = run_gateway("--help")
    assert result.returncode == 0 and not result.stderr
    for option in ("--config", "--listen", "--redis", "--check-config", "--dump-config", "--version", "--help"):
        assert option in result.stdout


@pytest.mark.parametrize("args", [["--nonsense"], ["--config"], ["--listen"], ["extra"], ["--listen", "nonsense"], ["--redis", "http://x"],
                                  ["--listen", "127.0.0.1:99999"], ["--config", "/no/such/file"]])
def test_bad_arguments(args):
    result = run_gateway(*args)
    assert result.returncode not in (0, None) and result.returncode > 0
    assert result.stderr.strip() and len(result.stderr.strip().splitlines()) <= 5, result.stderr


def test_check_config_of_a_good_file(tmp_path):
    result = run_gateway("--check-config", "--config", write(tmp_path, GOOD))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["headgate.json", "production.json"])
def test_the_files_in_config_are_good(name):
    result = run_gateway("--check-config", "--config", ROOT / "config" / name)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("text, line, words", [
    ('{\n  "listen": "127.0.0.1:0",\n  "colour": "blue"\n}', 3, ["colour"]),
    ('{\n  "page": "yes"\n}', 2, ["page", "yes"]),
    ('{\n\n\n  "linger_ms": "10"\n}', 4, ["linger_ms", "10"]),
    ('{\n  "connections_max": 0\n}', 2, ["connections_max", "0", "1"]),
    ('{\n  "connections_max": 99999999999\n}', 2, ["connections_max", "99999999999", "1000000"]),
    ('{\n  "connections_max": 1.5\n}', 2, ["connections_max", "1.5"]),
    ('{\n  "listen": "nonsense"\n}', 2, ["listen", "nonsense"]),
    ('{\n  "redis": "http://x"\n}', 2, ["redis"]),
    ('{\n  "log_level": "loud"\n}', 2, ["log_level", "loud", "warning"]),
    ('{\n  "origins": "https://x"\n}', 2, ["origins"]),
    ('{\n  "origins": [\n    "https://x",\n    5\n  ]\n}', 4, ["origins[1]", "5"]),
    ('{\n  "topics": {}\n}', 2, ["topics"]),
    ('{\n  "topics": [\n    {"match": "a", "source": "channel"},\n    {"match": "b", "source": "strem"}\n  ]\n}', 4,
     ["topics[1].source", "strem", "auto", "channel", "stream"]),
    ('{\n  "topics": [\n    {"source": "stream"}\n  ]\n}', 3, ["topics[0]", "match"]),
    ('{\n  "topics": [\n    {"match": "a*b"}\n  ]\n}', 3, ["topics[0].match", "a*b"]),
    ('{\n  "topics": [\n    {"match": "a", "colour": 1}\n  ]\n}', 3, ["topics[0].colour"]),
    ('{\n  "topics": [\n    {"match": "a",\n     "maxlen": -1}\n  ]\n}', 4, ["topics[0].maxlen", "-1"]),
    ('{\n  "page": true,\n  "page": false\n}', 3, ["page"]),
    ('{\n  "page": true,\n}', 3, []),
    ('{\n  "page": tru\n}', 2, []),
    ('{\n  "topics": [\n    {"match": "a",\n     "carry": ["user",\n       "name"]}\n  ]\n}', 5, ["topics[0].carry[1]", "name", "session"]),
    ('{\n  "topics": [\n    {"match": "a", "source": "channel",\n     "types": ["x"]}\n  ]\n}', 4, ["topics[0].types", "stream"]),
    ("", 1, []),
    ("[]", 1, []),
    ('{"page": true} x', 1, []),
])
def test_bad_files_are_told_with_path_line_and_what_is_allowed(tmp_path, text, line, words):
    result = run_gateway("--check-config", "--config", write(tmp_path, text))
    assert result.returncode not in (0, None) and result.returncode > 0
    message = result.stderr
    assert re.search(rf"headgate\.json:{line}\b", message), message
    for word in words:
        assert word in message, message


def test_check_config_tells_of_each_rule_what_is_not_as_usual(tmp_path):
    topics = [
        {"match": "plain", "source": "stream"},
        {"match": "orders.*", "source": "stream", "key": "events:{topic}", "maxlen": 9, "emit_rate": 50, "durability": "replicas:2",
         "carry": ["user", "ip"], "types": ["order.*"], "require": ["subject"], "dead_letter": "dead:{topic}"},
        {"match": "clicks", "dedupe": "best_effort"},
        {"match": "audit", "source": "stream", "emit": False, "emit_rate": 50},
        {"match": "prices", "source": "channel"},
    ]
    result = run_gateway("--check-config", "--config", write(tmp_path, {**GOOD, "topics": topics}))
    assert result.returncode == 0, result.stderr
    assert [line.strip() for line in result.stdout.splitlines()[-5:]] == [
        "plain     stream   {topic}, clients may emit",
        "orders.*  stream   events:{topic}, clients may emit (50 a second, acknowledged after replicas:2, with user, ip, of certain "
        "types, with certain attributes, invalid ones to dead:{topic}), about 9 entries kept",
        "clicks    auto     key {topic} or channel {topic}, clients may emit (perhaps twice)",
        "audit     stream   {topic}, no emits",
        "prices    channel  {topic}",
    ]


def test_a_bad_file_is_refused_at_start_too(tmp_path):
    result = run_gateway("--config", write(tmp_path, '{"colour": 1}'))
    assert result.returncode > 0 and "colour" in result.stderr


def test_dump_config_reads_back_to_the_same(tmp_path):
    config = {**GOOD, "linger_ms": 1234, "origins": ["https://a.example", "https://b.example"],
              "topics": [{"match": 'q"uo\\te.*', "source": "stream", "key": "x:{topic}", "maxlen": 7, "emit": False, "dedupe": "best_effort",
                          "carry": ["ip", "user"], "types": ["a.*"], "require": ["x=\"y\""], "dead_letter": "dead", "emit_rate": 3},
                         {"match": "b", "durability": "replicas:3"}]}
    first = run_gateway("--dump-config", "--config", write(tmp_path, config))
    assert first.returncode == 0, first.stderr
    dumped = json.loads(first.stdout)
    assert dumped["linger_ms"] == 1234 and dumped["origins"] == config["origins"] and dumped["page"] is True
    for rule, given in zip(dumped["topics"], config["topics"], strict=True):
        assert {**rule, **given} == rule
    second = run_gateway("--dump-config", "--config", write(tmp_path, first.stdout, "again.json"))
    assert second.stdout == first.stdout


def test_dump_config_hides_passwords(tmp_path):
    result = run_gateway("--dump-config", "--config", write(tmp_path, {**GOOD, "redis": "redis://user:hunter2@127.0.0.1"}))
    assert result.returncode == 0 and "hunter2" not in result.stdout + result.stderr


def test_dump_config_without_a_file_is_the_defaults():
    result = run_gateway("--dump-config")
    assert result.returncode == 0
    assert json.loads(result.stdout)["listen"] == "127.0.0.1:8080"


def test_environment_overrides_the_file_and_flags_override_both(tmp_path):
    file = write(tmp_path, {**GOOD, "linger_ms": 1000})

    def dump(*args, **env):
        result = run_gateway("--dump-config", "--config", file, *args, env=env)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    assert dump(HEADGATE_LISTEN="127.0.0.1:7001")["listen"] == "127.0.0.1:7001"
    assert dump(HEADGATE_REDIS="redis://127.0.0.1:7002")["redis"] == "redis://127.0.0.1:7002"
    assert dump(HEADGATE_LINGER_MS="77")["linger_ms"] == 77
    assert dump(HEADGATE_PAGE="false")["page"] is False
    assert dump(HEADGATE_ORIGINS="https://a.example,https://b.example")["origins"] == ["https://a.example", "https://b.example"]
    both = dump("--listen", "127.0.0.1:7003", "--redis", "redis://127.0.0.1:7004", HEADGATE_LISTEN="127.0.0.1:7001",
                HEADGATE_REDIS="redis://127.0.0.1:7002")
    assert (both["listen"], both["redis"]) == ("127.0.0.1:7003", "redis://127.0.0.1:7004")
    assert dump("--listen=127.0.0.1:7005")["listen"] == "127.0.0.1:7005"


@pytest.mark.parametrize("name, value", [("HEADGATE_LINGER_MS", "soon"), ("HEADGATE_PAGE", "perhaps"), ("HEADGATE_CONNECTIONS_MAX", "0"),
                                         ("HEADGATE_NONSENSE", "1")])
def test_bad_environment_is_named(tmp_path, name, value):
    result = run_gateway("--check-config", "--config", write(tmp_path, GOOD), env={name: value})
    assert result.returncode > 0 and name in result.stderr, result


def test_flags_are_used(redis, tmp_path):
    port = free_port()
    gateway = Gateway(tmp_path, "redis://127.0.0.1:1", listen="127.0.0.1:1", args=["--listen", f"127.0.0.1:{port}", "--redis", redis.url])
    try:
        assert gateway.port == port
        gateway.client().subscribe("ch.x")
    finally:
        gateway.stop()


def test_environment_is_used(redis, tmp_path):
    gateway = Gateway(tmp_path, "redis://127.0.0.1:1", env={"HEADGATE_REDIS": redis.url, "HEADGATE_LISTEN": "127.0.0.1:0"})
    try:
        gateway.client().subscribe("ch.x")
    finally:
        gateway.stop()


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_gateway("--config", write(tmp_path, GOOD), "--listen", f"127.0.0.1:{port}")
        assert result.returncode > 0 and str(port) in result.stderr


def test_ipv6(redis, tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    gateway = Gateway(tmp_path, redis.url, listen="[::1]:0")
    try:
        assert "http://[::1]:" in gateway.log
        with socket.create_connection(("::1", gateway.port), timeout=10) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
            assert s.recv(12) == b"HTTP/1.1 200"
    finally:
        gateway.stop()


@pytest.mark.valgrind
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_before_any_client(redis, tmp_path, number):
    gateway = Gateway(tmp_path, redis.url)
    gateway.end_with(number)


def test_two_signals_are_no_worse_than_one(redis, tmp_path):
    gateway = Gateway(tmp_path, redis.url)
    client = gateway.client()
    gateway.process.send_signal(signal.SIGTERM)
    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not gateway.alive(), "the end")
    assert gateway.process.returncode == 0
    assert client.wait_closed()[0] == 1012


def test_a_closed_standard_error_is_no_reason_to_die(redis, gateway):
    """SIGPIPE and SIGHUP must not end a service."""
    gateway.process.send_signal(signal.SIGPIPE)
    gateway.check_serves()
