"""The scenarios of what the gateway may have: deflate, tls, workers. Each is held against the gateway without it."""
import os
import subprocess

from fanout import CPU, MEMORY, SPEED, STORM, Run, allowed, measure, plural, size, speed_cases, speed_of
from processes import Failure
from scenario import Row, Scenario, number

BYTES = Row("bytes/delivery", "bytes", 1, "bytes/delivery")
COMPRESSED = Row("compressed, %", "compressed_%")
RATE = Row("deliveries/s, thousands", "deliveries/s", 1e3, "deliveries/s")


def lacks(bench, setting, scenario):
    """Whether this gateway has no such setting; then the scenario says so."""
    done = subprocess.run([bench.gateway, "--dump-config"], capture_output=True, text=True, check=False)
    if f'"{setting}"' in done.stdout:
        return False
    scenario.remarks.append(f"Not measured: this gateway has no setting {setting}.")
    return True


def deflate(bench, options):
    scenario = Scenario("deflate", "JSON to clients that all offer compression, and to clients that do not",
                        ["deflating", "plain"], [("deflating", "plain")])
    if lacks(bench, "deflate", scenario):
        return scenario
    runs = []
    for event in options.bytes:
        for clients in allowed(scenario, options.clients):
            cases = {what: (name, [CPU, BYTES, COMPRESSED, *SPEED[1:]])
                     for what, (name, _) in speed_cases(options, f"{plural(clients, 'client')}, {size(event)}").items()}
            for column, extra in (("deflating", ["--deflate"]), ("plain", [])):
                runs.append(Run(["--clients", clients, "--bytes", event, "--records", *speed_of(options), *extra], cases,
                                clients, column, ("headgate",), {"deflate": True}))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def make_certificate(processes):
    certificate, key = processes.path("certificate.pem"), processes.path("key.pem")
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate],
                       capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure(f"openssl makes no certificate: {error}") from None
    return {"tls_certificate": certificate, "tls_key": key}


def tls(bench, options):
    scenario = Scenario("tls", "the same with and without TLS; each connection shakes hands in full",
                        ["TLS", "plain"], [("TLS", "plain")])
    if lacks(bench, "tls_certificate", scenario):
        return scenario
    settings = make_certificate(bench.processes)
    runs = []
    for clients in allowed(scenario, options.clients):
        name = plural(clients, "client")
        for column, extra, more in (("TLS", ["--tls"], settings), ("plain", [], {})):
            runs.append(Run(["--clients", clients, *speed_of(options), "--bytes", options.bytes[0], *extra],
                            {f"clients:{clients}": (f"{name} connect", STORM + MEMORY),
                             **speed_cases(options, f"{name}, {size(options.bytes[0])}")},
                            clients, column, ("headgate",), more))
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario


def workers(bench, options):
    """The gateway has all cores. Redis and the generator share the last of them with it; where there are but two, they take
    from it what a second worker could use."""
    scenario = Scenario("workers", "the same clients, shared out among so many workers")
    if lacks(bench, "workers", scenario):
        return scenario
    scenario.columns = [plural(count, "worker") for count in options.workers]
    scenario.pairs = [(column, scenario.columns[0]) for column in scenario.columns[1:]]
    if bench.processes.cores:
        bench.processes.cores["server"] = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        bench.cores = "server on all cores, Redis and generator on core " + bench.processes.cores["generator"]
    runs = []
    for clients in allowed(scenario, options.clients):
        cases = {what: (name, [RATE, *(row for row in SPEED if row.label != RATE.label)])
                 for what, (name, _) in speed_cases(options, f"{plural(clients, 'client')}, "
                                                             f"{size(options.bytes[0])}").items()}
        for count, column in zip(options.workers, scenario.columns):
            runs.append(Run(["--clients", clients, "--bytes", options.bytes[0], "--subscribers", count,
                             *speed_of(options)], cases, clients, column, ("headgate",), {"workers": str(count)}))
    if os.cpu_count() < max(options.workers) + 1:
        scenario.remarks.append(f"{number(os.cpu_count())} cores for workers, Redis and generator: CPU/delivery tells more "
                                "than deliveries/s.")
    measure(bench, scenario, runs, options.rounds, "channel")
    return scenario
