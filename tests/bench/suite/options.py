"""The command line: which scenarios, and what of them."""
import re
import sys
from types import SimpleNamespace

USAGE = """Usage: tests/bench/run [SCENARIO…|all] [--quick] [OPTION]…

Builds the release, starts a private redis-server and the servers to measure on free loopback ports, connects many
clients, checks every event at every client, and prints tables: first ratios, then figures. The gateway is held against
`limit`, a bare fan-out that does nothing else; both are measured in turns within each round. Everything it started ends
with it. The environment variable HEADGATE_TEST_REDIS names another redis-server than the one that is installed.

Scenarios (default: fanout)
  fanout     all clients on one topic, as fast as they go
  spread     each client on a topic of its own
  patterns   each pattern matches ten topics and is shared by ten clients
  filters    each event passes one filter of one client, of 10 to 100,000 filters; held against 10
  steady     20,000 deliveries a second: how long they take
  idle       many clients to whom nothing happens: memory of each, CPU for their pings
  storm      all connect and subscribe at once
  slow       what clients that read nothing cost the others
  resume     all clients of a stream are cut off, miss events, and come back at once
  emit       what an acknowledged emit costs the gateway and Redis, beside bare pipelined XADDs
  deflate    compressed events against plain ones
  tls        wss against ws: deliveries, connecting, memory
  workers    two workers against one

Options, where a scenario has a use for them; its own defaults differ
  --clients N[,N…]     each number of clients is measured
  --bytes N[,N…]       of an event
  --windows W[,W…]     events in flight, as fast as they go; emit: unanswered emits of each client
  --rates R[,R…]       events (emit: emits) a second, steadily; '' for none
  --deliveries N[,N…]  steady: deliveries a second
  --filters N[,N…]     filters: so many
  --workers N[,N…]     workers: so many; the first is held against
  --stalled N          slow: so many that read nothing; default one in a hundred
  --idle S             idle: seconds; default 50, in which each client is pinged
  --missed N           resume: events at most that a client misses
  --rate R             resume: more events a second during the storm
  --ways WAY[,WAY…]    emit: by the rights that Redis gives the gateway: all of them; script: no Functions; plain: neither
                       Functions nor scripts, so that nothing is deduplicated
  --alone WHO          emit: who has a core to itself, where there are two: redis, as beside the bare one (default), so
                       that its figures can be compared; or gateway, for the most emits a second
  --source KIND        fanout, spread: channel (default) or stream, which is not held against limit
  --seconds S          of each measure in each round
  --rounds N
  --quick              one short round with few clients: to see whether it works
  --gateway FILE       measure this program instead of the one from this tree, without building it
  --before FILE        measure this build of the gateway too, in turns with the other
  --markdown           print the ratios as a table in Markdown instead
  --json FILE          put all figures there: of each the median, the least and the most of the rounds
  --raw FILE           put the single values there
  --help               this text
"""

EVENT = {"bytes": [256]}
DEFAULTS = {
    "fanout": {"clients": [1000, 10000], "bytes": [256, 4096], "windows": [1, 8, 64], "rates": [], "source": "channel",
               "seconds": 2.0, "rounds": 5},
    "spread": {"clients": [1000], **EVENT, "windows": [1000, 8000], "rates": [], "source": "channel", "seconds": 2.0,
               "rounds": 5},
    "patterns": {"clients": [1000], **EVENT, "windows": [1000, 8000], "rates": [], "seconds": 2.0, "rounds": 5},
    "filters": {"clients": [1000], **EVENT, "windows": [8], "filters": [10, 100, 1000, 10000, 100000], "seconds": 2.0,
                "rounds": 5},
    "steady": {"clients": [1000], **EVENT, "deliveries": [20000], "seconds": 5.0, "rounds": 5},
    "idle": {"clients": [10000, 50000], "idle": 50.0, "rounds": 3},
    "storm": {"clients": [10000], "rounds": 5},
    "slow": {"clients": [1000], **EVENT, "windows": [64], "stalled": 0, "seconds": 2.0, "rounds": 5},
    "resume": {"clients": [10000], **EVENT, "missed": 5000, "rate": 0, "rounds": 3},
    "emit": {"clients": [1, 50], **EVENT, "windows": [1, 16, 64], "rates": [2000], "ways": ["all", "script", "plain"],
             "alone": "redis", "seconds": 1.0, "rounds": 5},
    "deflate": {"clients": [1000], "bytes": [4096], "windows": [1, 8, 64], "rates": [], "seconds": 2.0, "rounds": 5},
    "tls": {"clients": [1000, 10000], **EVENT, "windows": [1, 64], "rates": [], "seconds": 2.0, "rounds": 5},
    "workers": {"clients": [1000], **EVENT, "windows": [1, 64], "rates": [], "workers": [1, 2], "seconds": 2.0,
                "rounds": 5},
}
QUICK = {
    "fanout": {"clients": [300], "bytes": [256]},
    "spread": {"clients": [300], "windows": [300]},
    "patterns": {"clients": [300], "windows": [300]},
    "filters": {"filters": [10, 1000]},
    "steady": {"clients": [300], "deliveries": [6000]},
    "idle": {"clients": [300], "idle": 1.0},
    "storm": {"clients": [300]},
    "slow": {"clients": [300]},
    "resume": {"clients": [300], "missed": 1000},
    "emit": {"clients": [1, 10], "windows": [16]},
    "deflate": {"clients": [300], "windows": [8]},
    "tls": {"clients": [300], "windows": [8]},
    "workers": {"clients": [300], "windows": [8]},
}

