"""Several workers in one process: one gateway to its clients, and one bad worker does not take it down."""

import ctypes
import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

import harness
from harness import BINARY, SLOW, Gateway, RawSocket, run_gateway, wait_until

MUTANTS = str(Path(BINARY).parent.parent / "tests" / "headgate_mutants")


# ------------------------------------------------------------------------------------------------------ who is where


def polls(gateway):
    """By the kernel's own account: eventpoll descriptor → the descriptors that it watches. Each loop has one."""
    found = {}
    base = Path(f"/proc/{gateway.pid}")
    for fd in os.listdir(base / "fd"):
        try:
            if os.readlink(base / "fd" / fd) == "anon_inode:[eventpoll]":
                found[int(fd)] = {int(n) for n in re.findall(r"^tfd:\s*(\d+)", (base / "fdinfo" / fd).read_text(), re.M)}
        except FileNotFoundError:
            pass
    return found


def sockets(gateway, listening):
    """Inode → the port of the other end, of the sockets at the gateway's port."""
    found = {}
    for line in Path(f"/proc/{gateway.pid}/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if int(parts[1].rsplit(":", 1)[1], 16) == gateway.port and (parts[3] == "0A") == listening:
            found[parts[9]] = int(parts[2].rsplit(":", 1)[1], 16)
    return found


def by_worker(gateway, listening=False):
    """Eventpoll descriptor → the ports of its clients; or, of those that listen, one 0 for each such socket."""
    ports = sockets(gateway, listening)
    found = {}
    for poll, watched in polls(gateway).items():
        for fd in watched:
            try:
                target = os.readlink(f"/proc/{gateway.pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            if target.startswith("socket:[") and target[8:-1] in ports:
                found.setdefault(poll, set()).add(ports[target[8:-1]])
    return found


def worker_of(gateway, client):
    port = client._ws.local_address[1]
    return wait_until(lambda: next((poll for poll, ports in by_worker(gateway).items() if port in ports), None), "the worker")


def clients_everywhere(gateway, at_least=8):
    """Clients, of which each worker has some: worker → its clients."""
    clients = {}
    for _ in range(20):
        for _ in range(at_least):
            client = gateway.client()
            clients[client._ws.local_address[1]] = client
        found = {worker: [clients[port] for port in ports if port in clients] for worker, ports in by_worker(gateway).items()}
        if len([worker for worker, some in found.items() if some]) == gateway.config["workers"]:
            return {worker: some for worker, some in found.items() if some}
    raise AssertionError(f"{len(clients)} clients, and not all workers have some: {found}")


def everybody(clients):
    return [client for some in clients.values() for client in some]


@pytest.fixture
def gateway(redis, make_gateway):
    return make_gateway(redis, workers=2, system_topic=True, system_ms=100)


# ------------------------------------------------------------------------------------------------------- one gateway


@pytest.mark.parametrize("workers", [2, 4])
def test_all_clients_get_all_events_in_order(redis, make_gateway, workers):
    gateway = make_gateway(redis, workers=workers)
    clients = clients_everywhere(gateway, at_least=8 * workers)
    subs = [(client, client.subscribe("st.x"), client.subscribe("ch.x")) for client in everybody(clients)]
    publisher = redis.client()
    for n in range(200):
        publisher.xadd("st.x", {"event": n})
        publisher.publish("ch.x", n)
    for client, stream, channel in subs:
        for sub in (stream, channel):
            assert [m["event"] for m in client.wait_events(200, sub)] == list(range(200))
        assert not client.ops("gap") and not client.ops("stale")


def test_the_log_says_who_speaks(gateway):
    assert gateway.wait_log(r"info listening on http://127\.0\.0\.1:\d+ with 2 workers\n")
    assert gateway.wait_log(r"info worker 1: emits on the link 'commander'")
    assert gateway.wait_log(r"info worker 2: emits on the link 'commander'")
    for line in gateway.log.splitlines():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) .+", line), line


def test_what_is_emitted_at_one_is_seen_at_all(gateway):
    clients = everybody(clients_everywhere(gateway))
    for client in clients:
        client.subscribe("st.x")
    for n, client in enumerate(clients):
        client.emit("st.x", n, f"id-{n}")
        assert client.emit("st.x", n, f"id-{n}")["duplicate"]
    for client in clients:
        assert [m["event"] for m in client.wait_events(len(clients))] == list(range(len(clients)))


def test_the_same_id_at_two_workers_stands_there_once(redis, gateway):
    clients = clients_everywhere(gateway)
    pair = [some[0] for some in clients.values()]
    for n in range(100):
        for client in pair:
            client.send({"op": "emit", "ref": n, "topic": "st.x", "id": f"id-{n}", "event": n})
    for n in range(100):
        answers = [client.answer_to(n) for client in pair]
        assert [a["op"] for a in answers] == ["ok", "ok"] and sum(a["duplicate"] for a in answers) == 1
        assert answers[0]["cursor"] == answers[1]["cursor"]
    assert redis.client().xlen("st.x") == 100


def test_echo_off_across_workers(gateway):
    """A client that comes back at another worker is still the one that emitted."""
    clients = clients_everywhere(gateway)
    (first, *_), (second, *_) = clients.values()
    for client in (first, second):
        client.subscribe("st.x")
    for client in (first, second):
        assert client.request({"op": "emit", "topic": "st.x", "id": client.welcome["session"], "event": client is first,
                               "echo": False})["op"] == "ok"
    assert [m["event"] for m in first.wait_events(1)] == [False]
    assert [m["event"] for m in second.wait_events(1)] == [True]
    name, home = first.welcome["session"], worker_of(gateway, first)
    first.abort()
    for _ in range(100):
        back = gateway.client()
        if worker_of(gateway, back) != home:
            break
    assert back.request({"op": "hello", "session": name})["op"] == "ok"
    sub = back.subscribe("st.x", from_="start")
    back.wait_op("caught_up", sub)
    assert [m["event"] for m in back.events(sub)] == [False]


def test_reports_are_of_the_whole_process(redis, gateway):
    clients = clients_everywhere(gateway)
    for n, client in enumerate(everybody(clients)):
        client.subscribe("st.x")
        client.emit("st.x", n, f"id-{n}")
        client.emit("st.x", n, f"id-{n}")
    count = len(everybody(clients))
    expected = {"accepted": 2 * count, "appended": count, "duplicates": count, "refused": 0, "pending": 0, "pendingBytes": 0}
    for some in clients.values():
        sub = some[0].subscribe("$system")

        def emits():
            reports = [m["event"] for m in some[0].events(sub) if m["event"]["eventType"] == "EmitReport"]
            return reports and {name: reports[-1][name] for name in expected} == expected

        some[0].wait(emits, f"the sums {expected}")


def test_a_topic_is_reported_as_it_stands_at_all_workers(redis, gateway):
    clients = clients_everywhere(gateway)
    (first, *_), (second, *_) = clients.values()
    for client in everybody(clients):
        client.subscribe("st.all")
    first.subscribe("st.first")
    second.subscribe("st.second")
    count = len(everybody(clients))
    for topic in ("st.all", "st.first", "st.second"):
        for n in range(3):
            last = first.emit(topic, n, f"{topic}-{n}")["cursor"]

    def reports(client, topic):
        return [m["event"] for m in client.events(topic="$system") if m["event"].get("topic") == topic]

    # What is told of a topic does not depend on where it is asked.
    for client in (first, second):
        client.subscribe("$system")
        for topic, subscribers in (("st.all", count), ("st.first", 1), ("st.second", 1)):
            client.wait(lambda: [r for r in reports(client, topic) if r["subscribers"] == subscribers and r["historyBytes"] > 0],
                        f"{subscribers} subscribers of {topic}")
        report = client.wait(lambda: [r for r in reports(client, "st.second") if r["newest"] == last], "the last cursor")[-1]
        assert report["lagMs"] == report["lagEvents"] == 0
    alone = [r for r in reports(first, "st.first")][-1]["historyBytes"]
    both = [r for r in reports(first, "st.all")][-1]["historyBytes"]
    assert both > 1.5 * alone, "the bytes of one worker"
    # What a worker follows no longer, the others soon tell no more of.
    second.close()

    def gone():
        told = [m["event"] for m in first.events(topic="$system")][-6:]
        return {r.get("topic") for r in told} == {"st.all", "st.first", None}

    first.wait(gone, "the end of the reports of st.second")


# --------------------------------------------------------------------------------------------------- start and limits


@pytest.mark.parametrize("holder, newcomer", [(2, 2), (2, 1), (1, 2)])
def test_another_process_on_the_same_port_is_refused(redis, make_gateway, holder, newcomer):
    gateway = make_gateway(redis, workers=holder)
    ended = run_gateway("--listen", f"127.0.0.1:{gateway.port}", "--redis", redis.url, "--workers", newcomer)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {gateway.port}: Address already in use" in ended.stderr
    assert "stopped" not in ended.stderr
    for _ in range(10):
        gateway.check_serves()


def test_connections_max_counts_all(redis, make_gateway):
    gateway = make_gateway(redis, workers=2, connections_max=10)
    clients = everybody(clients_everywhere(gateway, at_least=5))
    while len(clients) < 10:
        clients.append(gateway.client())

    def status():
        with RawSocket(gateway) as raw:
            return raw.handshake()[0]

    # Whichever worker the kernel hands it to.
    assert [status() for _ in range(20)] == [503] * 20
    clients[0].close()
    wait_until(lambda: status() == 101, "room for one more")


def test_auto_is_one_for_each_core_it_may_use(redis, tmp_path):
    before = os.sched_getaffinity(0)
    for some in ({min(before)}, before):
        os.sched_setaffinity(0, some)
        try:
            gateway = Gateway(tmp_path / str(len(some)), redis.url, env={"HEADGATE_WORKERS": "auto"})
        finally:
            os.sched_setaffinity(0, before)
        told = re.search(r"listening on \S+(?: with (\d+) workers)?\n", gateway.log).group(1)
        assert int(told or 1) == len(some)
        gateway.stop()


def test_a_share_must_be_large_enough(tmp_path):
    file = tmp_path / "small.json"
    file.write_text('{"log_bytes_total_max": 16777216, "workers": 4}')
    assert run_gateway("--config", file, "--check-config").returncode == 0
    refused = run_gateway("--config", file, "--check-config", "--workers", "5")
    assert refused.returncode == 2
    assert refused.stderr == (f"headgate: {file}: log_bytes_max: found 4194304: each worker has its share of log_bytes_total_max; "
                              "allowed: at most that share, which is 3355443 with 5 workers\n")


# ----------------------------------------------------------------------------------------------------------- the end


@pytest.mark.valgrind
def test_sigterm_drains_all(gateway):
    clients = everybody(clients_everywhere(gateway))
    for client in clients:
        client.subscribe("st.x")
    gateway.end_with(signal.SIGTERM)
    for client in clients:
        assert client.wait_closed()[0] == 1012
        assert client.messages[-1]["op"] == "goodbye"
    assert len(re.findall("stopping: saying goodbye", gateway.log)) == 1
    assert re.search("info stopped\n", gateway.log)


def test_further_signals_end_it_sooner(gateway):
    """With clients that do not answer the close frame, at each of the workers."""
    raws = [RawSocket(gateway) for _ in range(2)]
    while len(by_worker(gateway)) < 2:
        raws.append(RawSocket(gateway))
    for raw in raws:
        assert raw.handshake()[0] == 101
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_log("stopping: saying goodbye")

    def ended():
        if gateway.alive():
            gateway.process.send_signal(signal.SIGTERM)
        return not gateway.alive()

    wait_until(ended, "the end", every=0.05)
    assert gateway.process.returncode == 0
    assert f"stopped with {len(raws)} clients left" in gateway.log
    gateway.process = None
    for raw in raws:
        raw.socket.close()


# -------------------------------------------------------------------------------------------------------------- panic


class Fragile(Gateway):
    """A gateway in which a client's ping is a mistake of ours."""

    def __init__(self, tmpdir, redis, **config):
        super().__init__(tmpdir, redis.url, config={"page": False, "ping_ms": 60000, **config}, start=False,
                         env={"HEADGATE_TEST_MUTANT": "PANIC"})
        self.binary = MUTANTS
        self.start()

    def panic(self, client):
        """Its worker's; returns when a fresh one has taken the place."""
        so_far = len(re.findall("it has panicked", self.log))
        client.send({"op": "ping"})
        client.wait_closed()
        wait_until(lambda: len(re.findall("it has panicked", self.log)) > so_far, "the word of the crew")
        wait_until(lambda: len(by_worker(self, listening=True)) == self.config["workers"], "a fresh worker")

    def done(self, code=0):
        for client in self.clients:
            client.close()
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30 * SLOW) == code, self.log[-4000:]
        assert not re.search(harness.BAD_SIGNS.pattern.replace("|panic at", ""), self.log), self.log[-8000:]


@pytest.fixture
def make_fragile(redis, tmp_path):
    made = []

    def make(**config):
        made.append(Fragile(tmp_path / f"fragile{len(made)}", redis, **config))
        return made[-1]

    yield make
    for gateway in made:
        if gateway.process and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()


def links(redis):
    return Counter(c["name"] for c in redis.client().client_list())["headgate"]


def test_one_bad_worker_does_not_take_the_process(redis, make_fragile):
    gateway = make_fragile(workers=2, connections_max=40)
    publisher = redis.client()
    clients = clients_everywhere(gateway, at_least=12)
    bad, good = sorted(clients, key=lambda worker: len(clients[worker]), reverse=True)
    sub = {client: client.subscribe("st.x") for client in everybody(clients)}
    before = links(redis)
    for n in range(50):
        publisher.xadd("st.x", {"event": n})
    for client in sub:
        client.wait_events(50)

    gateway.panic(clients[bad][0])
    assert re.search(r"^headgate: worker [12]: panic at \S+core\.c:\d+: ", gateway.log, re.M)
    # Its clients are cut off, and those of the other notice nothing.
    for client in clients[bad]:
        client.wait_closed()
    for n in range(50, 100):
        publisher.xadd("st.x", {"event": n})
    for client in clients[good]:
        assert [m["event"] for m in client.wait_events(100)] == list(range(100)) and not client.closed
    # They come back, to whichever worker, and go on without loss.
    for client in clients[bad]:
        back = gateway.client()
        cursor = client.events()[-1]["cursor"]
        back.subscribe("st.x", from_={"cursors": {"st.x": cursor}})
        both = [m["event"] for m in client.events()] + [m["event"] for m in back.wait_events(50)]
        assert both == list(range(100)) and not back.ops("gap")
    # The fresh worker serves; the old one has left nothing behind but its memory.
    fresh = clients_everywhere(gateway, at_least=4)
    assert len(fresh) == 2
    wait_until(lambda: links(redis) == before, "as many connections to Redis as before")
    for client in everybody(fresh):
        client.emit("st.y", 1, client.welcome["session"])

    # The seats of its clients are free again.
    held = len([c for c in gateway.clients if not c.closed])
    for _ in range(40 - held):
        gateway.client()
    with RawSocket(gateway) as raw:
        assert raw.handshake()[0] == 503
    gateway.done()


def test_panics_leave_no_descriptor_behind(redis, make_fragile):
    gateway = make_fragile(workers=2)
    clients_everywhere(gateway)
    for client in list(gateway.clients):
        client.close()
    wait_until(lambda: gateway.client_sockets() == 0 and links(redis) == 6, "quiet")
    before = gateway.fd_count()
    for _ in range(3):
        for _ in range(5):
            gateway.client()
        gateway.panic(gateway.client())
        for client in list(gateway.clients):
            client.close()
        wait_until(lambda: gateway.client_sockets() == 0 and links(redis) == 6, "quiet again")
    wait_until(lambda: gateway.fd_count() == before, lambda: f"{gateway.fd_count()} descriptors where there were {before}")
    gateway.done()


def test_the_counts_of_workers_that_are_gone_stay(make_fragile):
    gateway = make_fragile(workers=2, system_topic=True, system_ms=100)
    count = 0
    for _ in range(3):
        clients = everybody(clients_everywhere(gateway))
        for client in clients:
            client.emit("st.x", 1, f"id-{count}")
            count += 1
        gateway.panic(clients[0])
    client = gateway.client()
    client.subscribe("$system")
    client.wait(lambda: [m for m in client.events() if m["event"].get("appended") == count], f"{count} emits appended")
    gateway.done()


def test_too_many_panics_end_the_process(make_fragile):
    """Memory of workers that are gone is not given back; so it must not go on for ever."""
    gateway = make_fragile(workers=2)
    for _ in range(8):
        gateway.panic(gateway.client())
    gateway.client().send({"op": "ping"})
    assert gateway.process.wait(timeout=30 * SLOW) == -signal.SIGABRT
    assert len(re.findall(r"headgate: worker [12]: panic at", gateway.log)) == 9


def test_alone_a_panic_ends_the_process(make_fragile):
    gateway = make_fragile(workers=1)
    gateway.client().send({"op": "ping"})
    assert gateway.process.wait(timeout=30 * SLOW) == -signal.SIGABRT
    assert re.search(r"^headgate: panic at \S+core\.c:\d+: ", gateway.log, re.M)


def test_without_the_fault_it_is_the_gateway_as_it_is(redis, tmp_path):
    gateway = Gateway(tmp_path, redis.url, config={"workers": 2, "page": False}, start=False)
    gateway.binary = MUTANTS
    gateway.start()
    gateway.check_serves()
    gateway.stop()


def test_a_crash_ends_the_process_and_names_the_worker(gateway):
    """A signal says that memory is not to be trusted, and memory is shared."""
    threads = {(task / "comm").read_text().strip(): int(task.name) for task in Path(f"/proc/{gateway.pid}/task").iterdir()}
    tgkill = 234 if os.uname().machine == "x86_64" else 131
    assert ctypes.CDLL(None).syscall(tgkill, gateway.pid, threads["worker 2"], int(signal.SIGSEGV)) == 0
    code = gateway.process.wait(timeout=30 * SLOW)
    gateway.process = None
    if "Sanitizer" not in gateway.log:
        assert code == -signal.SIGSEGV
        assert "headgate: worker 2: panic: SIGSEGV\n" in gateway.log
    assert code != 0
