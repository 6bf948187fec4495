"""The examples for producers and consumers in web/docs/examples, killed at random moments: every order has its event once and
its invoice once. HEADGATE_SEED repeats the choices."""

import importlib.util
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest

from harness import DEADLINE, ROOT, _die_with_parent, http_get, run_gateway, wait_until

EXAMPLES = ROOT / "web/docs/examples"
STREAM, DEAD = "events.orders", "dead:orders"
ORDERS = 300
KILLS = 12
FAST = ["--claim-ms", "150", "--deliveries", "3", "--backoff-ms", "5"]


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


outbox = load("outbox")


class Program:
    """One of the examples as a process that can be killed and started again."""

    def __init__(self, tmp_path, *args):
        self.args = [sys.executable, str(EXAMPLES / args[0]), *map(str, args[1:])]
        self.log = tmp_path / f"{args[0]}-{len(list(tmp_path.glob('*.log')))}.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent)

    def kill9(self):
        assert self.process.poll() is None, self.text
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=DEADLINE) == 0, self.text

    @property
    def text(self):
        return self.log.read_text()

    def done(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def run(tmp_path, redis):
    programs = []

    def start(*args):
        programs.append(Program(tmp_path, *args, "--redis", redis.url))
        return programs[-1]

    yield start
    for program in programs:
        program.done()


@pytest.fixture
def shop(tmp_path):
    db = outbox.open_database(tmp_path / "shop.db")
    yield db
    db.close()


@pytest.fixture
def billing(tmp_path):
    db = sqlite3.connect(tmp_path / "billing.db", timeout=30)
    yield db
    db.close()


def stream_of(redis, key=STREAM):
    return [(fields[b"id"].decode(), json.loads(fields[b"event"])) for _, fields in redis.client().xrange(key)]


def rows(db, query):
    """As of now; before its program made it, a table has no rows."""
    try:
        return db.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def invoices(billing):
    return Counter(rows(billing, "SELECT order_number, total FROM invoices"))


def orders(shop):
    return Counter(rows(shop, "SELECT number, total FROM orders"))


def pending(redis):
    return redis.client().xpending(STREAM, "billing")["pending"]


def wait_consumed(redis, shop, billing, poison=0):
    wait_until(lambda: len(invoices(billing)) == len(orders(shop)) and pending(redis) == 0 and redis.client().xlen(DEAD) == poison,
               lambda: f"{len(invoices(billing))} of {len(orders(shop))} invoices, {pending(redis)} pending, "
                       f"{redis.client().xlen(DEAD)} dead letters")


def test_the_two_commands_of_the_page(redis, run, tmp_path, shop, billing):
    run("outbox.py", tmp_path / "shop.db", "--orders", 20)
    run("consume.py", tmp_path / "billing.db")
    wait_until(lambda: len(orders(shop)) == 20, "20 orders")
    wait_until(lambda: len(invoices(billing)) == 20 and pending(redis) == 0, "20 invoices")
    assert invoices(billing) == orders(shop)
    assert [event["order"] for _, event in stream_of(redis)] == list(range(1, 21))


def test_they_end_when_told_to(redis, run, tmp_path, shop):
    relay, consumer = run("outbox.py", tmp_path / "shop.db"), run("consume.py", tmp_path / "billing.db")
    outbox.place_order(shop, 5)
    wait_until(lambda: redis.client().xlen(STREAM) == 1 and redis.client().xinfo_groups(STREAM), "both at work")
    relay.stop()
    consumer.stop()


@pytest.mark.parametrize("program", ["outbox.py", "consume.py"])
def test_help(program):
    done = subprocess.run([sys.executable, EXAMPLES / program, "--help"], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert "usage: " in done.stdout and "--redis" in done.stdout
    assert len((EXAMPLES / program).read_text().splitlines()) <= 150


def test_killed_at_random_moments(redis, run, tmp_path, shop, billing, tell):
    """Two relays and two consumers; one of each is killed whenever it has come a random bit further."""
    seed = int(os.environ.get("HEADGATE_SEED", random.randrange(1 << 32)))
    tell(f"HEADGATE_SEED={seed}")
    prng = random.Random(seed)
    relays = [run("outbox.py", tmp_path / "shop.db") for _ in range(2)]
    consumers = [run("consume.py", tmp_path / "billing.db", "--name", name, *FAST) for name in ("a", "b")]
    client = redis.client()
    placed = kills = 0

    def place(count):
        nonlocal placed
        for _ in range(count):
            outbox.place_order(shop, prng.randint(1, 500))
            placed += 1

    poison = set(prng.sample(range(KILLS), 3))
    for kill in range(KILLS):
        if kill in poison:
            with shop:
                outbox.put_event(shop, {"type": "order.placed", "order": -kill, "total": "much"})
        before_stream, before_invoices = client.xlen(STREAM), len(invoices(billing))
        batch = ORDERS // KILLS
        place(batch)
        victim = prng.choice(["relay", "consumer"])
        step = prng.randrange(batch)
        if victim == "relay":
            wait_until(lambda: client.xlen(STREAM) >= before_stream + step, "the relay's progress", every=0.001)
            program = prng.choice(relays)
        else:
            wait_until(lambda: len(invoices(billing)) >= before_invoices + step, "the consumers' progress", every=0.001)
            program = prng.choice(consumers)
        program.kill9()
        program.start()
        kills += 1

    wait_until(lambda: client.xlen(STREAM) == placed + len(poison), lambda: f"{client.xlen(STREAM)} of {placed + len(poison)} events")
    wait_consumed(redis, shop, billing, poison=len(poison))
    assert kills == KILLS and placed == ORDERS // KILLS * KILLS
    # The stream: the outbox, in its order, each row once.
    assert [event_id for event_id, _ in stream_of(redis)] == [row[0] for row in rows(shop, "SELECT id FROM outbox ORDER BY seq")]
    # The effect: each order once.
    assert invoices(billing) == orders(shop)
    # What cannot be handled: set aside once, with the event as it was.
    letters = client.xrange(DEAD)
    assert sorted(json.loads(fields[b"event"])["order"] for _, fields in letters) == sorted(-kill for kill in poison)
    assert all(fields[b"reason"] == b"not_handled" and b"'much' is not a number" in fields[b"message"] or
               b"deliveries" in fields[b"message"] for _, fields in letters)


def test_killed_while_it_places_orders(run, tmp_path, shop):
    """There is no order without its event, and no event without its order."""
    for _ in range(5):
        before = len(orders(shop))
        program = run("outbox.py", tmp_path / "shop.db", "--orders", 1_000_000)
        wait_until(lambda: len(orders(shop)) > before + 5, "some orders", every=0.001)
        program.kill9()
        events = [json.loads(event) for (event,) in rows(shop, "SELECT event FROM outbox")]
        assert Counter((event["order"], event["total"]) for event in events) == orders(shop)


def test_a_redis_that_lost_everything_gets_it_again_under_the_same_ids(redis, run, tmp_path, shop, billing):
    run("outbox.py", tmp_path / "shop.db", "--orders", 30)
    run("consume.py", tmp_path / "billing.db", *FAST)
    wait_until(lambda: len(invoices(billing)) == 30, "30 invoices")
    before = stream_of(redis)
    redis.kill9()
    redis.start()  # keeps nothing on disk here
    outbox.place_order(shop, 7)
    wait_until(lambda: redis.client().xlen(STREAM) == 31, "the events again")
    assert stream_of(redis)[:30] == before
    wait_consumed(redis, shop, billing)
    assert invoices(billing) == orders(shop)


def test_a_position_that_redis_lost_since_it_was_read_leaves_no_hole(redis, shop):
    relay = outbox.Relay(shop, redis.client(), STREAM)
    for total in range(1, 4):
        outbox.place_order(shop, total)
    read = relay.client.get
    relay.client.get = lambda key: b"2"
    relay.step()
    assert redis.client().xlen(STREAM) == 0
    relay.client.get = read
    relay.step()
    assert [event["order"] for _, event in stream_of(redis)] == [1, 2, 3]


def test_a_consumer_that_died_with_events_in_hand(redis, run, tmp_path, shop, billing):
    """It read them and was gone before any effect: another takes them over."""
    client = redis.client()
    client.xgroup_create(STREAM, "billing", id="0", mkstream=True)
    run("outbox.py", tmp_path / "shop.db", "--orders", 5)
    wait_until(lambda: client.xlen(STREAM) == 5, "the events")
    assert len(client.xreadgroup("billing", "dead", {STREAM: ">"})[0][1]) == 5
    run("consume.py", tmp_path / "billing.db", *FAST)
    wait_consumed(redis, shop, billing)
    assert invoices(billing) == orders(shop)


def test_an_effect_that_was_not_acknowledged_is_not_repeated(redis, run, tmp_path, shop, billing):
    """It died between the transaction and XACK."""
    consume = load("consume")
    client = redis.client()
    client.xgroup_create(STREAM, "billing", id="0", mkstream=True)
    run("outbox.py", tmp_path / "shop.db", "--orders", 3)
    wait_until(lambda: client.xlen(STREAM) == 3, "the events")
    billing.executescript(consume.SCHEMA)
    for _, fields in client.xreadgroup("billing", "dead", {STREAM: ">"})[0][1]:
        assert consume.apply(billing, fields[b"id"].decode(), json.loads(fields[b"event"])) is True
    run("consume.py", tmp_path / "billing.db", *FAST)
    wait_consumed(redis, shop, billing)
    assert invoices(billing) == orders(shop)


def test_an_event_that_kills_whoever_takes_it_is_set_aside(redis, run, tmp_path, shop, billing):
    """Nobody lives to say why; it is known by how often it was delivered."""
    client = redis.client()
    client.xgroup_create(STREAM, "billing", id="0", mkstream=True)
    run("outbox.py", tmp_path / "shop.db", "--orders", 1)
    wait_until(lambda: client.xlen(STREAM) == 1, "the event")
    ((entry, _),) = client.xreadgroup("billing", "victim-0", {STREAM: ">"})[0][1]
    for n in range(1, 3):
        client.xclaim(STREAM, "billing", f"victim-{n}", 0, [entry])
    run("consume.py", tmp_path / "billing.db", *FAST)
    wait_until(lambda: client.xlen(DEAD) == 1 and pending(redis) == 0, "the dead letter")
    ((_, fields),) = client.xrange(DEAD)
    assert b"not handled in 3 deliveries" in fields[b"message"] and fields[b"entry"] == entry
    assert invoices(billing) == Counter()


def test_an_old_copy_of_the_database_is_refused(redis, run, tmp_path, shop):
    outbox.place_order(shop, 1)
    copy = sqlite3.connect(tmp_path / "copy.db")
    shop.backup(copy)
    copy.close()
    relay = run("outbox.py", tmp_path / "shop.db", "--orders", 2)
    wait_until(lambda: redis.client().xlen(STREAM) == 3, "the events")
    relay.stop()
    old = run("outbox.py", tmp_path / "copy.db")
    assert old.process.wait(timeout=DEADLINE) == 1
    assert "old copy" in old.text and redis.client().xlen(STREAM) == 3
    # Another database is another matter: it has a name of its own.
    run("outbox.py", tmp_path / "other.db", "--orders", 1)
    wait_until(lambda: redis.client().xlen(STREAM) == 4, "its event")


def test_rows_that_are_published_go_after_a_while(redis, shop):
    relay = outbox.Relay(shop, redis.client(), STREAM, keep_s=0)
    for total in (1, 2):
        outbox.place_order(shop, total)
    assert relay.step() == 2 and len(rows(shop, "SELECT * FROM outbox")) == 2
    outbox.place_order(shop, 3)
    relay.prune(2)
    assert rows(shop, "SELECT seq FROM outbox") == [(3,)]  # that is not published yet
    assert relay.step() == 1 and relay.step() == 0
    assert rows(shop, "SELECT seq FROM outbox") == []
    outbox.place_order(shop, 4)
    assert relay.step() == 1
    assert [event["order"] for _, event in stream_of(redis)] == [1, 2, 3, 4]


def test_the_gateway_delivers_what_the_relay_publishes_and_shows_what_is_set_aside(redis, make_gateway, run, tmp_path, shop, billing):
    gateway = make_gateway(redis, topics=[{"match": "events.**", "source": "stream"}])
    client = gateway.client()
    client.subscribe("events.orders")
    with shop:
        outbox.put_event(shop, {"type": "order.placed", "order": 1, "total": "much"})
    run("outbox.py", tmp_path / "shop.db")
    run("consume.py", tmp_path / "billing.db", *FAST)
    assert client.wait_events(1)[0]["event"]["total"] == "much"
    wait_until(lambda: redis.client().xlen(DEAD) == 1, "the dead letter")
    shown = run_gateway("deadletter", "list", DEAD, "--json", "--redis", redis.url)
    assert json.loads(shown.stdout)["reason"] == "not_handled" and json.loads(shown.stdout)["event"]["total"] == "much"


def test_the_page_leads_to_the_programs(gateway):
    page = http_get(gateway, "/docs/outbox.html")[2].decode()
    for name in ("outbox.py", "consume.py"):
        link = re.search(rf'href="(examples/{name}[^"]*)"', page).group(1)
        status, headers, body = http_get(gateway, f"/docs/{link}")
        assert status == 200 and headers["content-type"].startswith("text/plain") and body == (EXAMPLES / name).read_bytes()
        assert (EXAMPLES / name).stat().st_mode & 0o100
    for line in ("web/docs/examples/outbox.py shop.db --orders 20", "web/docs/examples/consume.py billing.db"):
        assert line in page