NUMBERS = re.compile(r"[1-9]\d*(,[1-9]\d*)*")
MAYBE_NUMBERS = re.compile(r"|" + NUMBERS.pattern)
NUMBER = re.compile(r"[1-9]\d*")
COUNT = re.compile(r"\d+")
SECONDS = re.compile(r"\d+(\.\d+)?")
FILE = re.compile(r".+")


def numbers(text):
    return [int(one) for one in text.split(",") if one]


FORMS = {
    "clients": (NUMBERS, numbers), "bytes": (NUMBERS, numbers), "windows": (NUMBERS, numbers),
    "rates": (MAYBE_NUMBERS, numbers), "deliveries": (NUMBERS, numbers), "workers": (NUMBERS, numbers), "filters": (NUMBERS, numbers),
    "stalled": (COUNT, int), "idle": (SECONDS, float), "missed": (NUMBER, int), "rate": (COUNT, int),
    "ways": (re.compile(r"(all|script|plain)(,(all|script|plain))*"), lambda text: text.split(",")),
    "alone": (re.compile(r"redis|gateway"), str), "source": (re.compile(r"channel|stream"), str),
    "seconds": (SECONDS, float), "rounds": (NUMBER, int),
    "gateway": (FILE, str), "before": (FILE, str), "json": (FILE, str), "raw": (FILE, str),
}
GENERAL = ("gateway", "before", "json", "raw")


def refuse(text):
    print(f"bench: {text}; see --help", file=sys.stderr)
    sys.exit(2)


def read(arguments):
    """Returns the general options, with `chosen`: the options of each scenario, by its name."""
    general = SimpleNamespace(quick=False, markdown=False, **{name: "" for name in GENERAL})
    names, given = [], {}
    arguments = list(arguments)
    while arguments:
        argument = arguments.pop(0)
        name = argument[2:]
        if argument in ("--help", "-h"):
            print(USAGE, end="")
            sys.exit(0)
        elif argument in ("--quick", "--markdown"):
            setattr(general, name, True)
        elif argument.startswith("--") and name in FORMS:
            if not arguments:
                refuse(f"{argument} wants a value")
            form, convert = FORMS[name]
            value = arguments.pop(0)
            if not form.fullmatch(value):
                refuse(f"{argument} does not take {value!r}")
            if name in GENERAL:
                setattr(general, name, value)
            else:
                given[name] = convert(value)
        elif argument == "all":
            names += [one for one in DEFAULTS if one not in names]
        elif argument in DEFAULTS:
            names.append(argument)
        else:
            refuse(f"there is neither a scenario nor an option {argument}")
    names = list(dict.fromkeys(names)) or ["fanout"]
    for name in given:
        if not any(name in DEFAULTS[one] for one in names):
            refuse(f"{' '.join(names)} has no use for --{name}")
    general.chosen = {}
    for one in names:
        values = dict(DEFAULTS[one])
        if general.quick:
            values.update(rounds=1, **({"seconds": 0.3} if "seconds" in values else {}), **QUICK[one])
        values.update({name: value for name, value in given.items() if name in values})
        general.chosen[one] = SimpleNamespace(**values)
    return general
