"""What the stream must look like once all emits of a test are answered, and what is wrong where it does not."""

from collections import Counter


def entries(redis, topic):
    """(cursor without its fingerprint, id, event) of all that stands in the stream, in its order."""
    return [(entry.decode(), fields[b"id"].decode(), fields[b"event"].decode()) for entry, fields in redis.client().xrange(topic)]


def ids(redis, topic):
    return [id for _, id, _ in entries(redis, topic)]  # noqa: A001


def faults(emitted, stream, acknowledged):
    """`emitted`: ids in the order of their emits; `stream`: (entry, id, event) in its order; `acknowledged`: (id, cursor), in any order and perhaps
    twice. Returns a list of sentences, empty when every emit stands in the stream once, in order, and was acknowledged with its place."""
    found = []
    times = Counter(id for _, id, _ in stream)  # noqa: A001
    found += [f"{id} was lost" for id in emitted if times[id] == 0]  # noqa: A001
    found += [f"{id} stands {n} times in the stream" for id, n in times.items() if n > 1]  # noqa: A001
    found += [f"{id} was never emitted" for id in times if id not in set(emitted)]  # noqa: A001
    if not found and [id for _, id, _ in stream] != list(emitted):  # noqa: A001
        found.append(f"the order is another one: {[id for _, id, _ in stream]}")  # noqa: A001
    place = {id: entry for entry, id, _ in stream}  # noqa: A001
    told = {id for id, _ in acknowledged}  # noqa: A001
    found += [f"{id} was not acknowledged" for id in emitted if id not in told]  # noqa: A001
    found += [f"{id} was acknowledged with {cursor} and stands at {place.get(id)}" for id, cursor in acknowledged  # noqa: A001
              if cursor.split("~")[0] != place.get(id)]
    return found
