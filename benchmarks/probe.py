"""A health check: ``nexus-tui probe worker`` beside ``celery inspect ping``, on the same stock worker, in turn.

The worker is then asked again with the connections of a thousand others at its broker.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis

from benchmarks.apparatus.report import Figure, at_most, run
from tests.harness.processes import clean_environment
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until

BIN = Path(sys.executable).parent
RUNS = 9
OTHERS = 1_000
CONNECTIONS_EACH = 3
GOAL_S, GOAL_MB = 0.1, 40
NODE = "bench@here"
PING = [str(BIN / "celery"), "-A", "benchmarks.apparatus.event_cost_app", "inspect", "ping", "-d", NODE]

LAUNCH = """
import os, resource, sys, time
started = time.perf_counter()
pid = os.fork()
if not pid:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(pid, 0)
wall_s = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs its arguments and prints seconds, seconds of processor time and megabytes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program cost."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def cost_of(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a program and measure it, from a process that is small: a child's memory begins with its parent's.

    Raises:
        CalledProcessError: It does not say that all is well.
    """
    words = [sys.executable, "-S", "-c", LAUNCH, *command]
    said = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return Cost(*map(float, said.split()[-3:]))


def is_well(check: Sequence[str], environment: dict[str, str]) -> bool:
    """Tell whether a check ends well."""
    return not subprocess.call(check, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def worker(environment: dict[str, str]) -> Generator[None]:
    """Run a stock worker, and wait until both find it at work."""
    command = [
        str(BIN / "celery"),
        "-A",
        "benchmarks.apparatus.event_cost_app",
        "worker",
        "-n",
        NODE,
        "-c",
        "1",
        "-l",
        "ERROR",
    ]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for check in (probe(), PING):
            wait_until(partial(is_well, check, environment), "it is at work")
        yield
    finally:
        process.terminate()
        process.wait(30)


def probe() -> list[str]:
    """The health check."""
    return [str(BIN / "nexus-tui"), "probe", "worker", NODE, "--timeout", "5"]


@contextmanager
def others(client: redis.Redis, path: Path) -> Generator[None]:
    """Put the names and connections of a thousand other workers at the broker."""
    with ExitStack() as stack:
        names = [f"\x06\x16\x06\x16other{number}@there.celery.pidbox" for number in range(OTHERS)]
        client.sadd("_kombu.binding.celery.pidbox", *names)
        for number in range(OTHERS * CONNECTIONS_EACH):
            made = stack.enter_context(socket.socket(socket.AF_UNIX))
            made.connect(str(path))
            word = b"BRPOP other 600" if number % CONNECTIONS_EACH == 0 else b"PING"
            made.sendall(word + b"\r\n")
        yield


def measure() -> Sequence[Figure]:
    """Measure a health check beside Celery's own."""
    with run_server("maxclients 9000") as server:
        url = f"redis+socket://{server.socket}"
        environment = clean_environment() | {
            "NEXUS_BENCH_BROKER": url,
            "NEXUS_BENCH_EVENTS": "none",
            "CELERY_BROKER_URL": url,
        }
        with worker(environment):
            pairs = [(cost_of(PING, environment), cost_of(probe(), environment)) for _ in range(RUNS)]
            with others(server.client, server.socket):
                among = [cost_of(probe(), environment) for _ in range(RUNS)]
    ours = [mine for _, mine in pairs]
    peer = f"celery inspect ping ({min(theirs.wall_s for theirs, _ in pairs):.2f} s)"
    return [
        at_most("probe", [cost.wall_s for cost in ours], GOAL_S, unit="s", peer=peer),
        at_most("probe_processor_time", [cost.cpu_s for cost in ours], GOAL_S, unit="s"),
        at_most("probe_memory", [cost.memory_mb for cost in ours], GOAL_MB, unit="MB"),
        at_most("probe_among_1000_workers", [cost.cpu_s for cost in among], 2 * GOAL_S, unit="s of processor time"),
    ]


if __name__ == "__main__":
    run(measure)
