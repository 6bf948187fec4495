"""The scenario of bench_storm: all clients of a stream are cut off, miss events, and come back at once."""
from scenario import Row, Scenario, number, plural, size

VARIANTS = {"gateway stayed": [], "gateway killed": ["--kill"], "ten filters": ["--filters", 10]}
ROWS = [
    Row("first connect to last, s", "seconds"),
    Row("  all connected after, s", "connected_s"),
    Row("deliveries, millions", "deliveries", 1e6),
    Row("bytes to clients, MB", "bytes", 1e6),
    Row("gateway CPU, s", "gateway_cpu_s"),
    Row("  in user space", "gateway_user_s"),
    Row("  in the kernel", "gateway_system_s"),
    Row("gateway CPU/delivery, µs", "gateway_cpu_us_each"),
    Row("gateway kept waiting, %", "server_waited_%"),
    Row("generator busy, %", "generator_busy_%"),
    Row("Redis CPU, s", "redis_cpu_s"),
    Row("Redis commands for replays", "commands_for_replays"),
    Row("  XRANGE", "commands_xrange"),
    Row("  XREVRANGE", "commands_xrevrange"),
    Row("  XINFO", "commands_xinfo"),
    Row("  others", "commands_other"),
    Row("Redis commands of the reader", "commands_of_reader"),
    Row("  XREAD", "commands_xread"),
    Row("  proofs that it goes on", "commands_proof"),
    Row("told stale or live", "told_stale_or_live"),
    Row("RSS before, MB", "rss_before", 1e6),
    Row("RSS at its peak, MB", "rss_peak", 1e6),
    Row("RSS after, MB", "rss_after", 1e6),
    Row("RSS after they left, MB", "rss_dropped", 1e6),
]


def resume(bench, options):
    clients, event = options.clients[0], options.bytes[0]
    scenario = Scenario("resume", f"all clients come back to one stream from {number(options.missed)} places, events of "
                                  f"{size(event)}", list(VARIANTS))
    case = plural(clients, "client")
    scenario.case(case, ROWS)
    processes = bench.processes
    config = processes.configure({"connections_max": clients + 64, "topics": [{"match": "**", "source": "stream"}]})
    log = processes.path("server-of-storm.log")
    pin = ["taskset", "-c", processes.cores["server"]] if "server" in processes.cores else []
    gateway = [*pin, "env", f"HEADGATE_REDIS=redis://127.0.0.1:{processes.redis_port}", bench.gateway, "--config", config]
    rate = ["--rate", options.rate] if options.rate else []
    for turn in range(1, options.rounds + 1):
        for column, variant in VARIANTS.items():
            bench.progress(f"resume, round {turn} of {options.rounds}: {column}")
            for _, figure, value in processes.generate(
                    bench.built("bench_storm"), ["--bytes", event, "--clients", clients, "--missed", options.missed, "--log",
                                                 log, *rate, *variant, "--", *gateway], log):
                bench.figures.note("resume", case, column, turn, figure, value)
    return scenario
