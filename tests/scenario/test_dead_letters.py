"""Emits that a topic refuses are kept with all that is known, and `headgate deadletter` puts them right."""

import base64
import json
import re
import subprocess

import pytest
import redis as redis_py

from harness import BINARY, DEADLINE, Refused, run_gateway, wait_until

RULE = {"match": "orders.*", "source": "stream", "key": "events:{topic}", "require": ["subject"], "types": ["order.*"],
        "carry": ["session", "ip"], "dead_letter": "dead:{topic}"}
SHARED = {"match": "shared.*", "source": "stream", "types": ["good"], "dead_letter": "dead-shared"}
LAX = {"require": [], "types": []}

GOOD = {"type": "order.placed", "subject": "o-1"}
NO_SUBJECT = {"type": "order.placed"}
BAD_TYPE = {"type": "cart", "subject": "o-1"}


@pytest.fixture
def shop(redis, make_gateway):
    return make_gateway(redis, topics=[RULE, SHARED], event_bytes_max=1024)


def refuse(client, event, event_id, topic="orders.eu"):
    with pytest.raises(Refused) as refused:
        client.emit(topic, event, event_id)
    return refused.value.error


def deadletter(*args, config=None, code=0, **kw):
    """Runs it and returns its standard output; `config`: a gateway's. `code` None: any."""
    done = run_gateway("deadletter", *args, *(["--config", config.config_file] if config else []), **kw)
    assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def relax(gateway, rule=RULE, **changes):
    """The gateway's file with other rules; the command reads it anew each time."""
    config = {**gateway.config, "topics": [{**rule, **LAX, **changes}, SHARED]}
    gateway.config_file.write_text(json.dumps(config))


def letters(redis, stream="dead:orders.eu"):
    return [(entry.decode(), {k.decode(): v for k, v in fields.items()}) for entry, fields in redis.client().xrange(stream)]


def events(redis, stream="events:orders.eu"):
    return [(fields[b"id"].decode(), json.loads(fields[b"event"])) for _, fields in redis.client().xrange(stream)]


# ------------------------------------------------------------------------------------------------------- what is kept


@pytest.mark.valgrind
def test_an_invalid_event_is_kept_with_all_that_is_known(redis, shop):
    client = shop.client()
    event = b'{ "type":"cart",\t"subject" : "\xc3\xb6" }'
    error = refuse(client, event, "i-1")
    assert (error["code"], error["reason"], error["pointer"]) == (121, "event_invalid", "/type")
    ((entry, fields),) = letters(redis)
    assert fields == {
        "event": event, "id": b"i-1", "topic": b"orders.eu", "code": b"121", "reason": b"event_invalid",
        "message": error["message"].encode(), "pointer": b"/type", "session": client.welcome["session"].encode(), "ip": b"127.0.0.1",
    }
    assert list(fields)[:2] == ["event", "id"]
    assert redis.client().exists("events:orders.eu") == 0


def test_what_is_missing_has_the_whole_event_as_its_place(redis, shop):
    error = refuse(shop.client(), NO_SUBJECT, "i-1")
    assert error["code"] == 121 and error["pointer"] == "" and "subject" in error["message"]
    assert "pointer" not in letters(redis)[0][1]


def test_too_large(redis, shop):
    error = refuse(shop.client(), {**GOOD, "x": "y" * 1024}, "i-1")
    assert error["code"] == 123 and "pointer" not in error
    ((_, fields),) = letters(redis)
    assert (fields["code"], fields["reason"]) == (b"123", b"event_too_large")
    assert json.loads(fields["event"])["x"] == "y" * 1024


@pytest.mark.valgrind
def test_the_same_id_for_another_event(redis, shop):
    client = shop.client()
    client.emit("orders.eu", GOOD, "i-1")
    for n in range(20):  # others under way around it
        client.send({"op": "emit", "ref": f"n{n}", "topic": "orders.eu", "id": f"n-{n}", "event": {**GOOD, "n": n}})
        if n == 10:
            client.send({"op": "emit", "ref": "conflict", "topic": "orders.eu", "id": "i-1", "event": {**GOOD, "n": 99}})
    assert client.answer_to("conflict")["code"] == 122
    assert all(client.answer_to(f"n{n}")["op"] == "ok" for n in range(20))
    ((_, fields),) = letters(redis)
    assert (fields["code"], fields["reason"], fields["id"]) == (b"122", b"id_conflict", b"i-1")
    assert redis.client().xlen("events:orders.eu") == 21


