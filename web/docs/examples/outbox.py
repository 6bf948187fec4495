#!/usr/bin/python3
"""Orders in a database, and an event of each in a Redis stream: a transactional outbox and its relay.

An order and its event are written in one transaction, so that there is never one without the other. The relay appends
the events to the stream in the order of their numbers. How far it has come stands in Redis, beside the stream, and
moves in the same atomic step as the stream grows: killed at any moment it goes on where Redis stands.

    outbox.py shop.db --orders 20     places 20 orders, then relays until Ctrl-C
"""

import argparse
import json
import random
import signal
import sqlite3
import sys
import time
import uuid

import redis

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, total INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
                                   event TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_name (name TEXT NOT NULL);
"""

# KEYS: stream, position.  ARGV: maxlen, the position that was read, then of each event seq, id and event.
PUBLISH = """
local position = tonumber(redis.call('GET', KEYS[2]) or '0')
if position < tonumber(ARGV[2]) then return end -- Redis lost some since: the relay is to look again
for a = 3, #ARGV, 3 do
  if tonumber(ARGV[a]) > position then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[a + 2], 'id', ARGV[a + 1])
    redis.call('SET', KEYS[2], ARGV[a])
    position = tonumber(ARGV[a])
  end
end
"""

BATCH = 100
POLL_S = 0.1
BACKOFF_S = (0.1, 5.0)  # first and longest pause while Redis is away


def open_database(path):
    db = sqlite3.connect(path, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")  # who reads does not hold up who writes
    db.executescript(SCHEMA)
    with db:  # a name of its own, so that another database does not go on where this one stood
        db.execute("INSERT INTO outbox_name SELECT ? WHERE NOT EXISTS (SELECT 1 FROM outbox_name)", (uuid.uuid4().hex,))
    return db


def put_event(db, event):
    """Within the transaction of the change that it tells of. The id is that of the event, for ever."""
    event = {"id": str(uuid.uuid4()), **event}
    db.execute("INSERT INTO outbox (id, event, at) VALUES (?, ?, ?)", (event["id"], json.dumps(event), time.time()))


def place_order(db, total):
    with db:  # both or neither
        number = db.execute("INSERT INTO orders (total) VALUES (?)", (total,)).lastrowid
        put_event(db, {"type": "order.placed", "order": number, "total": total})
    return number


class Relay:
    def __init__(self, db, client, stream, maxlen=100000, keep_s=86400):
        self.db, self.client, self.maxlen, self.keep_s = db, client, maxlen, keep_s
        (name,) = db.execute("SELECT name FROM outbox_name").fetchone()
        self.keys = [stream, f"outbox:{{{stream}}}:{name}"]  # one slot of a cluster
        self.publish = client.register_script(PUBLISH)

    def step(self):
        """Publishes what is next; returns how many events that were."""
        position = int(self.client.get(self.keys[1]) or 0)
        newest = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        if position > (newest[0] if newest else 0):
            sys.exit(f"Redis has events up to {position}, this database up to {newest and newest[0]}: it is an old copy. "
                     "Nothing more is published, for its numbers were used before.")
        rows = self.db.execute("SELECT seq, id, event FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?",
                               (position, BATCH)).fetchall()
        if rows:
            self.publish(keys=self.keys, args=[self.maxlen, position, *(value for row in rows for value in row)])
        else:
            self.prune(position)
        return len(rows)

    def prune(self, position):
        """Rows are kept for a while, for a Redis that loses its newest writes asks for them again."""
        with self.db:
            self.db.execute("DELETE FROM outbox WHERE seq <= ? AND at < ?", (position, time.time() - self.keep_s))

    def run(self, until):
        pause = BACKOFF_S[0]
        while not until():
            try:
                count = self.step()
                pause = BACKOFF_S[0]
                if count:
                    print(f"{count} events published", flush=True)
                else:
                    time.sleep(POLL_S)
            except redis.RedisError as error:  # whether it was done is not known; the position will tell
                print(f"Redis: {error}; again in {pause:.1f} s", file=sys.stderr, flush=True)
                time.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, BACKOFF_S[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="an SQLite file, made if need be")
    parser.add_argument("--orders", type=int, default=0, metavar="N", help="place so many orders first")
    parser.add_argument("--redis", default="redis://127.0.0.1:6390", metavar="URL", help="default: that of gateway/run")
    parser.add_argument("--stream", default="events.orders", metavar="KEY", help="default: events.orders")
    options = parser.parse_args()

    ended = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.append(True))
    db = open_database(options.database)
    for _ in range(options.orders):
        place_order(db, random.randint(1, 500))
    Relay(db, redis.Redis.from_url(options.redis, socket_timeout=5), options.stream).run(lambda: ended)


if __name__ == "__main__":
    main()
