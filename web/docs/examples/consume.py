#!/usr/bin/python3
"""An invoice for each order in a Redis stream, once: a consumer group with effects in a database.

The effect of an event and the event's id are written in one transaction, then the entry is acknowledged. Killed at any
moment, the event comes again and is known by its id. What a consumer that died had taken is taken over by another.
An event that cannot be handled is tried again, later each time, and goes to a stream of dead letters in the end.

    consume.py billing.db             consumes until Ctrl-C; start several, with other names
"""

import argparse
import json
import os
import signal
import sqlite3
import sys
import time

import redis

SCHEMA = """
CREATE TABLE IF NOT EXISTS invoices (order_number INTEGER NOT NULL, total INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at REAL NOT NULL);
"""

BATCH = 10
BLOCK_MS = 200
ATTEMPTS = 3  # of one delivery, before the entry is left for a later one
PAUSE_MAX_S = 5.0  # between attempts, and while Redis is away


def apply(db, event_id, event):
    """The effect of an event; false when it was there before."""
    total = event["total"]
    if not isinstance(total, int):
        raise ValueError(f"the total {total!r} is not a number")
    with db:  # both or neither
        new = db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (event_id, time.time())).rowcount
        if new:
            db.execute("INSERT INTO invoices VALUES (?, ?)", (event["order"], total))
    return bool(new)


class Consumer:
    def __init__(self, db, client, options):
        self.db, self.client, self.options = db, client, options
        self.stream, self.group, self.name = options.stream, options.group, options.name
        self.claim_from = "0-0"

    def join(self):
        try:
            self.client.xgroup_create(self.stream, self.group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def step(self):
        for entry, fields in self.claim():
            if not fields:  # deleted from the stream meanwhile
                self.client.xack(self.stream, self.group, entry)
            else:
                self.handle(entry, fields, self.deliveries(entry))
        for _, entries in self.client.xreadgroup(self.group, self.name, {self.stream: ">"}, BATCH, BLOCK_MS):
            for entry, fields in entries:
                self.handle(entry, fields, 1)

    def claim(self):
        """What somebody took and did not acknowledge for claim_ms, ourselves included."""
        answer = self.client.xautoclaim(self.stream, self.group, self.name, self.options.claim_ms, self.claim_from, BATCH)
        self.claim_from = answer[0]
        return answer[1]

    def deliveries(self, entry):
        pending = self.client.xpending_range(self.stream, self.group, min=entry, max=entry, count=1)
        return pending[0]["times_delivered"] if pending else 1

    def handle(self, entry, fields, deliveries):
        why = f"not handled in {deliveries - 1} deliveries"  # it may have killed those who tried
        if deliveries <= self.options.deliveries:
            why = self.attempt(fields)
        if why is None:
            self.client.xack(self.stream, self.group, entry)
        elif deliveries >= self.options.deliveries:
            self.bury(entry, fields, why)
        # Else it stays pending, and is claimed again after claim_ms.

    def attempt(self, fields):
        """None when it is done, else why not."""
        why, pause, left = None, self.options.backoff_ms / 1000, ATTEMPTS
        while left:
            try:
                apply(self.db, fields[b"id"].decode(), json.loads(fields[b"event"]))
                return None
            except sqlite3.OperationalError as error:  # full, locked, away: not the event's fault, so wait
                print(f"database: {error}", file=sys.stderr, flush=True)
            except Exception as error:  # whatever it is, the event may be to blame
                why, left = f"{type(error).__name__}: {error}", left - 1
            time.sleep(pause if left else 0)
            pause = min(2 * pause, PAUSE_MAX_S)
        return why

    def bury(self, entry, fields, why):
        """With the fields of Headgate's own dead letters, so that `headgate deadletter` shows it."""
        letter = {**fields, "topic": self.stream, "code": 0, "reason": "not_handled", "message": why,
                  "entry": entry, "group": self.group}
        with self.client.pipeline(transaction=True) as both:
            both.xadd(self.options.dead_letters, letter).xack(self.stream, self.group, entry).execute()
        print(f"{entry.decode()} goes to {self.options.dead_letters}: {why}", file=sys.stderr, flush=True)

    def run(self, until):
        joined = False
        while not until():
            try:
                if not joined:
                    self.join()
                    joined = True
                self.step()
            except redis.RedisError as error:
                joined = False  # a Redis that lost the stream has lost the group too
                print(f"Redis: {error}", file=sys.stderr, flush=True)
                time.sleep(PAUSE_MAX_S / 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="an SQLite file, made if need be; all consumers of a group share it")
    parser.add_argument("--redis", default="redis://127.0.0.1:6390", metavar="URL", help="default: that of gateway/run")
    parser.add_argument("--stream", default="events.orders", metavar="KEY")
    parser.add_argument("--group", default="billing")
    parser.add_argument("--name", default=f"worker-{os.getpid()}", help="of this consumer, another one each")
    parser.add_argument("--dead-letters", default="dead:orders", metavar="KEY", help="stream of what cannot be handled")
    parser.add_argument("--deliveries", type=int, default=5, metavar="N", help="after so many it goes there")
    parser.add_argument("--claim-ms", type=int, default=30000, metavar="MS", help="longer than a batch takes")
    parser.add_argument("--backoff-ms", type=int, default=200, metavar="MS", help="before the second attempt")
    options = parser.parse_args()

    ended = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.append(True))
    db = sqlite3.connect(options.database, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA)
    Consumer(db, redis.Redis.from_url(options.redis, socket_timeout=5), options).run(lambda: ended)


if __name__ == "__main__":
    main()
