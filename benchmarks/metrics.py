"""A scrape of a large site: 200 queues and 300 workers, beside Flower's ``/metrics`` on the same broker.

The workers are answers of one process that speaks Celery's remote control for all of them; each queue holds messages.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.apparatus.report import Figure, at_most, run
from benchmarks.apparatus.site import Site
from tests.harness.ports import free_port
from tests.harness.processes import clean_environment
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until

BIN = Path(sys.executable).parent
SITE = Site(queues=200, workers=300)
RUNS = 15
INTERVAL_S = 15.0
GOAL_S, GOAL_CORE = 0.2, 0.01


@contextmanager
def started(command: Sequence[str], url: str) -> Generator[psutil.Process]:
    """Run a program that serves ``/metrics``, and wait until it does."""
    process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _serves(url), f"{command[0]} serves")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _serves(url: str) -> bool:
    try:
        scrape(url)
    except OSError:
        return False
    return True


def scrape(url: str) -> tuple[float, str]:
    """Read a page once; return the seconds it took, and the page."""
    before = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as page:
        text = page.read().decode()
    return time.perf_counter() - before, text


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def measure() -> Sequence[Figure]:
    """Measure scrapes of a large site beside Flower's."""
    with run_server() as server:
        SITE.fill(server.client)
        with SITE.answering(server.socket):
            ours, ours_core = _ours(server.socket)
            theirs = _flower(server.socket)
    peer = f"Flower's /metrics ({min(theirs):.3f} s, without queues and with the workers whose events it saw)"
    return [
        at_most("scrape", ours, GOAL_S, unit="s", peer=peer),
        at_most("cores_at_15_s_interval", [ours_core], GOAL_CORE, unit="cores"),
    ]


def _ours(place: Path) -> tuple[list[float], float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [str(BIN / "nexus-tui"), "-b", f"unix://{place}?db=0", "metrics", "--serve", str(port)]
    with started(command, url) as process:
        wait_until(lambda: scrape(url)[1].count("nexus_worker_concurrency{") == SITE.workers, "all workers are there")
        taken = [scrape(url)[0] for _ in range(RUNS)]
        before, since = cpu_s(process), time.monotonic()
        for _ in range(3):
            time.sleep(INTERVAL_S)
            scrape(url)
        return taken, (cpu_s(process) - before) / (time.monotonic() - since)


def _flower(place: Path) -> list[float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [str(BIN / "celery"), "-b", f"redis+socket://{place}", "flower", f"--port={port}", "--address=127.0.0.1"]
    with started(command, url):
        return [scrape(url)[0] for _ in range(RUNS)]


if __name__ == "__main__":
    run(measure)
