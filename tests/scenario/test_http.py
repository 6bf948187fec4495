"""The bundled page and documentation over plain HTTP."""

import re

import pytest

from harness import RawSocket, http_get


@pytest.mark.valgrind
def test_the_page(gateway):
    status, headers, body = http_get(gateway, "/")
    assert status == 200
    assert headers["content-type"].lower().replace(" ", "") == "text/html;charset=utf-8"
    assert int(headers["content-length"]) == len(body)
    assert b"<html" in body and b"Headgate" in body


def test_headers_that_protect(gateway):
    for path in ("/", "/docs/"):
        _, headers, _ = http_get(gateway, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy or "default-src 'self'" in policy
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "referrer-policy" in headers


def test_everything_the_page_names_is_there(gateway):
    _, _, body = http_get(gateway, "/")
    named = re.findall(r'(?:src|href)="(?!https?:|data:|#|mailto:)([^"]+)"', body.decode())
    assert named
    for path in named:
        path = "/" + path.removeprefix("./").lstrip("/")
        status, headers, _ = http_get(gateway, path.split("#")[0])
        assert status == 200, path
        kinds = {".js": "javascript", ".mjs": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        for ending, kind in kinds.items():
            if path.endswith(ending):
                assert kind in headers["content-type"], path


@pytest.mark.valgrind
def test_etag(gateway):
    _, headers, body = http_get(gateway, "/")
    etag = headers["etag"]
    assert re.fullmatch(r'"[^"]+"', etag)
    for value in (etag, f'"other", {etag}', "*", f"W/{etag}"):
        status, again, empty = http_get(gateway, "/", headers={"If-None-Match": value})
        assert (status, empty) == (304, b""), value
        assert again["etag"] == etag
    status, _, again = http_get(gateway, "/", headers={"If-None-Match": '"other"'})
    assert status == 200 and again == body


@pytest.mark.valgrind
def test_head(gateway):
    _, get_headers, body = http_get(gateway, "/")
    status, headers, empty = http_get(gateway, "/", method="HEAD")
    assert status == 200 and empty == b""
    assert headers["content-length"] == str(len(body)) and headers["etag"] == get_headers["etag"]


@pytest.mark.parametrize("path", ["/nothing", "/docs/nothing", "/index.php", "/page", "/.git/config", "/docs/../../CMakeLists.txt",
                                  "/" + "x" * 2000])
def test_404(gateway, path):
    status, headers, _ = http_get(gateway, path)
    assert status == 404
    assert "html" not in headers.get("content-type", "text/plain") or "content-security-policy" in headers


@pytest.mark.parametrize("path", ["/../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
                                  "//etc/passwd", "/docs/../../../../../etc/passwd", "/docs/..%5c..%5cetc/passwd", "/\\..\\..\\etc\\passwd",
                                  "/docs/%2e%2e/%2e%2e/config/headgate.json", "/....//....//etc/passwd"])
def test_no_way_out_of_the_folder(gateway, path):
    status, _, body = http_get(gateway, path)
    assert status in (400, 403, 404)
    assert b"root:" not in body and b"topics" not in body


@pytest.mark.parametrize("path", ["/%00/etc/passwd", "/%00", "/page%00.css", "/?%00", "/?x=%00"])
def test_nul_in_the_path(gateway, path):
    """libwebsockets 4.3 drops the connection at a NUL without asking us, so there is no answer; 4.1 passes it on, or at the end
    of the path leaves it away."""
    with RawSocket(gateway) as raw:
        raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status, _, _ = raw.read_response()
        assert status in ((200, 400, 404, None) if path in ("/%00", "/?%00", "/?x=%00") else (400, 403, 404, None))
        while raw._fill():
            pass
        assert b"root:" not in raw.buffer
    gateway.check_serves()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(gateway, method):
    with RawSocket(gateway) as raw:
        raw.send(f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        status, _, _ = raw.read_response()
        assert status in (403, 404, 405, 501, None)
    gateway.check_serves()


def test_the_documentation(gateway):
    status, headers, body = http_get(gateway, "/docs/")
    assert status == 200 and "text/html" in headers["content-type"]
    assert b"<html" in body
    for link in re.findall(r'href="(?!https?:|#|mailto:)([^"#]+)', body.decode()):
        path = link if link.startswith("/") else "/docs/" + link.removeprefix("./")
        assert http_get(gateway, path)[0] == 200, link


def test_the_browser_library(gateway):
    waiting, seen = ["/client/headgate.js"], set()
    while waiting:
        path = waiting.pop()
        status, headers, body = http_get(gateway, path)
        assert status == 200 and headers["content-type"] == "text/javascript; charset=utf-8", path
        seen.add(path)
        waiting += {"/client/" + name for name in re.findall(r"from '\./([^']+)'", body.decode())} - seen
    assert len(seen) > 5
    status, headers, body = http_get(gateway, "/client/headgate.d.ts")
    assert status == 200 and headers["content-type"] == "text/plain; charset=utf-8" and b"export function connect" in body
    for path in ("/client/", "/client", "/client/README.md"):
        assert http_get(gateway, path)[0] == 404, path


def test_queries_are_no_harm(gateway):
    assert http_get(gateway, "/?x=1&y=%20")[0] == 200


def test_several_requests_on_one_connection(gateway):
    with RawSocket(gateway) as raw:
        for _ in range(3):
            raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, rest = raw.read_response()
            assert status == 200
            length = int(headers["content-length"])
            while len(raw.buffer) < length:
                assert raw._fill()
            raw.buffer = raw.buffer[length:]


def test_without_page(redis, make_gateway):
    gateway = make_gateway(redis, page=False)
    assert http_get(gateway, "/")[0] == 404
    assert http_get(gateway, "/docs/")[0] == 404
    assert http_get(gateway, "/client/headgate.js")[0] == 404
    gateway.check_serves()


def test_ws_without_upgrade(gateway):
    status, _, _ = http_get(gateway, "/ws")
    assert status in (400, 404, 426)
