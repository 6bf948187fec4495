"""https and wss: what is spoken, sessions that come back, certificates that change, and that TLS loses and costs nothing more."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from harness import DEADLINE, SLOW, WRAP, RawSocket, free_port, http_get, let_one_not_read, run_gateway, wait_until

EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)


def openssl(*args, cwd=None, text=""):
    """Its output, both streams, whatever it ended with."""
    done = subprocess.run(["openssl", *map(str, args)], cwd=cwd, input=text, capture_output=True, text=True, timeout=DEADLINE)
    return done.stdout + done.stderr


def make(folder, name, kind=EC, host="127.0.0.1"):
    """NAME.pem and NAME.key, signed by itself."""
    openssl("req", "-x509", "-newkey", *kind, "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", 30,
            "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{host},DNS:{name}.example")
    assert (folder / f"{name}.pem").exists()


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """A folder with certificates: first and third (ECDSA), second (RSA), expired; and keys that cannot be used."""
    folder = tmp_path_factory.mktemp("certificates")
    make(folder, "first")
    make(folder, "second", RSA)
    make(folder, "third")
    openssl("pkey", "-in", folder / "first.key", "-aes128", "-passout", "pass:secret", "-out", folder / "locked.key")
    make(folder, "weak", ("rsa:512",))
    openssl("req", "-new", "-newkey", *EC, "-nodes", "-keyout", "expired.key", "-out", "expired.csr", "-subj", "/CN=expired", cwd=folder)
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\n"
                                   "policy=p\n[p]\ncommonName=supplied\n")
    openssl("ca", "-batch", "-selfsign", "-config", "ca.cnf", "-in", "expired.csr", "-keyfile", "expired.key", "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-out", "expired.pem", cwd=folder)
    assert (folder / "expired.pem").exists()
    return folder


def trusting(*certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for certificate in certificates:
        context.load_verify_locations(certificate)
    return context


def put(pairs, name, folder):
    """Makes the pair NAME the one in the folder, each file replaced in one step."""
    for ending in ("pem", "key"):
        shutil.copy(pairs / f"{name}.{ending}", folder / "new")
        os.replace(folder / "new", folder / f"live.{ending}")


@pytest.fixture
def make_tls(make_gateway, pairs, tmp_path):
    """make_tls(redis, **config): a gateway that serves tls/live.pem, which is the pair `first`. Its clients trust all three."""
    folder = tmp_path / "gateway0"
    folder.mkdir()
    put(pairs, "first", folder)

    def start(redis, **config):
        # Of each TLS context but the first libwebsockets keeps some memory when it ends; with one there is none to be seen.
        env = {"ASAN_OPTIONS": "detect_leaks=0:exitcode=99"} if config.get("workers", 1) > 1 else None
        gateway = make_gateway(redis, env=env, **{"tls_certificate": "live.pem", "tls_key": "live.key", **config})
        gateway.tls = trusting(*(pairs / f"{name}.pem" for name in ("first", "second", "third")))
        return gateway

    return start


@pytest.fixture
def gateway(redis, make_tls):
    return make_tls(redis)


def subject(gateway):
    """Whose certificate a new connection gets."""
    with RawSocket(gateway) as raw:
        return dict(part[0] for part in raw.socket.getpeercert()["subject"])["commonName"]


def s_client(gateway, *args, text=""):
    return openssl("s_client", "-connect", f"127.0.0.1:{gateway.port}", *args, text=text)


# --- what it is for


@pytest.mark.valgrind
def test_events_go_out_and_come_in(gateway, redis):
    assert f"listening on https://127.0.0.1:{gateway.port}" in gateway.log
    assert "serving the certificate of first.example, valid until 2" in gateway.log
    client = gateway.client()
    channel, stream = client.subscribe("ch.x"), client.subscribe("st.x")
    redis.client().publish("ch.x", '{"n":1}')
    assert client.wait_events(1, sub=channel)[0]["event"] == {"n": 1}
    client.emit("st.x", {"eventType": "t", "n": 2}, id="one")
    assert client.wait_events(1, sub=stream)[0]["event"]["n"] == 2
    client.close()
    assert client.wait_closed()[0] == 1000


def test_the_page_comes_over_https_and_may_connect(gateway):
    for path in ("/", "/page.css", "/docs/", "/client/headgate.js", "/health"):
        status, _, body = http_get(gateway, path)
        assert status == 200 and body, path
    client = gateway.client(origin=f"https://127.0.0.1:{gateway.port}")
    client.ping()
    with pytest.raises(Exception, match="403"):
        gateway.client(origin="https://elsewhere.example")


def test_a_request_follows_another_on_one_connection(gateway):
    connection = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=gateway.tls, timeout=DEADLINE)
    sizes = set()
    for _ in range(3):
        connection.request("GET", "/docs/protocol.html")
        sizes.add(len(connection.getresponse().read()))
    connection.close()
    assert len(sizes) == 1 and sizes.pop() > 16384


# --- what is spoken


def test_only_good_versions_and_ciphers(gateway):
    assert "Cipher is TLS_" in s_client(gateway, "-tls1_3")
    assert "Cipher is ECDHE-" in s_client(gateway, "-tls1_2")
    old = ("-cipher", "DEFAULT@SECLEVEL=0")
    for args in (("-tls1_1", *old), ("-tls1", *old), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"),
                 ("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-SHA"), ("-alpn", "h2"), ("-alpn", "h2,ftp")):
        answer = s_client(gateway, *args)
        assert "Cipher is (NONE)" in answer and "alert" in answer, (args, answer)
    assert "ALPN protocol: http/1.1" in s_client(gateway, "-alpn", "h2,http/1.1")
    answer = s_client(gateway, "-tls1_2")
    assert "Compression: NONE" in answer and "Secure Renegotiation IS supported" in answer
    gateway.check_serves()


def test_the_oldest_version_is_a_setting(redis, make_tls):
    gateway = make_tls(redis, tls_min_version="1.3")
    assert "Cipher is (NONE)" in s_client(gateway, "-tls1_2")
    assert "Cipher is TLS_" in s_client(gateway)
    gateway.check_serves()


def test_nobody_renegotiates(gateway):
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-tls1_2"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        answer = b""
        while b"Verify return code" not in answer:
            answer += os.read(client.stdout.fileno(), 65536)
        client.stdin.write(b"R\n")
        client.stdin.flush()
        # At its end the client says that it was refused.
        answer, _ = client.communicate(timeout=DEADLINE)
    assert b"no renegotiation" in answer, answer
    gateway.check_serves()


@pytest.mark.valgrind
def test_those_who_speak_plainly_are_told(gateway):
    with RawSocket(gateway, plain=True) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = raw.read_response()
        assert status == 400 and body.startswith(b"This port speaks TLS")
    with RawSocket(gateway, plain=True) as raw:
        status, _, body = raw.handshake()
        assert status == 400 and b"wss://" in body
    for junk in (b"\x00" * 300, b"\x16\x03\x01\xff\xff" + b"\x01" * 2000, b"\x16", b"\r\n\r\n", b"\xff" * 20):
        with RawSocket(gateway, plain=True) as raw:
            raw.send(junk)
            raw.finish()
            raw.read_all()
    gateway.check_serves()


def test_tls_to_a_plain_port_ends(redis, make_gateway):
    gateway = make_gateway(redis)
    for _ in range(3):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=DEADLINE) as raw:
                trusting().wrap_socket(raw, server_hostname="127.0.0.1")
    gateway.check_serves()


def test_a_handshake_that_gets_nowhere_ends(gateway):
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500
    silent = [RawSocket(gateway, plain=True) for _ in range(20)]
    trickling = [RawSocket(gateway, plain=True) for _ in range(20)]
    sent = 0

    def ended():
        nonlocal sent
        for raw in trickling:
            raw.send(hello[sent:sent + 1])
        sent += 1
        return gateway.client_sockets() == 0

    wait_until(ended, "the end of all", every=0.1)
    for raw in silent + trickling:
        raw.socket.close()
    gateway.check_serves()


# --- sessions


def session_of(gateway, context, session=None):
    """(whether the session was taken up again, what to take up next time)"""
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=DEADLINE)
    with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as secure:
        secure.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        secure.recv(65536)  # the ticket of TLS 1.3 comes before the answer
        return secure.session_reused, secure.session


@pytest.mark.parametrize("workers", [1, 3])  # each connection may land at another one
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_taken_up_again_and_again(redis, make_tls, make_gateway, pairs, version, workers):
    gateway = make_tls(redis, workers=workers)
    context = trusting(pairs / "first.pem")
    context.minimum_version = context.maximum_version = version
    reused, session = session_of(gateway, context)
    assert not reused
    for _ in range(3 if workers == 1 else 12):
        before = session.id
        reused, session = session_of(gateway, context, session)
        assert reused
        assert version == ssl.TLSVersion.TLSv1_2 or session.id != before  # with 1.3 each time by another ticket
    # A new certificate changes nothing for those who come back; another gateway does not know their tickets.
    put(pairs, "third", gateway.dir)
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_log("SIGHUP: serving the certificate of third.example")
    reused, session = session_of(gateway, context, session)
    assert reused
    other = make_gateway(redis, tls_certificate=str(pairs / "first.pem"), tls_key=str(pairs / "first.key"))
    reused, _ = session_of(other, context, session)
    assert not reused


# --- certificates that change


@pytest.mark.valgrind
def test_a_new_certificate_at_a_signal(gateway, redis, pairs):
    client = gateway.client()
    client.subscribe("ch.x")
    for n, name in enumerate(("second", "third", "first")):  # from ECDSA to RSA and back
        put(pairs, name, gateway.dir)
        os.kill(gateway.pid, signal.SIGHUP)
        gateway.wait_log(f"SIGHUP: serving the certificate of {name}.example")
        assert subject(gateway) == name
        if name == "second":
            # None of the old kind is left for those who would rather have it.
            assert "Cipher is ECDHE-RSA" in s_client(gateway, "-tls1_2")
            assert "Cipher is (NONE)" in s_client(gateway, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")
        redis.client().publish("ch.x", n)
        client.wait_events(n + 1)
    assert [m["event"] for m in client.events()] == [0, 1, 2]
    assert not client.closed


def test_all_workers_have_the_new_certificate(redis, make_tls, pairs):
    gateway = make_tls(redis, workers=3)
    assert [subject(gateway) for _ in range(12)] == ["first"] * 12
    put(pairs, "third", gateway.dir)
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_log("SIGHUP: serving the certificate of third.example")
    assert [subject(gateway) for _ in range(12)] == ["third"] * 12
    client = gateway.client()
    client.subscribe("ch.x")
    redis.client().publish("ch.x", 1)
    client.wait_events(1)


def test_changed_files_are_seen(redis, make_tls, pairs):
    gateway = make_tls(redis, tls_reload_ms=100, ping_ms=500)
    client = gateway.client()
    client.subscribe("ch.x")
    put(pairs, "second", gateway.dir)
    gateway.wait_log("the files have changed; serving the certificate of second.example")
    assert subject(gateway) == "second"

    # A pair of which one half is there, or nothing: what was served is served on, and that is told once.
    shutil.copy(pairs / "third.pem", gateway.dir / "live.pem")
    gateway.wait_log(r"the files have changed, but tls_key: \S*live.key: is not the key of the certificate in \S*live.pem; "
                     "the old certificate is served on")
    (gateway.dir / "live.key").unlink()
    gateway.wait_log(r"the files have changed, but tls_key: \S*live.key: No such file or directory; the old")
    lines = gateway.log.count("the files have changed, but")
    with RawSocket(gateway) as clock:
        assert clock.handshake()[0] == 101
        for n in range(3):
            assert subject(gateway) == "second"
            redis.client().publish("ch.x", n)
            client.wait_events(n + 1)
            opcode = None
            while opcode != 9:  # with each ping a look or more has come and gone
                opcode, data = clock.read_frame()
            clock.send_frame(10, data)
    assert gateway.log.count("the files have changed, but") == lines == 2

    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_log("SIGHUP: tls_key: .*No such file or directory; the old certificate is served on")
    shutil.copy(pairs / "third.key", gateway.dir / "live.key")
    gateway.wait_log("the files have changed; serving the certificate of third.example")
    assert subject(gateway) == "third"
    assert [m["event"] for m in client.events()] == [0, 1, 2]


def test_a_signal_without_tls(redis, make_gateway):
    gateway = make_gateway(redis)
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_log("SIGHUP: there is no certificate to read again")
    gateway.check_serves()


@pytest.mark.parametrize("certificate, key, told", [
    ("none.pem", "first.key", "tls_certificate: {folder}/none.pem: No such file or directory"),
    ("first.pem", "none.key", "tls_key: {folder}/none.key: No such file or directory"),
    (".", "first.key", "tls_certificate: {folder}/.: Is a directory"),
    ("first.key", "first.key", "tls_certificate: {folder}/first.key: holds no certificate in PEM form"),
    ("first.pem", "first.pem", "tls_key: {folder}/first.pem: holds no private key in PEM form"),
    ("first.pem", "third.key", "tls_key: {folder}/third.key: is not the key of the certificate in {folder}/first.pem"),
    ("first.pem", "second.key", "tls_key: {folder}/second.key: is not the key of the certificate in {folder}/first.pem"),
    ("first.pem", "locked.key", "tls_key: {folder}/locked.key: the key is encrypted, and nobody is there to type its password"),
    ("weak.pem", "weak.key", "tls_certificate: {folder}/weak.pem: cannot be served: ee key too small"),
    ("first.pem", "", "tls_key: found nothing: tls_certificate is set; allowed: both or none"),
    ("", "first.key", "tls_certificate: found nothing: tls_key is set; allowed: both or none"),
])
def test_what_is_wrong_is_told_at_the_start(pairs, certificate, key, told):
    file = pairs / "headgate.json"
    file.write_text(json.dumps({"listen": "127.0.0.1:0", "redis": f"redis://127.0.0.1:{free_port()}", "tls_certificate": certificate,
                                "tls_key": key}))
    for args in ((), ("--check-config",)):
        done = run_gateway("--config", file, *args)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and f"{file}: " + told.format(folder=pairs) in done.stderr, done.stderr


def test_an_expired_certificate_is_served_with_a_warning(redis, make_gateway, pairs):
    gateway = make_gateway(redis, tls_certificate=str(pairs / "expired.pem"), tls_key=str(pairs / "expired.key"))
    gateway.wait_log("warning serving the certificate of /CN=expired, expired since 2020-02-01 00:00:00 UTC")
    assert "certificate has expired" in s_client(gateway, "-CAfile", pairs / "expired.pem")


# --- nothing is lost, nothing is cut


def test_a_slow_reader_gets_all_in_order_or_is_told(redis, make_tls):
    let_one_not_read(make_tls(redis, log_bytes_max=65536, event_bytes_max=16384), redis, 3000)


def test_big_events_arrive_whole_at_readers_of_any_speed(redis, make_tls):
    gateway = make_tls(redis, event_bytes_max=4 << 20, log_bytes_max=64 << 20)
    clients = [gateway.client(max_queue=1 if n % 2 else None) for n in range(4)]
    for client in clients:
        client.subscribe("ch.x")
    sizes = [1 << 20, 3 << 20, 16383, 16384, 16385, 100, 262144, 262145, 2 << 20, 1]
    for n, size in enumerate(sizes):
        redis.client().publish("ch.x", json.dumps({"n": n, "pad": chr(97 + n) * size}))
    for client in clients:
        events = [m["event"] for m in client.wait_events(len(sizes))]
        assert [(e["n"], e["pad"]) for e in events] == [(n, chr(97 + n) * size) for n, size in enumerate(sizes)]


def test_big_messages_and_bursts_come_in_whole(redis, make_tls):
    gateway = make_tls(redis, emits_per_session_max=2)
    client = gateway.client()
    for n, size in enumerate((1000, 16384, 100000, 900000)):
        client.emit("st.big", {"eventType": "t", "pad": "y" * size}, id=f"big{n}")
    assert [len(json.loads(fields[b"event"])["pad"]) for _, fields in redis.client().xrange("st.big")] == [1000, 16384, 100000, 900000]


class OneRecord:
    """Frames of a RawSocket that leave together when the block ends."""

    def __init__(self, raw):
        self.raw, self.bytes = raw, bytearray()

    def __enter__(self):
        self.send, self.raw.send = self.raw.send, self.bytes.extend

    def __exit__(self, *_):
        self.raw.send = self.send
        self.send(bytes(self.bytes))


def send_emits(raw, topic, count, pad=0):
    for n in range(count):
        raw.send_frame(1, f'{{"op":"emit","ref":{n},"topic":"{topic}","id":"m{n}","event":{{"eventType":"t","pad":"{"p" * pad}"}}}}'.encode())


@pytest.mark.valgrind
def test_many_messages_in_one_record(redis, make_tls):
    """Past two that wait the client is not read from, though OpenSSL has opened the rest already."""
    gateway = make_tls(redis, emits_per_session_max=2)
    gateway.wait_log("emits on the link")
    count = 120
    # With an extension libwebsockets takes a record in many parts, without in two.
    for name, extra in (("plain", ()), ("deflate", (("Sec-WebSocket-Extensions", "permessage-deflate"),))):
        with RawSocket(gateway) as raw:
            assert raw.handshake(extra=extra)[0] == 101
            for topic in (f"st.{name}{n}" for n in range(3)):
                with OneRecord(raw):
                    send_emits(raw, topic, count)
                expect_answers(raw, count)
                assert redis.client().xlen(topic) == count
    # A close behind them. libwebsockets takes about 1 KiB of a record first: sometimes the close is all that follows it.
    for pad in range(120, 200, 2):
        with RawSocket(gateway) as raw:
            assert raw.handshake()[0] == 101
            with OneRecord(raw):
                send_emits(raw, f"st.last{pad}", 4, pad)
                raw.send_frame(8, (1000).to_bytes(2, "big"))
            raw.read_all()
        wait_until(lambda: redis.client().xlen(f"st.last{pad}") == 4, "what was sent before the close")
    # Whoever breaks the protocol, or goes, while something of theirs waits.
    for n in range(10):
        with RawSocket(gateway) as raw:
            assert raw.handshake()[0] == 101
            with OneRecord(raw):
                send_emits(raw, "st.broken", 50)
                raw.send_frame(1, b"\xff" if n % 2 else b"x", rsv=2 * (n % 2 == 0))
            while n % 4 > 0 and raw.read_frame()[0] not in (8, None):
                pass
    gateway.check_serves()


def expect_answers(raw, count):
    """So many emits are answered with ok, refs 0 to count - 1, and nothing else than pings comes."""
    answered = set()
    while len(answered) < count:
        opcode, data = raw.read_frame()
        assert opcode in (1, 9), opcode
        message = json.loads(data) if opcode == 1 else {"op": "ping"}
        assert message["op"] in ("ok", "ping", "welcome"), message
        if message["op"] == "ok":
            answered.add(message["ref"])
    assert answered == set(range(count))


def test_requests_behind_one_another_in_one_record(gateway):
    with RawSocket(gateway) as raw:
        raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = raw.read_all()
        assert answer.count(b"HTTP/1.1 200 OK") == 3 and answer.count(b"HTTP/1.1 404 ") == 1


async def _crowd(gateway, count, topic):
    """So many connections that are subscribed: [(reader, writer)]."""

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=gateway.tls)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        text = json.dumps({"op": "subscribe", "ref": "s", "topic": topic}).encode()
        writer.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        await reader.readuntil(b'"ref":"s"')
        return reader, writer

    return [member for start in range(0, count, 50) for member in await asyncio.gather(*(one() for _ in range(min(50, count - start))))]


def anonymous_kib(gateway):
    with open(f"/proc/{gateway.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def test_five_hundred_and_what_they_cost(gateway, redis, tell):
    count = 500

    async def meet():
        leave(await _crowd(gateway, 60, "ch.x"))  # what is allocated once
        before = anonymous_kib(gateway)
        crowd = await _crowd(gateway, count, "ch.x")
        each = (anonymous_kib(gateway) - before) / count
        for n in range(20):
            redis.client().publish("ch.x", json.dumps({"n": n, "end": n == 19}))
        for reader, _ in crowd:
            seen = await asyncio.wait_for(reader.readuntil(b'"end": true'), DEADLINE)
            places = [seen.index(f'"n": {n},'.encode()) for n in range(20)]
            assert places == sorted(places)
        leave(crowd)
        return each

    def leave(crowd):
        for _, writer in crowd:
            writer.transport.abort()

    each = asyncio.run(meet())
    tell(f"{each:.1f} KiB of user space for each connection")
    if SLOW == 1 and not WRAP:  # sanitizers and valgrind have memory of their own
        assert each <= 20
    wait_until(lambda: gateway.client_sockets() == 0, "the end of all connections")
    gateway.check_serves()


# --- closing


@pytest.mark.valgrind
def test_close_codes_and_the_end_of_tls(gateway):
    with RawSocket(gateway) as raw:
        raw.socket.suppress_ragged_eofs = False  # an end without TLS's own would be an error
        assert raw.handshake()[0] == 101
        raw.read_frame()  # welcome
        raw.send_frame(8, (1000).to_bytes(2, "big"))
        assert raw.read_frame() == (8, (1000).to_bytes(2, "big"))
        assert raw.read_frame()[0] is None
    with RawSocket(gateway) as raw:
        raw.socket.suppress_ragged_eofs = False
        assert raw.handshake()[0] == 101
        raw.read_frame()
        raw.send_frame(1, b"\xff\xfe")
        opcode, data = raw.read_frame()
        assert opcode == 8 and int.from_bytes(data[:2], "big") == 1007
        raw.send_frame(8, data)
        assert raw.read_frame()[0] is None
    client = gateway.client()
    os.kill(gateway.pid, signal.SIGTERM)
    assert client.wait_closed()[0] == 1012
    wait_until(lambda: gateway.process.poll() is not None, "the end of the gateway")
    gateway.stop(check=False)


def test_a_client_that_goes_without_a_word_leaves_nothing(gateway, redis):
    gateway.client().subscribe("ch.x")
    held = gateway.fd_count()
    for n in range(30):
        raw = RawSocket(gateway)
        assert raw.handshake()[0] == 101
        raw.send_frame(1, b'{"op":"subscribe","ref":1,"topic":"ch.x"}')
        while b'"ref":1' not in raw.read_frame()[1]:
            pass
        if n % 2:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        raw.socket.close()
        redis.client().publish("ch.x", n)
    wait_until(lambda: gateway.client_sockets() == 1, "the end of all these connections")
    wait_until(lambda: gateway.fd_count() <= held, "all descriptors")
    gateway.check_serves()
