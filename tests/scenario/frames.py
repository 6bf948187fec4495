"""A client's WebSocket connection for swarms. Frames are taken apart by hand: hundreds of clients must cost little."""

import asyncio
import base64
import os


class Connection(asyncio.Protocol):
    """What is built on it says what to do when it is `opened`, has `received` a message, has `taken` all that came at once, and is
    `closed`. It may be connected again and again."""

    transport = None
    open = False  # the handshake is done

    def opened(self):
        pass

    def received(self, payload):
        pass

    def taken(self):
        pass

    def closed(self):
        pass

    # --- what asyncio calls

    def connection_made(self, transport):
        self.transport, self.open, self._rest = transport, False, b""
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write((f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())

    def connection_lost(self, _):
        self.open = False
        self.closed()
        self.transport = None

    def data_received(self, data):
        buf = self._rest + data if self._rest else data
        at, end = 0, len(buf)
        if not self.open:
            at = buf.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = buf
                return
            assert buf.startswith(b"HTTP/1.1 101 "), buf[:200]
            self.open = True
            self.opened()
        while end - at >= 2:
            n, head = buf[at + 1], at + 2
            if n == 126:
                n, head = int.from_bytes(buf[head:head + 2], "big"), head + 2
            elif n == 127:
                n, head = int.from_bytes(buf[head:head + 8], "big"), head + 8
            if end - head < n:
                break
            first, payload = buf[at], buf[head:head + n]
            at = head + n
            if first == 0x81:
                self.received(payload)
            elif first == 0x89:
                self.transport.write(_frame(0x8A, payload))
            elif first == 0x88:
                self.transport.close()
        self._rest = buf[at:]
        self.taken()

    # --- what its user calls

    def say(self, *messages):
        """Each a frame of its own, all in one write."""
        self.transport.write(b"".join([_frame(0x81, message) for message in messages]))


def _frame(first, payload):
    """A mask of zeros leaves the bytes as they are."""
    n = len(payload)
    if n < 126:
        return b"%c%c\0\0\0\0%b" % (first, 0x80 | n, payload)
    if n < 65536:
        return b"%c\xfe%b\0\0\0\0%b" % (first, n.to_bytes(2, "big"), payload)
    return b"%c\xff%b\0\0\0\0%b" % (first, n.to_bytes(8, "big"), payload)
