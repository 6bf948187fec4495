"""What a benchmark starts, and ends: Redis, servers, generators. Should this program be killed outright, the kernel
ends them."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 10  # seconds
GENERATOR_PATIENCE = 600


class Failure(Exception):
    """What went wrong, in a sentence; with the log that tells more, if there is one."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


def wait_for(what, condition, process, log):
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if process.poll() is not None:
            raise Failure(f"{what} ended", log)
        if time.monotonic() > end:
            raise Failure(f"{what} does not start", log)
        time.sleep(0.01)


class Processes:
    """`cores` names the core of each part: "server", "redis", "generator"; a part without one is not pinned."""

    def __init__(self, cores):
        self.cores = cores
        self.folder = tempfile.mkdtemp(prefix="headgate-bench-")
        self.running = []
        self.redis_port = None
        self.logs = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, part, command, log, **environment):
        pin = ["taskset", "-c", self.cores[part]] if part in self.cores else []
        with open(log, "wb") as out:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *pin, *command], stdout=out,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                       env={**os.environ, **environment})
        self.running.append(process)
        return process

    def end(self, process):
        """Returns its status."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if process in self.running:
            self.running.remove(process)
        return status

    def close(self):
        for process in list(reversed(self.running)):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- Redis ---

    def ask_redis(self, *words):
        """By its socket: nobody else can be behind it. From its folder, since the system limits a socket's path."""
        done = subprocess.run(["redis-cli", "-s", "redis.sock", *words], cwd=self.folder, capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False)
        return done.stdout.strip()

    def start_redis(self, program):
        log = self.path("redis.log")
        for port in random.sample(range(20000, 30000), 20):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    continue
            process = self.start("redis", [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", self.folder,
                                           "--unixsocket", self.path("redis.sock"), "--save", "", "--appendonly", "no"],
                                 log)
            try:
                wait_for(program, lambda: self.ask_redis("ping") == "PONG", process, log)
                self.redis_port = port
                return
            except Failure:  # somebody may have taken the port between our look and Redis's bind
                self.end(process)
        raise Failure(f"{program} does not start", log)

    def redis_version(self):
        found = re.findall(r"^(redis|valkey)_version:(\S+)", self.ask_redis("info", "server"), re.M)
        return " ".join(found[-1]) if found else "Redis of unknown version"

    # --- servers ---

    def configure(self, settings):
        path = self.path("headgate.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"listen": "127.0.0.1:0", "page": False, **settings}, file)
        return path

    def start_server(self, command, **environment):
        """Of one that says where it listens."""
        self.logs += 1
        log = self.path(f"server{self.logs}.log")
        process = self.start("server", command, log, **environment)
        process.log = log

        def address():
            with open(log, encoding="utf-8", errors="replace") as file:
                return re.search(r"listening on https?://([\d.]+:\d+)", file.read())

        process.address = wait_for(os.path.basename(command[0]), address, process, log).group(1)
        return process

    def start_gateway(self, program, settings, redis=""):
        """`redis`: user and password in the URL, with an @ behind."""
        return self.start_server([program, "--config", self.configure(settings)],
                                 HEADGATE_REDIS=f"redis://{redis}127.0.0.1:{self.redis_port}")

    def start_limit(self, program):
        return self.start_server([program, "--redis", f"127.0.0.1:{self.redis_port}"])

    def stop_server(self, process):
        status = self.end(process)
        if status != 0:
            raise Failure(f"the server ended with status {status}", process.log)

    # --- generators ---

    def generate(self, program, arguments, log=None, part="generator"):
        """One run of a generator: yields (measure, figure, value)."""
        errors = self.path("generator.log")
        pin = ["taskset", "-c", self.cores[part]] if part in self.cores else []
        with open(errors, "wb") as err:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *pin, program, "--redis",
                                        f"127.0.0.1:{self.redis_port}", *map(str, arguments)], stdout=subprocess.PIPE,
                                       stderr=err, stdin=subprocess.DEVNULL, text=True)
        self.running.append(process)
        try:
            out, _ = process.communicate(timeout=GENERATOR_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"a measure takes longer than {GENERATOR_PATIENCE} s", log) from None
        finally:
            self.end(process)
        if process.returncode != 0:
            with open(errors, encoding="utf-8", errors="replace") as file:
                raise Failure("the measure failed: " + file.read().strip(), log)
        for line in out.splitlines():
            measure, figure, value = line.split()
            yield measure, figure, float(value)
