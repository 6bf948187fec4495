"""A gateway that answers as the test wants: 108, 111, 122, nothing at all. Speaks the wire over a real WebSocket, and remembers what it was told.

handler(command, gateway) gets each emit, as a dict with its text as `raw`, and returns the members of an answer ({"code": …} makes it an error), or
None for silence. Without an answer of its own a test takes `gateway.append(command)`: a stream in memory that knows its ids."""

import asyncio
import contextlib
import json
import threading

import websockets

from harness import DEADLINE, free_port


class FakeGateway:
    def __init__(self, handler=None, **limits):
        self.handler = handler or (lambda command, gateway: gateway.append(command))
        self.limits = {"message_bytes": 1048576, "event_bytes": 1048576, "subscriptions": 256, "emits": 256, **limits}
        self.limits = {name: value for name, value in self.limits.items() if value is not None}
        self.commands = []  # all that came, in order; "session" says on which connection
        self.stream = []  # (topic, id, event)
        self.sessions = 0
        self.knows_hello = True
        self.deaf = False  # it answers nothing, and reads all the same
        self._sockets = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = free_port()
        self._server = None
        self.start()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    def append(self, command):
        for n, (topic, known, _) in enumerate(self.stream):
            if (topic, known) == (command["topic"], command["id"]):
                return {"cursor": f"{n + 1}-0~00000000", "duplicate": True}
        self.stream.append((command["topic"], command["id"], command["event"]))
        return {"cursor": f"{len(self.stream)}-0~00000000", "duplicate": False}

    def emits(self, **members):
        return [c for c in list(self.commands) if c["op"] == "emit" and all(c.get(name) == value for name, value in members.items())]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)

    async def _serve(self, socket):
        self._sockets.add(socket)
        self.sessions += 1
        session = f"session-{self.sessions}"
        try:
            await socket.send(json.dumps({"op": "welcome", "session": session, "ping_ms": 25000, "limits": self.limits}))
            async for text in socket:
                command = {**json.loads(text), "session": session, "raw": text, "named": json.loads(text).get("session")}
                self.commands.append(command)
                answer = self._answer(command)
                if answer is not None:
                    await socket.send(json.dumps({"op": "error" if "code" in answer else "ok", "ref": command["ref"], **answer}))
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)

    def _answer(self, command):
        if self.deaf:
            return None
        if command["op"] == "emit":
            return self.handler(command, self)
        if command["op"] == "hello" and not self.knows_hello:
            return {"code": 104, "reason": "unknown_op", "message": "There is no operation \"hello\"."}
        return {"sub": 1} if command["op"] in ("subscribe", "update") else {}

    def say(self, message):
        """To all who are connected."""

        async def send():
            for socket in list(self._sockets):
                await socket.send(json.dumps(message))

        self._call(send())

    def start(self):
        async def listen():
            return await websockets.serve(self._serve, "127.0.0.1", self.port, subprotocols=["headgate.v1"], max_size=None)

        self._server = self._call(listen())

    def cut(self, code=None):
        """Ends all connections: without a word, or with a close code."""

        async def end():
            for socket in list(self._sockets):
                if code is None:
                    socket.transport.abort()
                else:
                    await socket.close(code)

        self._call(end())

    def stop(self):
        """Nobody listens until start()."""

        async def end():
            self._server.close()
            for socket in list(self._sockets):
                socket.transport.abort()
            with contextlib.suppress(Exception):
                await self._server.wait_closed()

        if self._server:
            self._call(end())
        self._server = None

    def done(self):
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