def test_the_same_refusal_again_is_kept_once(redis, shop, make_gateway):
    for client in (shop.client(), shop.client()):
        refuse(client, NO_SUBJECT, "i-1")
    refuse(shop.client(), BAD_TYPE, "i-1")
    assert [fields["id"] for _, fields in letters(redis)] == [b"i-1", b"i-1"]


def test_without_a_dead_letter_nothing_is_kept(redis, make_gateway):
    client = make_gateway(redis, topics=[{**RULE, "dead_letter": ""}]).client()
    assert refuse(client, NO_SUBJECT, "i-1")["code"] == 121
    assert redis.client().dbsize() == 0


def test_while_redis_is_away_a_refusal_waits_for_its_letter(redis, make_gateway):
    gateway = make_gateway(redis, topics=[RULE], emit_timeout_ms=60000, redis_timeout_ms=60000, canary_ms=60000)
    client = gateway.client()
    client.emit("orders.eu", GOOD, "warm")
    redis.pause()
    try:
        client.send({"op": "emit", "ref": "r", "topic": "orders.eu", "id": "i-1", "event": NO_SUBJECT})
        client.ping()
        assert not [m for m in client.messages if m.get("ref") == "r"]
    finally:
        redis.resume()
    assert client.answer_to("r")["code"] == 121
    assert len(letters(redis)) == 1


def test_a_user_who_may_not_write_the_letters(redis, make_gateway):
    """The event is refused all the same: its client could never do better. The log tells the operator."""
    admin = redis.client()
    admin.execute_command("ACL", "SETUSER", "gate", "on", ">pw", "~events:*", "~headgate:*", "&*", "+@all")
    gateway = make_gateway(f"redis://gate:pw@127.0.0.1:{redis.port}", topics=[RULE])
    client = gateway.client()
    client.emit("orders.eu", GOOD, "i-0")
    assert refuse(client, NO_SUBJECT, "i-1")["code"] == 121
    gateway.wait_log("redis refuses emits: NOPERM")
    assert admin.exists("dead:orders.eu") == 0
    assert client.emit("orders.eu", GOOD, "i-2")["duplicate"] is False


# ------------------------------------------------------------------------------------------------------ list and show


def test_list_tells_the_streams(redis, shop):
    assert "there are no dead letters" in deadletter("list", "--config", write_rules(shop, [RULE])).stderr
    client = shop.client()
    for n in range(3):
        refuse(client, NO_SUBJECT, f"i-{n}")
    refuse(client, NO_SUBJECT, "us", topic="orders.us")
    refuse(client, {"type": "bad"}, "s", topic="shared.a")
    redis.client().set("dead:orders.string", "no stream")
    redis.client().xadd("dead:nothing-of-the-rules", {"event": 1})
    lines = deadletter("list", config=shop).stdout.splitlines()
    assert lines[0].split() == ["STREAM", "LETTERS", "OLDEST", "NEWEST"]
    assert [line.split()[:2] for line in lines[1:]] == [["dead-shared", "1"], ["dead:orders.eu", "3"], ["dead:orders.us", "1"]]
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)
    told = [json.loads(line) for line in deadletter("list", "--json", config=shop).stdout.splitlines()]
    assert [(row["stream"], row["letters"]) for row in told] == [("dead-shared", 1), ("dead:orders.eu", 3), ("dead:orders.us", 1)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["oldest"]) for row in told)


def write_rules(gateway, topics):
    file = gateway.dir / "other.json"
    file.write_text(json.dumps({**gateway.config, "topics": topics}))
    return file


