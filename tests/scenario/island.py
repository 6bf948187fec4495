"""A Redis in a network namespace of its own, behind a pair of virtual cables on which packets can be dropped without a word.

Needs root and iproute2; where that is not allowed `why_not()` says so. Nothing outlives the Redis process: the namespace and both
ends of the cable go with it."""

import os
import random
import shutil
import subprocess

import redis as redis_py

from harness import REDIS, RedisServer, wait_until


def _run(*command):
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr.strip()}"
    return result.stdout


def why_not():
    """None, or why there cannot be an island here."""
    for tool in ("ip", "unshare", "nsenter"):
        if not shutil.which(tool):
            return f"there is no {tool} (packages iproute2, util-linux)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"hgt{os.getpid()}"
    for command in (["unshare", "--net", "ip", "link", "set", "lo", "up"],
                    ["unshare", "--net", "ip", "link", "add", name, "type", "veth", "peer", "name", name + "p"]):
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if result.returncode != 0:
            return f"this system does not allow it: {' '.join(command)}: {result.stderr.strip()}"
    return None


class Island(RedisServer):
    """`client()` goes through the unix socket, which no network can cut; the gateway goes over the cable."""

    NOBODY = "02:00:00:00:00:01"  # packets for this address reach the other end and are no concern of its

    def __init__(self, tmpdir, **opts):
        super().__init__(tmpdir, start=False, bind="0.0.0.0", protected_mode="no", **opts)
        self.command = ["unshare", "--net", *REDIS]
        # From the block that is set aside for tests of networks: four addresses, two of them for us.
        base = 4 * random.SystemRandom().randrange(1 << 14)
        self.near, self.far = (f"198.18.{(base + i) >> 8}.{(base + i) & 255}" for i in (1, 2))
        self.cable = f"hgt{os.getpid() % 100000}"
        self.start()
        self._lay_cable()

    @property
    def url(self):
        return f"redis://{self.far}:{self.port}"

    def client(self, **kw):
        return super().client(**{**kw, "unix_socket_path": self.socket})

    def _inside(self, *command):
        return _run("nsenter", f"--net=/proc/{self.process.pid}/ns/net", *command)

    def _lay_cable(self):
        _run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", self.cable + "p", "netns", str(self.process.pid))
        _run("ip", "address", "add", f"{self.near}/30", "dev", self.cable)
        _run("ip", "link", "set", self.cable, "up")
        self._inside("ip", "address", "add", f"{self.far}/30", "dev", self.cable + "p")
        self._inside("ip", "link", "set", self.cable + "p", "up")

        def reachable():
            try:
                with redis_py.Redis(host=self.far, port=self.port, socket_timeout=5) as connection:
                    return connection.ping()
            except redis_py.exceptions.ConnectionError:
                return False

        wait_until(reachable, "the island")

    def drop_packets(self):
        """Both ends send into the void: no packet arrives, no error comes back, the link is up."""
        _run("ip", "neighbour", "replace", self.far, "lladdr", self.NOBODY, "nud", "permanent", "dev", self.cable)
        self._inside("ip", "neighbour", "replace", self.near, "lladdr", self.NOBODY, "nud", "permanent", "dev", self.cable + "p")

    def pass_packets(self):
        _run("ip", "neighbour", "del", self.far, "dev", self.cable)
        self._inside("ip", "neighbour", "del", self.near, "dev", self.cable + "p")
