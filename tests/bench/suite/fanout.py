"""The scenarios of bench_fanout: fanout, spread, patterns, filters, steady, slow, storm, idle.

Each round goes through all runs, and each run through all servers, beginning with another one each time, so that drift
of the machine falls on all alike. A run is one start of a server and of the generator."""
from dataclasses import dataclass, field

import machine
from scenario import Row, Scenario, number, plural, size

SPARE_FILES = 600  # descriptors of a process besides those of clients

CPU = Row("CPU/delivery, µs", "cpu_us", 1, "CPU/delivery")
SPEED = [
    CPU,
    Row("  in user space", "user_us"),
    Row("  in the kernel", "system_us"),
    Row("deliveries/s, thousands", "deliveries/s", 1e3),
    Row("writes/delivery", "writes"),
    Row("delay, median, ms", "delay_median_us", 1e3),
    Row("delay, 99 of 100, ms", "delay_99%_us", 1e3),
    Row("server busy, %", "server_busy_%"),
    Row("server kept waiting, %", "server_waited_%"),
    Row("generator busy, %", "generator_busy_%"),
]
STEADY = [
    Row("delay, median, ms", "delay_median_us", 1e3, "delay, median"),
    Row("delay, 99 of 100, ms", "delay_99%_us", 1e3, "delay, 99 of 100"),
    Row("delay, 999 of 1,000, ms", "delay_99.9%_us", 1e3, "delay, 999 of 1,000"),
    CPU,
    *[row for row in SPEED[1:] if not row.label.startswith("delay")],
]
STORM = [
    Row("connected and subscribed/s", "connects/s", 1, "connects/s"),
    Row("CPU/connection, µs", "connect_us", 1, "CPU/connection"),
    Row("server kept waiting, %", "server_waited_%"),
]
MEMORY = [
    Row("memory/connection, bytes", "bytes_per_connection", 1, "memory/connection"),
    Row("  of the kernel, both ends, bytes", "kernel_bytes_per_connection"),
]
IDLE = [
    Row("CPU, % of a core", "cpu_%", 1, "CPU"),
    Row("pings/client", "pings_per_client"),
    Row("memory/connection afterwards, bytes", "bytes_per_connection_later"),
]
STALLED = [
    Row("CPU/delivery, µs", "none_cpu_us", 1),
    Row("  with the stalled ones", "stalled_cpu_us", 1, "CPU/delivery with the stalled"),
    Row("  with / without", "stalled/none_cpu"),
    Row("  without / without (noise)", "none/none_cpu"),
    Row("deliveries/s, thousands", "none_deliveries/s", 1e3),
    Row("  with the stalled ones", "stalled_deliveries/s", 1e3),
    Row("  with / without", "stalled/none_deliveries"),
    Row("  without / without (noise)", "none/none_deliveries"),
    Row("memory they made grow, MB", "stalled_growth", 1e6),
    Row("server kept waiting, %", "server_waited_%"),
]


@dataclass
class Run:
    """`cases`: by what the generator calls a measure, the case and its rows."""
    arguments: list
    cases: dict
    clients: int
    column: str = ""  # in place of the server's name
    servers: tuple = ()  # those it is for; none: all
    settings: dict = field(default_factory=dict)
    source: str = ""


def servers_of(bench, source):
    """By column: how to start one."""
    servers = {"headgate": lambda settings: bench.processes.start_gateway(bench.gateway, settings)}
    if bench.options.before:
        servers["before"] = lambda settings: bench.processes.start_gateway(bench.options.before, settings)
    if source == "channel":
        servers["limit"] = lambda settings: bench.processes.start_limit(bench.built("limit"))
    return servers


def pairs_of(servers):
    return [("headgate", other) for other in servers if other != "headgate"] + (
        [("before", "limit")] if {"before", "limit"} <= set(servers) else [])


def settings_of(run, source):
    return {"connections_max": run.clients + 64, "topics": [{"match": "**", "source": source}], **run.settings}


