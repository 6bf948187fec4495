"""What the figures were measured on, and what it allows."""
import os
import re
import resource
import shutil
import subprocess


def cores():
    """The cores of this process; one alone where nothing can be pinned."""
    return sorted(os.sched_getaffinity(0)) if shutil.which("taskset") else [0]


def open_files():
    """As many descriptors as one process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*: *(.*)$", file.read(), re.M)
    return found.group(1) if found else "unknown CPU"


def describe():
    return f"Linux {os.uname().release}, {os.cpu_count()} × {model()}, {load()} at the start"


def load():
    with open("/proc/loadavg", encoding="utf-8") as file:
        return "load " + file.read().split()[0]


def first_line_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def libwebsockets():
    return "libwebsockets " + first_line_of("pkg-config", "--modversion", "libwebsockets").rstrip("-")
