"""Looks again and again at how much memory a gateway holds and how much Redis does."""

import threading
import time
from dataclasses import dataclass

import redis as redis_py

EVERY_S = 0.1
EMITS = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_fcall")


@dataclass
class Work:
    """What Redis did from `at` on for `seconds`: calls that append, whether entries came of them or not, and entries."""

    at: float
    seconds: float
    calls: int
    entries: int

    def beyond(self, count):
        """How many more than `count` for each EVERY_S."""
        return max(0, max(self.calls, self.entries) - int(count * max(1, self.seconds / EVERY_S)))


class Watch:
    """From its making to done()."""

    def __init__(self, gateway, redis):
        self.gateway, self.redis = gateway, redis
        self.memory = []  # (when, bytes)
        self.work = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        connection = last = None
        away_at = time.monotonic()
        while not self._stop.wait(EVERY_S):
            self.memory.append((time.monotonic(), memory_of(self.gateway.pid)))
            try:
                connection = connection or self.redis.client(unix_socket_path=self.redis.socket, socket_timeout=0.5)
                now = self._counts(connection)
            except (redis_py.exceptions.RedisError, OSError):
                connection, away_at = None, time.monotonic()
                continue
            if last and now[2] < last[2]:  # it was started anew, and counts from zero
                last = (now[0] - (time.monotonic() - away_at), 0, 0)
            if last:
                self.work.append(Work(time.monotonic(), now[0] - last[0], now[1] - last[1], now[2] - last[2]))
            last = now

    @staticmethod
    def _counts(connection):
        """(its own time, calls, entries)"""
        pipe = connection.pipeline(transaction=True)
        pipe.time()
        pipe.info("commandstats")
        (seconds, micros), stats = pipe.execute()
        calls = {name: row["calls"] for name, row in stats.items()}
        return seconds + micros / 1e6, sum(calls.get(name, 0) for name in EMITS), calls.get("cmdstat_xadd", 0)

    def memory_most(self, since):
        return max((held for at, held in list(self.memory) if at >= since), default=0)

    def work_since(self, since):
        return [work for work in list(self.work) if work.at >= since]

    def done(self):
        self._stop.set()
        self._thread.join()


def memory_of(pid):
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
