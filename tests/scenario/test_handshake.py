"""Handshakes that no browser would send. Each ends in an HTTP error or a closed connection; the gateway lives on."""

import socket

import pytest

from harness import RawSocket, random_key, wait_until


@pytest.fixture(autouse=True)
def _lives_on(gateway):
    bystander = gateway.client()
    yield
    assert bystander.ping()
    gateway.check_serves()


def status_of(gateway, **kw):
    with RawSocket(gateway) as raw:
        return raw.handshake(**kw)


@pytest.mark.valgrind
def test_a_good_one(gateway):
    status, headers, _ = status_of(gateway, protocol="headgate.v1")
    assert status == 101
    assert headers["upgrade"].lower() == "websocket"
    assert headers["sec-websocket-protocol"] == "headgate.v1"


def test_headers_are_read_without_regard_to_case(gateway):
    assert status_of(gateway, upgrade="WebSocket", connection="keep-alive, UPGRADE")[0] == 101


@pytest.mark.parametrize("version", ["0", "7", "8", "12", "14", "99999", "", "x", "13, 8"])
def test_other_versions(gateway, version):
    status, headers, _ = status_of(gateway, version=version)
    assert status == 426 and headers.get("sec-websocket-version") == "13"


def test_no_version(gateway):
    assert status_of(gateway, version=None)[0] in (400, 426)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods(gateway, method):
    status, headers, _ = status_of(gateway, method=method)
    assert status in (405, None) if method != "POST" else status == 405
    if status == 405:
        assert "GET" in headers.get("allow", "GET")


@pytest.mark.parametrize("upgrade", ["h2c", "h2c, websocket", "websocket2", "foo", "raw", "tls/1.0", "x" * 300])
def test_foreign_upgrades(gateway, upgrade):
    status, _, _ = status_of(gateway, upgrade=upgrade)
    assert status is None or 400 <= status < 500, status


def test_h2c_is_not_spoken(gateway):
    with RawSocket(gateway) as raw:
        status, _, _ = raw.handshake(upgrade="h2c", path="/", connection="Upgrade, HTTP2-Settings", key=None, version=None,
                                     extra=[("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")])
        assert status != 101
    with RawSocket(gateway) as raw:
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        raw.finish()
        assert not raw.read_all().startswith(b"\x00")


@pytest.mark.valgrind
def test_upgrade_without_its_header(gateway):
    assert status_of(gateway, upgrade=None)[0] != 101
    assert status_of(gateway, upgrade="")[0] != 101


@pytest.mark.parametrize("length", [200, 251, 256, 300, 1000, 3000])
def test_long_extension_lists(gateway, length):
    value = ("permessage-deflate; " + "x" * length)[:length]
    with RawSocket(gateway) as raw:
        status, headers, rest = raw.handshake(extra=[("Sec-WebSocket-Extensions", value)])
        if status == 101:
            assert "sec-websocket-extensions" not in headers
            raw.buffer = rest
            assert raw.read_frame()[1].startswith(b'{"op":"welcome"')
        else:
            assert status is None or 400 <= status < 500


def test_compression_is_agreed_unless_it_is_switched_off(gateway, redis, make_gateway):
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    status, headers, _ = status_of(gateway, extra=offer)
    assert status == 101
    assert headers["sec-websocket-extensions"] == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    status, headers, _ = status_of(make_gateway(redis, deflate=False), extra=offer)
    assert status == 101 and "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("protocol", ["other.v1", "headgate.v2", "x" * 64, "x" * 128, "a, " * 100 + "b", ",,,", "head gate"])
def test_subprotocols_we_do_not_speak(gateway, protocol):
    status, _, _ = status_of(gateway, protocol=protocol)
    assert status == 400


def test_ours_behind_others(gateway):
    for protocol in ("other.v1, headgate.v1", "headgate.v1,other", " headgate.v1 "):
        status, headers, _ = status_of(gateway, protocol=protocol)
        assert (status, headers.get("sec-websocket-protocol")) == (101, "headgate.v1"), protocol