def test_list_tells_the_letters(redis, shop):
    client = shop.client()
    for n in range(5):
        refuse(client, NO_SUBJECT, f"i-{n}")
    entries = [entry for entry, _ in letters(redis)]
    lines = deadletter("list", "--topic", "orders.eu", config=shop).stdout.splitlines()
    assert lines[0].split()[0] == "LETTER"
    rows = [line.split() for line in lines[1:]]
    assert [row[0] for row in rows] == entries
    assert rows[0][2:] == ["orders.eu", "event_invalid", "i-0", str(len(json.dumps(NO_SUBJECT))),
                           f"-/{client.welcome['session']}/127.0.0.1"]
    # The newest only, by the key alone, without a configuration.
    done = deadletter("list", "dead:orders.eu", "--count", "2", "--redis", redis.url)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == entries[-2:]
    assert "older" in done.stderr
    assert "older" not in deadletter("list", "dead:orders.eu", "--count", "5", "--redis", redis.url).stderr
    told = [json.loads(line) for line in deadletter("list", "--topic", "orders.eu", "--json", config=shop).stdout.splitlines()]
    assert [row["entry"] for row in told] == entries
    assert told[0]["event"] == NO_SUBJECT and told[0]["code"] == 121 and told[0]["id"] == "i-0"


def test_many_letters_go_by_in_pages(redis):
    client = redis.client()
    for n in range(1000):
        client.xadd("dead:x", {"event": n, "id": f"i-{n}", "topic": "x", "code": 121, "reason": "event_invalid", "message": "m"})
    client.xadd("dead:x", {"event": 1})
    done = deadletter("list", "dead:x", "--count", "0", "--json", "--redis", redis.url)
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == list(range(1000))
    assert "1 entries of dead:x are no dead letters" in done.stderr
    done = deadletter("list", "dead:x", "--count", "300", "--json", "--redis", redis.url)
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == list(range(700, 1000))
    assert len(deadletter("list", "dead:x", "--json", "--redis", redis.url).stdout.splitlines()) == 100
    assert deadletter("drop", "--all", "--yes", "dead:x", "--redis", redis.url, code=1).stdout == "1000 dropped\n"
    assert client.xlen("dead:x") == 1


def test_letters_of_one_topic_in_a_stream_that_topics_share(redis, shop):
    client = shop.client()
    for n in range(6):
        refuse(client, {"type": "bad", "n": n}, f"i-{n}", topic="shared.even" if n % 2 == 0 else "shared.odd")
    told = deadletter("list", "--topic", "shared.odd", "--json", config=shop).stdout.splitlines()
    assert [json.loads(line)["event"]["n"] for line in told] == [1, 3, 5]
    assert deadletter("drop", "--all", "--yes", "--topic", "shared.odd", config=shop).stdout == "3 dropped\n"
    assert [fields["topic"] for _, fields in letters(redis, "dead-shared")] == [b"shared.even"] * 3


def test_show(redis, shop):
    client = shop.client()
    event = b'{"type":"order.x",\n "v": "\xc3\xb6"}'
    error = refuse(client, event, "i-1")
    ((entry, _),) = letters(redis)
    for which in ((), ("--topic", "orders.eu"), ("dead:orders.eu",), ("--key", "dead:orders.eu")):
        out = deadletter("show", entry, *which, config=shop).stdout
        head, _, body = out.partition("\n\nevent\n")
        assert body.encode() == event + b"\n"
        facts = dict(line.split(None, 1) for line in head.splitlines())
        assert facts["stream"] == "dead:orders.eu" and facts["entry"] == entry and facts["topic"] == "orders.eu"
        assert facts["code"] == "121" and facts["message"] == error["message"] and facts["id"] == "i-1"
        assert facts["ip"] == "127.0.0.1" and facts["size"] == f"{len(event)} bytes"
    told = json.loads(deadletter("show", "--json", entry, config=shop).stdout)
    assert told["event"] == json.loads(event) and told["session"] == client.welcome["session"]
    only = subprocess.run([BINARY, "deadletter", "show", "--event", entry, "dead:orders.eu", "--redis", redis.url],
                          capture_output=True, timeout=DEADLINE, check=True)
    assert only.stdout == event


