"""The browser agrees to permessage-deflate by itself, and no script sees the difference."""

import json

from harness import RawSocket

TALK = """
  window.got = {};
  window.sockets = ['a', 'b', 'c'].map((name) => {
    const ws = new WebSocket(`ws://${location.host}/ws`, 'headgate.v1');
    got[name] = [];
    ws.onopen = () => ws.send(JSON.stringify({op: 'subscribe', ref: 1, topic: 'ch.big', pad: 'x'.repeat(5000)}));
    ws.onmessage = ({data}) => got[name].push(JSON.parse(data));
    return ws;
  });
"""


def received(page, name, op):
    return page.script("return got[arguments[0]].filter((m) => m.op === arguments[1])", name, op)


def test_compressed_both_ways(page, redis, gateway):
    page.open()
    page.script(TALK)
    page.wait(lambda: all(received(page, name, "ok") for name in "abc"), "three subscriptions")
    assert set(page.script("return sockets.map((ws) => ws.extensions)")) == {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"}
    events = [{"n": n, "text": "Grüße, 世界 " * n} for n in (1, 100, 3000)]
    with redis.client() as backend:
        for event in events:
            backend.publish("ch.big", json.dumps(event, ensure_ascii=False))
    for name in "abc":
        page.wait(lambda name=name: len(received(page, name, "event")) == 3, f"the events of {name}")
        assert [m["event"] for m in received(page, name, "event")] == events
    # And these were such that are compressed: two clients by hand see it.
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    with RawSocket(gateway) as one, RawSocket(gateway) as two:
        for raw in one, two:
            raw.handshake(extra=offer)
            raw.send_frame(1, b'{"op":"subscribe","ref":1,"topic":"ch.big"}')
            while b'"ok"' not in raw.read_frame()[1]:
                pass
        with redis.client() as backend:
            backend.publish("ch.big", json.dumps(events[2]))
        for raw in one, two:
            assert raw.read_frame()[0] == 1 and raw.deflated
    page.wait(lambda: len(received(page, "c", "event")) == 4, "the last event")
    page.script("sockets.forEach((ws) => ws.close())")
