"""Whatever a client says, it gets a clear error or the right close code, and the others notice nothing."""

import json

import pytest

from harness import RawSocket


@pytest.fixture(autouse=True)
def _others_notice_nothing(redis, gateway):
    bystander = gateway.client()
    bystander.subscribe("ch.bystander")
    yield
    redis.client().publish("ch.bystander", "1")
    bystander.wait_events(1)
    gateway.check_serves()


@pytest.mark.parametrize("text, code", [
    ("{", 107), ("nonsense", 107), ("[]", 107), ('"text"', 107), ("null", 107), ("5", 107),
    ('{"op":"ping"', 107), ('{"op":"ping"}}', 107), ('{"op":"ping"} x', 107), ("{'op':'ping'}", 107), ('{"op":"ping",}', 107),
    ('{"op":"ping","ref":01}', 107), ('{"op":"ping","ref":[1]}', 107), ('{"op":"ping","ref":{"a":1}}', 107),
    ('{"op":"ping","ref":"' + "x" * 300 + '"}', 107),
    ("{}", 107), ('{"op":5}', 107), ('{"op":null}', 107), ('{"op":["ping"]}', 107),
    ('{"op":"nonsense"}', 104), ('{"op":""}', 104), ('{"op":"PING"}', 104), ('{"op":"ping\\u0000"}', 104),
    ('{"op":"subscribe"}', 107), ('{"op":"subscribe","topic":5}', 107), ('{"op":"subscribe","topic":null}', 107),
    ('{"op":"subscribe","topic":""}', 107), ('{"op":"subscribe","topic":"ch.' + "x" * 253 + '"}', 107),
    ('{"op":"subscribe","topic":"ch.\\u0000"}', 107), ('{"op":"subscribe","topic":"ch.\\u0007x"}', 107),
    ('{"op":"subscribe","topic":"ch.\\u007fx"}', 107), ('{"op":"subscribe","topic":"ch.\\ud800"}', 107),
    ('{"op":"subscribe","topic":"ch.a*"}', 107), ('{"op":"subscribe","topic":"ch.*a.x"}', 107),
    ('{"op":"subscribe","topic":"**.x"}', 107), ('{"op":"subscribe","topic":"ch.***"}', 107),
    ('{"op":"subscribe","topic":"nobody.knows"}', 102),
    ('{"op":"subscribe","topic":"ch.x","from":"yesterday"}', 107), ('{"op":"subscribe","topic":"st.x","from":5}', 107),
    ('{"op":"subscribe","topic":"st.x","from":{}}', 107), ('{"op":"subscribe","topic":"st.x","from":{"last":0}}', 107),
    ('{"op":"subscribe","topic":"st.x","from":{"last":-1}}', 107), ('{"op":"subscribe","topic":"st.x","from":{"last":1.5}}', 107),
    ('{"op":"subscribe","topic":"st.x","from":{"last":"5"}}', 107),
    ('{"op":"subscribe","topic":"st.x","from":{"last":99999999999999999999}}', 107),
    ('{"op":"subscribe","topic":"ch.x","filter":"type = "}', 120), ('{"op":"subscribe","topic":"ch.x","filter":""}', 120),
    ('{"op":"subscribe","topic":"ch.x","filter":5}', 120), ('{"op":"subscribe","topic":"ch.x","filter":["n = 1"]}', 120),
    ('{"op":"subscribe","topic":"ch.x","filter":{}}', 120), ('{"op":"subscribe","topic":"ch.x","filter":"n = \\ud800"}', 120),
    ('{"op":"subscribe","topic":"ch.x","filter":{"exact":{}}}', 120),
    ('{"op":"update"}', 107), ('{"op":"update","sub":1}', 107), ('{"op":"update","sub":99,"filter":"n = 1"}', 107),
    ('{"op":"update","sub":"1","filter":null}', 107), ('{"op":"update","sub":1,"filter":7}', 120),
    ('{"op":"explain"}', 107), ('{"op":"explain","filter":null}', 107), ('{"op":"explain","filter":"n ="}', 120),
    ('{"op":"explain","filter":"n","topic":"","event":1}', 107),
    ('{"op":"unsubscribe"}', 107), ('{"op":"unsubscribe","sub":"1"}', 107), ('{"op":"unsubscribe","sub":-1}', 107),
    ('{"op":"unsubscribe","sub":1.5}', 107), ('{"op":"unsubscribe","sub":18446744073709551616}', 107),
    ("[" * 100000, 107), ('{"a":' * 10000 + "1" + "}" * 10000, 107), ('{"op":"ping","x":' + "[" * 50000 + "]" * 50000 + "}", 107),
])
def test_bad_messages_are_answered_and_the_connection_stays(client, text, code):
    client.send(text)
    error = client.recv_until(lambda m: m["op"] == "error")
    assert error["code"] == code, error
    assert error["reason"] and error["message"]
    assert client.ping()