def measure(bench, scenario, runs, rounds, source):
    for run in runs:
        for name, rows in run.cases.values():
            scenario.case(name, rows)
    for turn in range(1, rounds + 1):
        for run in runs:
            servers = {name: start for name, start in servers_of(bench, run.source or source).items()
                       if not run.servers or name in run.servers}
            names = list(servers)
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                case = next(iter(run.cases.values()))[0]
                bench.progress(f"{scenario.name}, round {turn} of {rounds}: {case}, {run.column or name}")
                server = servers[name](settings_of(run, run.source or source))
                for what, figure, value in bench.processes.generate(
                        bench.built("bench_fanout"), ["--gateway", server.address, "--pid", server.pid,
                                                      "--source", run.source or source, *run.arguments], server.log):
                    if what in run.cases:
                        bench.figures.note(scenario.name, run.cases[what][0], run.column or name, turn, figure, value)
                bench.processes.stop_server(server)


def scenario_with_limit(bench, name, sentence, source="channel"):
    servers = servers_of(bench, source)
    return Scenario(name, sentence, list(servers), pairs_of(servers))


def allowed(scenario, counts):
    """Those numbers of clients that descriptors allow; in place of others the most that they do."""
    most = machine.open_files() - SPARE_FILES
    if max(counts) <= most:
        return counts
    most = max(1, most // 1000 * 1000 if most >= 1000 else most)
    scenario.remarks.append(f"{', '.join(number(c) for c in counts if c > most)} clients are more than the "
                            f"{number(machine.open_files())} open files that the system allows a process (ulimit -Hn); "
                            f"{number(most)} in their place.")
    return sorted({min(count, most) for count in counts})


def windows(numbers):
    return [argument for one in numbers for argument in ("--window", one)]


def rates(numbers):
    return [argument for one in numbers for argument in ("--rate", one)]


def speed_of(options):
    return [*windows(options.windows), *rates(options.rates), "--seconds", options.seconds]


def speed_cases(options, what):
    """For each measure its case; `what` stands before how many are in flight."""
    return {**{f"window:{one}": (f"{what}, {number(one)} in flight", SPEED) for one in options.windows},
            **{f"rate:{one}": (f"{what}, {number(one)} events/s", STEADY) for one in options.rates}}


# --- the scenarios ---


def fanout(bench, options):
    scenario = scenario_with_limit(bench, "fanout", "all clients on one topic, as fast as they go", options.source)
    runs = [Run(["--clients", clients, "--bytes", event, *speed_of(options)],
                speed_cases(options, f"{plural(clients, 'client')}, {size(event)}"), clients)
            for event in options.bytes for clients in allowed(scenario, options.clients)]
    measure(bench, scenario, runs, options.rounds, options.source)
    return scenario


def spread(bench, options):
    scenario = scenario_with_limit(bench, "spread", "each client on a topic of its own, as fast as they go",
                                   options.source)
    runs = [Run(["--clients", clients, "--groups", clients, "--bytes", event, *speed_of(options)],
                speed_cases(options, f"{plural(clients, 'topic')}, {size(event)}"), clients)
            for event in options.bytes for clients in allowed(scenario, options.clients)]
    measure(bench, scenario, runs, options.rounds, options.source)
    return scenario


def patterns(bench, options):
    scenario = scenario_with_limit(bench, "patterns", "each pattern matches ten topics and is shared by ten clients")
    runs = []
    for event in options.bytes:
        for clients in allowed(scenario, options.clients):
            count = max(1, clients // 10)
            runs.append(Run(["--clients", clients, "--by", "pattern", "--groups", count, "--lanes", 10, "--bytes",
                             event, *speed_of(options)],
                            speed_cases(options, f"{plural(count, 'pattern')}, {size(event)}"), clients))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def filters(bench, options):
    """Each event passes one filter of one client, so that all that differs is how many filters there are. Clients and
    events in flight are as few as the fewest filters need."""
    counts = options.filters
    names = [plural(count, "filter") for count in counts]
    scenario = Scenario("filters", "one topic, each event passes one filter of one client", names,
                        [(name, names[0]) for name in names[1:]])
    window = min(options.windows[0], counts[0])
    rows = [Row("CPU/event, µs", "cpu_us", 1, "CPU/event"), *SPEED[1:],
            Row("memory/filter, bytes", "bytes_per_filter"), Row("CPU to subscribe, µs/filter", "us_per_filter")]
    runs = []
    for count, name in zip(counts, names):
        clients = min([count, *options.clients])
        case = (f"{size(options.bytes[0])}, {window} in flight", rows)
        settings = {"subscriptions_per_session_max": max(256, -(-count // clients)), "groups_max": max(100000, count * 2)}
        runs.append(Run(["--clients", clients, "--by", "filter", "--groups", count, "--bytes", options.bytes[0],
                         "--window", window, "--seconds", options.seconds],
                        {f"window:{window}": case, f"clients:{clients}": case}, clients, name, ("headgate",), settings))
    measure(bench, scenario, runs, options.rounds, "channel")
    for run, count, name in zip(runs, counts, names):
        case = next(iter(run.cases.values()))[0]
        for figure, derived in (("bytes_per_connection", "bytes_per_filter"), ("connect_us", "us_per_filter")):
            for turn, values in bench.figures.values.get(("filters", case, name, figure), {}).items():
                for value in values:
                    bench.figures.note("filters", case, name, turn, derived, value * run.clients / count)
    return scenario


def steady(bench, options):
    scenario = scenario_with_limit(bench, "steady", "so many deliveries a second, evenly; delay from just before PUBLISH "
                                                    "until the client has read the event")
    runs = []
    clients = allowed(scenario, options.clients)[0]
    for groups in (1, max(1, clients // 10)):
        for deliveries in options.deliveries:
            rate = max(1, deliveries * groups // clients)
            name = f"{plural(groups, 'topic')}, {plural(clients // groups, 'client')} each, {number(rate * clients // groups)}/s"
            runs.append(Run(["--clients", clients, "--groups", groups, "--rate", rate, "--seconds", options.seconds,
                             "--bytes", options.bytes[0]], {f"rate:{rate}": (name, STEADY)}, clients))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def storm(bench, options):
    scenario = scenario_with_limit(bench, "storm", "all connect and subscribe to one topic at once")
    runs = [Run(["--clients", clients], {f"clients:{clients}": (plural(clients, "client"), STORM)}, clients)
            for clients in allowed(scenario, options.clients)]
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def idle(bench, options):
    scenario = scenario_with_limit(bench, "idle", f"clients of one topic on which nothing happens for {options.idle:g} s")
    runs = []
    for clients in allowed(scenario, options.clients):
        name = plural(clients, "client")
        runs.append(Run(["--clients", clients, "--idle", options.idle],
                        {f"clients:{clients}": (name, MEMORY + IDLE), f"idle:{clients}": (name, MEMORY + IDLE)}, clients))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def slow(bench, options):
    """In each round without them, with them, and without again; what the outer two differ by is noise."""
    scenario = scenario_with_limit(bench, "slow", "clients at full speed, without and with others that subscribe and "
                                                  "read nothing")
    clients = allowed(scenario, options.clients)[0]
    stalled = options.stalled or max(1, clients // 100)
    window = options.windows[0]
    runs = []
    for source in ("channel", "stream"):
        name = f"one {source}, {plural(clients, 'client')}, {number(stalled)} stalled, {window} in flight"
        runs.append(Run(["--clients", clients, "--bytes", options.bytes[0], "--window", window, "--seconds",
                         options.seconds, "--stalls", 1, "--stalled", stalled],
                        {f"window:{window}": (name, STALLED)}, clients + stalled, source=source))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario
