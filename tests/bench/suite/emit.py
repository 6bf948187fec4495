"""The scenario of bench_emit: what an acknowledged emit costs the gateway and Redis, by each way that this Redis offers
to append once, beside bare pipelined XADDs of the same entries."""
import re

from processes import wait_for
from scenario import Row, Scenario, number, plural, size

SETTINGS = {"topics": [{"match": "**", "source": "stream", "emit": True, "dedupe": "best_effort"}]}
ROWS = [
    Row("Redis CPU/emit, µs", "redis_us", 1, "Redis CPU/emit"),
    Row("gateway CPU/emit, µs", "gateway_us"),
    Row("  in user space", "gateway_user_us"),
    Row("emits/s, thousands", "emits/s", 1e3),
    Row("answer, median, µs", "ack_median_us"),
    Row("answer, 99 of 100, µs", "ack_99%_us"),
    Row("events/call", "events/call"),
    Row("gateway kept waiting, %", "server_waited_%"),
    Row("Redis kept waiting, %", "redis_waited_%"),
    Row("generator busy, %", "generator_busy_%"),
]
HOW = [("IDMP", "IDMP"), ("Function", "Function"), ("script headgate", "EVALSHA"), ("refused", "plain")]


def make_users(bench):
    """Users with fewer rights, where Redis has users; returns the ways that can be told apart."""
    ask = bench.processes.ask_redis
    if ask("acl", "whoami") != "default":
        return ["all"]
    rights = ["on", ">bench", "~*", "&*", "+@all"]
    rights += ["-" + one for one in ("function", "fcall", "fcall_ro") if ask("command", "info", one)]
    ask("acl", "setuser", "script", *rights)
    ask("acl", "setuser", "plain", *rights, "-eval", "-evalsha", "-script")
    return bench.options.ways


def way_of(server):
    """What this gateway says of how it appends, in one word; "" while it has not said so."""
    with open(server.log, encoding="utf-8", errors="replace") as file:
        said = re.findall(r"emits on the link 'commander' to [^:]*: (.*)", file.read())
    return next((title for mark, title in HOW if said and mark in said[-1]), "")


def start_gateways(bench, ways):
    """One for each way and program, all at once; they rest while another is measured. Those are left out that this Redis
    cannot tell from an earlier one."""
    gateways = {}
    for way in ways:
        for program, suffix in ((bench.gateway, ""), (bench.options.before, ", before")):
            if not program:
                continue
            server = bench.processes.start_gateway(program, SETTINGS, "" if way == "all" else f"{way}:bench@")
            title = wait_for("how it appends", lambda server=server: way_of(server), server, server.log) + suffix
            if title in gateways:
                bench.processes.stop_server(server)
            else:
                gateways[title] = server
    return gateways


def measures_of(options):
    """By case: arguments of the generator."""
    cases = {}
    for clients in options.clients:
        each = "" if clients == 1 else " each"
        for window in options.windows:
            cases[f"{plural(clients, 'client')}, {window} unanswered{each}"] = ["--clients", clients, "--window", window]
    for rate in options.rates:
        clients = options.clients[-1]
        cases[f"{plural(clients, 'client')}, {number(rate)} emits/s"] = ["--clients", clients, "--rate", rate]
    return cases


def emit(bench, options):
    scenario = Scenario("emit", f"events of {size(options.bytes[0])} emitted to one stream")
    measures = measures_of(options)
    ways = make_users(bench)
    for name in measures:
        scenario.case(name, ROWS)
    processes = bench.processes
    for turn in range(1, options.rounds + 1):
        gateways = start_gateways(bench, ways)
        columns = ["bare", *gateways]
        scenario.columns = scenario.columns or columns
        for name, arguments in measures.items():
            first = turn % len(columns)
            for column in columns[first:] + columns[:first]:
                bench.progress(f"emit, round {turn} of {options.rounds}: {name}, {column}")
                server, part = gateways.get(column), "generator"
                if server:
                    extra = ["--gateway", server.address, "--pid", server.pid]
                    extra += ["--no-dedupe"] if column.startswith("plain") else []
                else: # the bare one has the gateway's place
                    extra, part = ["--bare"], "server"
                for _, figure, value in processes.generate(
                        bench.built("bench_emit"), ["--bytes", options.bytes[0], "--seconds", options.seconds,
                                                    *arguments, *extra], server and server.log, part):
                    bench.figures.note("emit", name, column, turn, figure, value)
        for server in gateways.values():
            processes.stop_server(server)
    scenario.pairs = [(column, "bare") for column in scenario.columns[1:]]
    return scenario