def test_the_answer_names_the_ref_where_there_is_one(client):
    for text in ('{"op":"nonsense","ref":1}', '{"ref":1,"op":"subscribe"}', '{"op":"subscribe","topic":"","ref":1}',
                 '{"op":"subscribe","topic":"ch.x","filter":"x =","ref":1}'):
        client.send(text)
        assert client.recv_until(lambda m: m["op"] == "error").get("ref") == 1, text


def test_one_bad_line_does_not_spoil_the_others(client):
    client.send('{"op":"ping","ref":1}\n{bad\n{"op":"ping","ref":2}')
    assert client.answer_to(1)["op"] == "ok" and client.answer_to(2)["op"] == "ok"
    assert len(client.ops("error")) == 1


def test_a_flood_of_errors_ends(make_gateway, redis):
    """Answers that nobody reads do not pile up past reply_bytes_max."""
    gateway = make_gateway(redis, reply_bytes_max=4096)
    with RawSocket(gateway) as rude:
        assert rude.handshake()[0] == 101
        rude.socket.settimeout(5)
        line = b'{"op":"nonsense","ref":"' + b"x" * 200 + b'"}\n'
        sent = 0
        try:
            while sent < 2000:
                rude.socket.sendall(_frame(line * 100))
                sent += 1
        except OSError:
            pass
    gateway.check_serves()


def _frame(payload):
    mask = bytes(4)
    n = len(payload)
    head = bytes([0x81, 0x80 | 126]) + n.to_bytes(2, "big") if n < 65536 else bytes([0x81, 0x80 | 127]) + n.to_bytes(8, "big")
    return head + mask + payload


# ---------------------------------------------------------------------------------------------- frames


def opened(gateway):
    raw = RawSocket(gateway)
    status, headers, _ = raw.handshake()
    assert status == 101
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3
    assert "sec-websocket-extensions" not in headers
    return raw


@pytest.mark.valgrind
def test_binary_is_refused_with_1003(client):
    client.send(b'{"op":"ping"}')
    assert client.wait_closed()[0] == 1003


@pytest.mark.valgrind
def test_oversize_is_refused_with_1009(redis, make_gateway):
    gateway = make_gateway(redis, message_bytes_max=1024)
    client = gateway.client()
    client.send(json.dumps({"op": "ping", "ref": 1, "pad": "x" * (1024 - 38)}).ljust(1024))
    assert client.answer_to(1)["op"] == "ok"
    client.send(" " * 1025)
    assert client.wait_closed()[0] == 1009
    # In pieces as well, and before all of it was sent.
    with opened(gateway) as raw:
        raw.send_frame(1, b"x" * 600, fin=False)
        raw.send_frame(0, b"x" * 600, fin=False)
        assert raw.read_close() == 1009
    gateway.check_serves()


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'{"op":"ping","x":"\xe4"}', b"\xce"])
def test_invalid_utf8_is_refused_with_1007(gateway, text):
    with opened(gateway) as raw:
        raw.send_frame(1, text)
        assert raw.read_close() == 1007


def test_utf8_may_be_split_across_fragments(gateway):
    text = '{"op":"ping","ref":"ö😀"}'.encode()
    with opened(gateway) as raw:
        for i, byte in enumerate(text):
            raw.send_frame(1 if i == 0 else 0, bytes([byte]), fin=i == len(text) - 1)
            if i == 5:
                raw.send_frame(9, b"in between")
        answers = [raw.read_frame() for _ in range(3)]
        assert (10, b"in between") in answers
        assert any(opcode == 1 and '"ref":"ö😀"'.encode() in payload for opcode, payload in answers)


@pytest.mark.parametrize("say", [
    lambda raw: raw.send_frame(3, b"reserved opcode"),
    lambda raw: raw.send_frame(11, b"reserved control"),
    lambda raw: raw.send_frame(1, b'{"op":"ping"}', rsv=4),
    lambda raw: raw.send_frame(1, b'{"op":"ping"}', rsv=1),
    lambda raw: raw.send_frame(0, b"continues nothing"),
    lambda raw: raw.send_frame(9, b"x" * 126),
    lambda raw: raw.send_frame(9, b"x", fin=False),
    lambda raw: (raw.send_frame(1, b'{"op":', fin=False), raw.send_frame(1, b'"ping"}')),
], ids=["opcode 3", "opcode 11", "rsv1", "rsv3", "stray continuation", "long ping", "ping in pieces", "text within text"])
def test_protocol_errors_are_refused_with_1002(gateway, say):
    with opened(gateway) as raw:
        say(raw)
        # libwebsockets hangs up without a word on control frames that are too long.
        assert raw.read_close() in (1002, None)


def test_unmasked_frames_are_no_harm(gateway):
    """RFC 6455 wants them refused; libwebsockets takes them as they are. Either will do, silence will not."""
    with opened(gateway) as raw:
        raw.send_frame(1, b'{"op":"ping","ref":1}', masked=False)
        while (frame := raw.read_frame())[0] == 1 and b'"ref":1' not in frame[1]:
            pass
        assert frame[0] in (1, 8, None)


def test_lengths_that_lie(gateway):
    for length in (2**31, 2**62, 2**63, 2**64 - 1):
        with opened(gateway) as raw:
            raw.send_frame(1, b"x", length=length)
            assert raw.read_close() in (1002, 1009, None)


@pytest.mark.valgrind
def test_half_a_frame_and_gone(gateway):
    for cut in (b"\x81", b"\x81\xfe", b"\x81\xfe\x01\x00", b"\x81\x85\x01\x02\x03\x04ab", b"\x01\x82\x00\x00\x00\x00{}"):
        with opened(gateway) as raw:
            raw.send(cut)


def test_ping_is_answered_with_its_payload(gateway):
    with opened(gateway) as raw:
        for payload in (b"", b"x", b"y" * 125):
            raw.send_frame(9, payload)
            while (frame := raw.read_frame())[0] != 10:
                assert frame[0] == 1
            assert frame[1] == payload


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xa0own code"])
def test_close_is_answered(gateway, payload):
    with opened(gateway) as raw:
        raw.send_frame(8, payload)
        assert raw.read_close() in (1005, 1000, int.from_bytes(payload[:2], "big") if payload else 1005)
        assert raw.read_all() == b""


@pytest.mark.parametrize("payload", [b"\x03", b"\x00\x00", b"\x03\xedreserved", b"\x03\xe8\xff\xfe", b"\xff\xff"])
def test_bad_closes_end_the_connection(gateway, payload):
    with opened(gateway) as raw:
        raw.send_frame(8, payload)
        raw.read_close()
        raw.read_all()


def test_bytes_that_are_no_frames(gateway):
    for junk in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"\x00" * 1000, b"\xff" * 1000):
        with opened(gateway) as raw:
            raw.send(junk)
            raw.finish()
            raw.read_all()