def test_show_of_what_is_no_json(redis):
    client = redis.client()
    base = {"id": "i", "topic": "x", "code": 121, "reason": "r", "message": "m"}
    text, raw = client.xadd("d", {"event": "no json \x1b[2J", **base}), client.xadd("d", {"event": b"\xff\x00\xfe", **base})
    assert deadletter("show", text.decode(), "d", "--redis", redis.url).stdout.endswith("\n\ntext\nno json \x1b[2J\n")
    encoded = base64.b64encode(b"\xff\x00\xfe").decode()
    assert deadletter("show", raw.decode(), "d", "--redis", redis.url).stdout.endswith(f"\n\nbase64\n{encoded}\n")
    assert json.loads(deadletter("show", "--json", raw.decode(), "d", "--redis", redis.url).stdout)["base64"] == encoded


def test_an_id_that_two_streams_have_wants_to_be_told_apart(redis, shop):
    fields = {"event": "{}", "id": "i", "topic": "orders.eu", "code": 121, "reason": "r", "message": "m"}
    for stream in ("dead:orders.eu", "dead:orders.us"):
        redis.client().xadd(stream, fields, id="5-1")
    done = deadletter("show", "5-1", config=shop, code=1)
    assert "dead:orders.eu" in done.stderr and "dead:orders.us" in done.stderr
    assert "stream   dead:orders.us\n" in deadletter("show", "5-1", "dead:orders.us", config=shop).stdout


# -------------------------------------------------------------------------------------------------------------- replay


def test_replay_after_the_rule_was_relaxed(redis, shop):
    client = shop.client()
    refuse(client, NO_SUBJECT, "i-1")
    refuse(client, BAD_TYPE, "i-2")
    (first, _), (second, _) = letters(redis)
    done = deadletter("replay", "--all", config=shop, code=1)
    assert "subject" in done.stdout and "/type" in done.stdout and "0 replayed, 2 stay" in done.stdout
    assert len(letters(redis)) == 2 and events(redis) == []

    relax(shop)
    dry = deadletter("replay", "--all", "--dry-run", config=shop).stdout
    assert dry.count("would be replayed") == 3 and len(letters(redis)) == 2 and events(redis) == []
    done = deadletter("replay", second, config=shop).stdout
    assert done.startswith(f"{second}  orders.eu  replayed as ") and done.endswith("1 replayed, 0 stay\n")
    assert [entry for entry, _ in letters(redis)] == [first]
    deadletter("replay", "--all", config=shop)
    assert events(redis) == [("i-2", BAD_TYPE), ("i-1", NO_SUBJECT)] and letters(redis) == []
    # The very entry that the emit would have made.
    _, fields = redis.client().xrange("events:orders.eu")[0]
    assert list(fields) == [b"event", b"id", b"session", b"ip"] and fields[b"session"].decode() == client.welcome["session"]


def test_replay_holds_events_against_the_schema_too(redis, make_gateway, tmp_path):
    (tmp_path / "order.json").write_text('{"properties": {"data": {"properties": {"total": {"type": "number"}}}}}')
    rule = {**RULE, **LAX, "schema": str(tmp_path / "order.json")}
    gateway = make_gateway(redis, topics=[rule])
    error = refuse(gateway.client(), {"data": {"total": "much"}}, "i-1")
    assert (error["code"], error["pointer"]) == (121, "/data/total")
    assert letters(redis)[0][1]["pointer"] == b"/data/total"
    done = deadletter("replay", "--all", config=gateway, code=1)
    assert "stays: /data/total: " in done.stdout and events(redis) == []
    (tmp_path / "order.json").write_text("{}")
    deadletter("replay", "--all", config=gateway)
    assert events(redis) == [("i-1", {"data": {"total": "much"}})]


def test_subscribers_get_what_is_replayed_and_its_id_stays_known(redis, shop):
    client = shop.client()
    client.subscribe("orders.*")
    refuse(client, NO_SUBJECT, "i-1")
    relax(shop)
    deadletter("replay", "--all", config=shop)
    assert client.wait_events(1)[0]["event"] == NO_SUBJECT
    # An emit under that id, through a gateway with the relaxed rules, is the same one.
    shop.stop()
    shop.start()
    again = shop.client().emit("orders.eu", NO_SUBJECT, "i-1")
    assert again["duplicate"] is True and len(events(redis)) == 1
    subscribed = shop.client()
    subscribed.subscribe("orders.eu", from_="start")
    assert subscribed.wait_events(1)[0]["cursor"] == again["cursor"]


def test_a_replay_that_broke_off_before_the_letter_was_taken_out(redis, shop):
    refuse(shop.client(), NO_SUBJECT, "i-1")
    ((entry, fields),) = letters(redis)
    relax(shop)
    deadletter("replay", "--all", config=shop)
    redis.client().xadd("dead:orders.eu", fields, id=stepped(entry))  # as if XDEL had not come through
    again = deadletter("replay", "--all", config=shop).stdout
    assert "is in the stream already" in again and "1 replayed, 0 stay" in again
    assert events(redis) == [("i-1", NO_SUBJECT)] and letters(redis) == []


def stepped(entry):
    ms, seq = entry.split("-")
    return f"{ms}-{int(seq) + 1}"


class Through:
    """What a FakeRedis answers that asks the real one."""

    def __init__(self, redis):
        self.connection = redis_py.Connection(host="127.0.0.1", port=redis.port)

    def __call__(self, words):
        self.connection.send_packed_command(self.connection.pack_command(*words))
        try:
            return self.encode(self.connection.read_response(disable_decoding=True))
        except redis_py.exceptions.ResponseError as error:  # redis-py has taken the ERR off
            return f"-{'' if re.match('[A-Z]+ ', str(error)) else 'ERR '}{error}\r\n".encode()

    @classmethod
    def encode(cls, reply):
        if reply is None:
            return b"$-1\r\n"
        if isinstance(reply, int):
            return b":%d\r\n" % reply
        if isinstance(reply, list):
            return b"*%d\r\n" % len(reply) + b"".join(map(cls.encode, reply))
        return b"$%d\r\n%s\r\n" % (len(reply), reply)


def killed_at(command, make_fake_redis, redis, gateway, *args):
    """Runs a replay whose connection is cut when `command` has been done but not been answered."""
    through = Through(redis)

    def relayed(words, _):
        answer = through(words)
        return fake.CLOSE if words[0].upper() == command else answer

    fake = make_fake_redis(relayed)
    return deadletter("replay", *args, "--redis", fake.url, config=gateway, code=1)


@pytest.mark.parametrize("command", [b"FCALL", b"XDEL"])
@pytest.mark.parametrize("new_id", [False, True])
def test_cut_off_behind_any_step_a_replay_is_not_doubled(redis, shop, make_fake_redis, command, new_id):
    client = shop.client()
    args = ("--all", *(["--new-id"] if new_id else []))
    if new_id:
        client.emit("orders.eu", GOOD, "i-1")
        assert refuse(client, {**GOOD, "n": 2}, "i-1")["code"] == 122
    else:
        refuse(client, NO_SUBJECT, "i-1")
    relax(shop)
    done = killed_at(command, make_fake_redis, redis, shop, *args)
    assert "closed the connection" in done.stderr
    before = events(redis)
    assert len(before) == 1 + new_id
    assert len(letters(redis)) == (1 if command == b"FCALL" else 0)
    deadletter("replay", *args, config=shop)
    assert events(redis) == before and letters(redis) == []


def test_an_id_of_another_event_needs_a_new_one(redis, shop):
    client = shop.client()
    client.emit("orders.eu", GOOD, "i-1")
    refuse(client, {**GOOD, "n": 2}, "i-1")
    done = deadletter("replay", "--all", config=shop, code=1)
    assert "--new-id" in done.stdout and len(letters(redis)) == 1
    assert "under a fresh id" in deadletter("replay", "--all", "--new-id", "--dry-run", config=shop).stdout
    deadletter("replay", "--all", "--new-id", config=shop)
    (_, first), (new_id, second) = events(redis)
    assert (first, second) == (GOOD, {**GOOD, "n": 2}) and letters(redis) == []
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id)


def test_two_refused_events_under_one_id(redis, shop):
    client = shop.client()
    refuse(client, NO_SUBJECT, "i-1")
    refuse(client, BAD_TYPE, "i-1")
    relax(shop)
    done = deadletter("replay", "--all", config=shop, code=1)
    assert "another event in the stream" in done.stdout and "1 replayed, 1 stays" in done.stdout
    deadletter("replay", "--all", "--new-id", config=shop)
    assert [event for _, event in events(redis)] == [NO_SUBJECT, BAD_TYPE] and letters(redis) == []


def test_force(redis, shop):
    client = shop.client()
    refuse(client, NO_SUBJECT, "i-1")
    refuse(client, {**GOOD, "x": "y" * 1024}, "i-2")
    assert "event_bytes_max is 1024" in deadletter("replay", "--all", config=shop, code=1).stdout
    deadletter("replay", "--all", "--force", config=shop)
    assert [event_id for event_id, _ in events(redis)] == ["i-1", "i-2"] and letters(redis) == []


@pytest.mark.parametrize("rule, words", [
    ({"match": "other"}, "no topic rule matches"),
    ({"match": "orders.*", "source": "channel"}, "channel"),
    ({"match": "orders.*", "source": "stream", "emit": False}, "may not emit"),
])
def test_topics_that_take_no_emits_any_more(redis, shop, rule, words):
    refuse(shop.client(), NO_SUBJECT, "i-1")
    shop.config_file.write_text(json.dumps({**shop.config, "topics": [rule]}))
    done = deadletter("replay", "--all", "dead:orders.eu", config=shop, code=1)
    assert words in done.stdout and len(letters(redis)) == 1
    assert (len(letters(redis)) == 1) and events(redis) == []


def test_the_rules_maxlen_and_payload_field(redis, shop):
    client = shop.client()
    for n in range(400):
        client.send({"op": "emit", "ref": n, "topic": "orders.eu", "id": f"i-{n}", "event": {**NO_SUBJECT, "n": n}})
        if n % 100 == 99:
            client.answer_to(n)
    client.wait(lambda: len(client.ops("error")) == 400, "400 refusals")
    relax(shop, maxlen=100, payload_field="payload")
    assert "400 replayed, 0 stay" in deadletter("replay", "--all", config=shop).stdout
    assert 100 <= redis.client().xlen("events:orders.eu") <= 250
    entries = redis.client().xrevrange("events:orders.eu", count=1)
    assert json.loads(entries[0][1][b"payload"])["n"] == 399


def test_letters_of_a_server_without_functions(redis, shop):
    admin = redis.client()
    admin.execute_command("ACL", "SETUSER", "old", "on", ">pw", "~*", "&*", "+@all", "-fcall", "-function")
    url = f"redis://old:pw@127.0.0.1:{redis.port}"
    refuse(shop.client(), NO_SUBJECT, "i-1")
    ((entry, fields),) = letters(redis)
    relax(shop)
    deadletter("replay", "--all", "--redis", url, config=shop)
    admin.xadd("dead:orders.eu", fields, id=stepped(entry))
    assert "already" in deadletter("replay", "--all", config=shop).stdout  # whichever way it was called
    assert events(redis) == [("i-1", NO_SUBJECT)]


def test_without_scripts_only_what_may_stand_twice_is_replayed(redis, shop):
    redis.client().execute_command("ACL", "SETUSER", "bare", "on", ">pw", "~*", "&*", "+@all", "-fcall", "-function", "-evalsha", "-script")
    url = f"redis://bare:pw@127.0.0.1:{redis.port}"
    refuse(shop.client(), NO_SUBJECT, "i-1")
    relax(shop)
    done = deadletter("replay", "--all", "--redis", url, config=shop, code=1)
    assert "no script" in done.stdout and len(letters(redis)) == 1
    relax(shop, dedupe="best_effort")
    deadletter("replay", "--all", "--redis", url, config=shop)
    assert events(redis) == [("i-1", NO_SUBJECT)] and letters(redis) == []


@pytest.mark.parametrize("acl, words, taken", [
    (["~dead*", "~headgate:*"], "NOPERM", 0),           # the topic's stream is not its
    (["~*", "-xdel"], "the letter is still there", 1),   # appended, but not taken out
])
def test_replay_by_a_user_who_may_not(redis, shop, acl, words, taken):
    redis.client().execute_command("ACL", "SETUSER", "op", "on", ">pw", "&*", "+@all", *acl)
    refuse(shop.client(), NO_SUBJECT, "i-1")
    relax(shop)
    done = deadletter("replay", "--all", "--redis", f"redis://op:pw@127.0.0.1:{redis.port}", config=shop, code=1)
    assert words in done.stdout and "0 replayed, 1 stays" in done.stdout
    assert len(letters(redis)) == 1 and len(events(redis)) == taken


def test_letters_that_come_meanwhile_are_for_the_next_time(redis, shop, make_fake_redis):
    """A stream that grows as fast as it is replayed must not keep a replay busy for ever."""
    refuse(shop.client(), NO_SUBJECT, "i-1")
    relax(shop)
    link, fields = redis.client(), {"event": "{}", "id": "x", "topic": "orders.eu", "code": 121, "reason": "r", "message": "m"}

    through = Through(redis)

    def relayed(words, _):
        if words[0].upper() == b"XDEL":
            link.xadd("dead:orders.eu", {**fields, "id": f"later-{link.xlen('events:orders.eu')}"})
        return through(words)

    fake = make_fake_redis(relayed)
    assert "1 replayed" in deadletter("replay", "--all", "--redis", fake.url, config=shop).stdout
    assert [f["id"] for _, f in letters(redis)] == [b"later-1"]


# ---------------------------------------------------------------------------------------------------------------- drop


def test_drop(redis, shop):
    client = shop.client()
    for n in range(3):
        refuse(client, NO_SUBJECT, f"i-{n}")
    entries = [entry for entry, _ in letters(redis)]
    assert "--yes" in deadletter("drop", "--all", config=shop, code=2).stderr and len(letters(redis)) == 3
    assert deadletter("drop", entries[1], config=shop).stdout == "1 dropped\n"
    done = deadletter("drop", entries[0], entries[1], config=shop, code=1)
    assert done.stdout == "1 dropped\n" and f"there is no letter {entries[1]}" in done.stderr
    assert [entry for entry, _ in letters(redis)] == [entries[2]]
    assert deadletter("drop", "--all", "--yes", config=shop).stdout == "1 dropped\n"
    assert letters(redis) == []


def test_drop_takes_nothing_else_out(redis, client):
    """A wrong key must not empty a stream of events."""
    cursor = client.emit("st.x", {"n": 1}, "id-1")["cursor"]
    entry = cursor.split("~")[0]
    done = deadletter("drop", "--all", "--yes", "st.x", "--redis", redis.url, code=1)
    assert done.stdout == "0 dropped\n" and "no dead letters" in done.stderr
    assert "no dead letter" in deadletter("drop", entry, "st.x", "--redis", redis.url, code=1).stderr
    assert redis.client().xlen("st.x") == 1


# ------------------------------------------------------------------------------------------------------- wrong command


@pytest.mark.parametrize("args, words", [
    ([], "list, show, replay or drop"),
    (["lst"], '"lst"'),
    (["list", "--nonsense"], "--nonsense"),
    (["list", "--yes"], "--yes"),
    (["list", "--topic"], "--topic TOPIC"),
    (["list", "--json=1"], "--json"),
    (["list", "a", "b"], '"b"'),
    (["list", "a", "--topic", "b"], "not both"),
    (["list", ""], "empty"),
    (["list", "--count", "-1", "k"], '"-1"'),
    (["list", "--count", "1x", "k"], '"1x"'),
    (["list"], "no topic rule has a dead_letter"),
    (["list", "--topic", "orders.eu"], "has no dead_letter"),
    (["list", "--topic", "$system"], "no topic rule matches"),
    (["list", "--config", "/no/such/file"], "/no/such/file"),
    (["list", "--redis", "http://x", "k"], "redis"),
    (["show"], "id is missing"),
    (["show", "1-1", "2-2"], "one letter"),
    (["show", "1-1", "--json", "--event", "k"], "not both"),
    (["replay", "1-1"], "--config"),
    (["replay", "--config", "x"], "--all"),
    (["replay", "--all", "1-1", "--config", "x"], "not both"),
    (["drop"], "--all"),
    (["drop", "--all", "k"], "--yes"),
    (["drop", "k", "--key", "l", "1-1"], "two keys"),
])
def test_wrong_use(redis, args, words):
    done = deadletter(*args, code=2, env={"HEADGATE_REDIS": redis.url})
    assert words in done.stderr and not done.stdout, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("verb", ["", "list", "show", "replay", "drop"])
def test_help(verb):
    done = deadletter(*verb.split(), "--help")
    assert done.stdout.startswith(f"Usage: headgate deadletter {verb}".rstrip()) and not done.stderr
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_redis_that_is_away_or_refuses(redis, make_fake_redis):
    away = deadletter("list", "k", "--redis", "redis://127.0.0.1:1", code=1)
    assert "127.0.0.1:1" in away.stderr and "refused" in away.stderr
    redis.client().execute_command("ACL", "SETUSER", "op", "on", ">hunter2", "~k", "+@all", "-xinfo")
    wrong = deadletter("list", "k", "--redis", f"redis://op:wrong-hunter@127.0.0.1:{redis.port}", code=1)
    assert "WRONGPASS" in wrong.stderr and "hunter" not in wrong.stderr
    other = deadletter("list", "other", "--redis", f"redis://op:hunter2@127.0.0.1:{redis.port}", code=1)
    assert "NOPERM" in other.stderr and "hunter2" not in other.stderr
    redis.client().set("k", "v")
    assert "not a stream" in deadletter("list", "k", "--redis", redis.url, code=1).stderr
    silent = make_fake_redis(lambda command, connection: None)
    done = deadletter("list", "k", "--redis", silent.url, code=1, env={"HEADGATE_REDIS_TIMEOUT_MS": "100"})
    assert "no answer within 100 ms" in done.stderr


@pytest.mark.parametrize("answer", [b"*1\r\n*2\r\n$1\r\n5\r\n*0\r\n", b"*1\r\n:5\r\n", b"$3\r\nabc\r\n", b"*1\r\n*2\r\n$3\r\n5-1\r\n*1\r\n$1\r\na\r\n",
                                    b"*200\r\n" + b":1\r\n" * 200])
def test_answers_of_odd_shape(make_fake_redis, answer):
    fake = make_fake_redis(lambda command, _: b"+PONG\r\n" if command[0] == b"PING" else answer)
    for args in (["list", "k"], ["show", "5-1", "k"], ["drop", "5-1", "k"]):
        done = deadletter(*args, "--redis", fake.url, code=1)
        assert "k: Redis answered in an unexpected shape" in done.stderr, done.stderr


def test_by_a_unix_socket_and_by_the_environment(redis):
    redis.client().xadd("d", {"event": 1, "id": "i", "topic": "x", "code": 121, "reason": "r", "message": "m"})
    for args, env in ((["--redis", redis.unix_url], {}), ([], {"HEADGATE_REDIS": redis.url})):
        assert len(deadletter("list", "d", *args, env=env).stdout.splitlines()) == 2


def test_standard_output_that_is_closed(redis):
    redis.client().xadd("d", {"event": 1, "id": "i", "topic": "x", "code": 121, "reason": "r", "message": "m"})
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BINARY, "deadletter", "list", "d", "--redis", redis.url], stdout=full, stderr=subprocess.PIPE,
                              timeout=DEADLINE, check=False)
    assert done.returncode == 1 and b"standard output" in done.stderr
    wait_until(lambda: redis.client().xlen("d") == 1, "nothing else")