@pytest.mark.parametrize("key", [None, "", "abc", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==dGhl", "!" * 24, "A" * 300])
def test_bad_keys(gateway, key):
    status, _, _ = status_of(gateway, key=key)
    assert status is None or status == 400


def test_http_1_0(gateway):
    status, _, _ = status_of(gateway, http_version="1.0")
    assert status is None or status >= 400


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/x", "/other", "/WS", "/ws%00", "/index.html"])
def test_other_paths_do_not_upgrade(gateway, path):
    status, _, _ = status_of(gateway, path=path)
    assert status != 101


def test_a_query_is_no_harm(gateway):
    assert status_of(gateway, path="/ws?x=1")[0] == 101


def test_headers_without_end(gateway):
    with RawSocket(gateway) as raw:
        raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
        for n in range(2000):
            raw.send(b"X-%d: %s\r\n" % (n, b"y" * 100))
        raw.finish()
        assert b" 101 " not in raw.read_all()


@pytest.mark.parametrize("junk", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /ws\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET /ws HTTP/1.1\r\n\r\n",
                                  b"GET /ws HTTP/9.9\r\nHost: x\r\n\r\n", b"GET " + b"/x" * 20000 + b" HTTP/1.1\r\n\r\n",
                                  b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, b"*1\r\n$4\r\nPING\r\n"])
def test_junk(gateway, junk):
    with RawSocket(gateway) as raw:
        raw.send(junk)
        raw.finish()
        assert b" 101 " not in raw.read_all()[:40]


@pytest.mark.valgrind
def test_connections_that_say_nothing(gateway):
    raws = [RawSocket(gateway) for _ in range(50)]
    gateway.check_serves()
    for raw in raws:
        raw.socket.close()
    wait_until(lambda: gateway.client_sockets() <= 1, "the end of the silent ones")


def test_byte_by_byte(gateway):
    with RawSocket(gateway) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: {random_key()}\r\n\r\n")
        for byte in request.encode():
            raw.send(bytes([byte]))
        assert raw.read_response()[0] == 101


def test_frames_behind_the_handshake_are_not_lost(gateway):
    """Sent in one piece with the request, as RFC 6455 forbids but networks may produce after a fast 101."""
    with RawSocket(gateway) as raw:
        request = ("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: {random_key()}\r\n\r\n").encode()
        body = b'{"op":"ping","ref":1}'
        raw.send(request + bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)
        assert raw.read_response()[0] == 101
        while b'"ref":1' not in raw.read_frame()[1]:
            pass


# ------------------------------------------------------------------------------------------------------ Origin


def origin_status(gateway, origin, host=None):
    return status_of(gateway, host=host or f"127.0.0.1:{gateway.port}", extra=[("Origin", origin)])[0]


def test_foreign_origins_are_refused(gateway):
    for origin in ("http://evil.example", "https://127.0.0.1.evil.example", "null", f"http://127.0.0.1:{gateway.port}.evil.example",
                   f"http://127.0.0.1:{gateway.port + 1}", "file://"):
        assert origin_status(gateway, origin) == 403, origin


def test_our_own_origin_and_none_are_admitted(gateway):
    assert origin_status(gateway, f"http://127.0.0.1:{gateway.port}") == 101
    assert origin_status(gateway, f"http://localhost:{gateway.port}", host=f"localhost:{gateway.port}") == 101
    assert origin_status(gateway, "https://gate.example", host="gate.example") == 101
    assert status_of(gateway)[0] == 101


def test_configured_origins_are_admitted(redis, make_gateway):
    gateway = make_gateway(redis, origins=["https://app.example", "http://other.example:8000"])
    assert origin_status(gateway, "https://app.example") == 101
    assert origin_status(gateway, "http://other.example:8000") == 101
    for origin in ("http://app.example", "https://app.example:444", "http://other.example", "https://app.example.evil.example"):
        assert origin_status(gateway, origin) == 403, origin


def test_a_star_admits_all(redis, make_gateway):
    gateway = make_gateway(redis, origins=["*"])
    assert origin_status(gateway, "http://evil.example") == 101
