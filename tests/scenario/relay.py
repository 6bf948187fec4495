"""A TCP relay between the gateway and Redis that can misbehave as networks do: swallow everything in silence, cut, lead elsewhere.

It reads along what the gateway asks, and so knows which of its links a connection is."""

import asyncio
import threading

from harness import DEADLINE, wait_until

# The first of these words that was said on a connection tells what it is.
WORDS = (("listener", {b"SUBSCRIBE", b"PSUBSCRIBE"}), ("reader", {b"XREAD"}),
         ("commander", {b"PUBLISH", b"SCAN", b"TYPE", b"SCRIPT", b"EVALSHA", b"EVAL", b"XADD"}), ("replay", {b"XRANGE"}))


class Pipe:
    """One connection and that to Redis which it leads to."""

    def __init__(self):
        self.said = set()
        self.commands = []
        self.swallowing = False
        self.muted = False
        self.open = True
        self._rest = b""

    @property
    def kind(self):
        for kind, words in WORDS:
            if self.said & words:
                return kind
        return None

    def listen_in(self, data):
        self._rest += data
        while True:
            command, self._rest = _take_command(self._rest)
            if command is None:
                return
            self.commands.append(command)
            self.said.add(command[0].upper())


def _take_command(buf):
    """(one command as list of bytes, or None; what is left)"""
    line, sep, rest = buf.partition(b"\r\n")
    if not sep or not line.startswith(b"*"):
        return None, buf
    command = []
    for _ in range(int(line[1:])):
        line, sep, rest = rest.partition(b"\r\n")
        if not sep:
            return None, buf
        length = int(line[1:])
        if len(rest) < length + 2:
            return None, buf
        command.append(rest[:length])
        rest = rest[length + 2:]
    return command, rest


class Relay:
    """Without `listens` it does not read along: for much traffic, whose links need not be told apart."""

    def __init__(self, port, listens=True):
        self.target = port
        self.listens = listens
        self.pipes = []
        self.swallows_new = False
        self._writers = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)

    async def _listen(self):
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader, writer):
        pipe = Pipe()
        pipe.swallowing = self.swallows_new
        self.pipes.append(pipe)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            pipe.open = False
            writer.transport.abort()
            return
        self._writers[pipe] = (writer, far_writer)
        await asyncio.gather(self._carry(pipe, reader, far_writer, pipe.listen_in if self.listens else None),
                             self._carry(pipe, far_reader, writer, None, answers=True))
        pipe.open = False
        self._writers.pop(pipe, None)

    async def _carry(self, pipe, reader, writer, listen_in, answers=False):
        try:
            while data := await reader.read(65536):
                if pipe.swallowing or (answers and pipe.muted):
                    continue
                if listen_in:
                    listen_in(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            # The end of a connection is swallowed as well.
            if not pipe.swallowing:
                writer.transport.abort()

    # --- verbs

    def open_pipes(self, kind=None):
        return [pipe for pipe in list(self.pipes) if pipe.open and kind in (None, pipe.kind)]

    def wait_pipe(self, kind):
        return wait_until(lambda: (self.open_pipes(kind) or [None])[0], lambda: f"a {kind} among {[p.said for p in self.open_pipes()]}")

    def swallow(self, *pipes):
        """From now on no byte passes on these connections, in either direction; nobody is told. Bytes that Redis did not get are
        lost for good."""

        async def begin():
            for pipe in pipes:
                pipe.swallowing = True

        self._call(begin())

    def mute(self, *pipes):
        """From now on Redis gets what it is told on these connections, and its answers are lost."""

        async def begin():
            for pipe in pipes:
                pipe.muted = True

        self._call(begin())

    def cut(self):
        """Ends all connections at once."""

        async def abort():
            for writers in list(self._writers.values()):
                for writer in writers:
                    writer.transport.abort()

        self._call(abort())

    def done(self):
        async def end():
            self._server.close()
            for writers in list(self._writers.values()):
                for writer in writers:
                    writer.transport.abort()
            for _ in range(1000):
                if not self._writers:
                    return
                await asyncio.sleep(0.001)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
