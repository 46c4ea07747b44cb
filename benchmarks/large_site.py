"""The doctor on a large site: 1,000 workers, 5,000 queues with messages, 100,000 messages in workers' hands.

Beside its time the longest stall of the server is told: its longest command, as its own SLOWLOG has it, and the
longest wait of another client that asks for nothing but ``PING`` meanwhile, which the machine's load is part of.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from benchmarks.apparatus.report import Figure, at_most, run
from benchmarks.apparatus.site import Site
from tests.harness.processes import clean_environment
from tests.harness.servers import Server, run_server

TUI = str(Path(sys.executable).parent / "nexus-tui")
SITE = Site(queues=5_000, workers=1_000, held=100_000, connections=2)
COUNTED = Site(queues=5_000, workers=1_000, held=2_000, connections=2)
"""As many messages in workers' hands as are told by queue."""

GOAL_S, GOAL_STALL_MS = 5.0, 20
READERS = (["doctor", "--json"], ["queues", "--json"], ["workers", "--json"], ["metrics"])


class Pinger:
    """Another client, which asks the server again and again whether it is there."""

    def __init__(self, place: Path) -> None:
        self.longest_ms = 0.0
        self._client = redis.Redis(unix_socket_path=str(place))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Pinger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stopping.wait(0.001):
            before = time.perf_counter()
            self._client.ping()
            self.longest_ms = max(self.longest_ms, 1000 * (time.perf_counter() - before))


def measure_site(site: Site, name: str) -> list[Figure]:
    """Measure what looking at a site takes, and for how long its server then does nothing else."""
    with run_server("maxclients 9000", "slowlog-log-slower-than 1000", "slowlog-max-len 1000") as server:
        site.fill(server.client)
        with site.answering(server.socket):
            _wait_for(server, site)
            taken = [_time(server, reader) for reader in READERS]
            _reset(server)
            with Pinger(server.socket) as pinger:
                for reader in READERS:
                    _time(server, reader)
            return [
                at_most(f"{name}_doctor", taken[:1], GOAL_S, unit="s"),
                at_most(f"{name}_longest_command", [_longest_ms(server)], GOAL_STALL_MS, unit="ms"),
                at_most(f"{name}_longest_wait_of_another_client", [pinger.longest_ms], GOAL_STALL_MS, unit="ms"),
                at_most(f"{name}_calls_of_keys", [_calls_of_keys(server)], 0, unit="calls"),
            ]


def _wait_for(server: Server, site: Site) -> None:
    client: Any = server.client
    while len(client.client_list()) < site.workers * (1 + site.connections):
        time.sleep(0.2)


def _time(server: Server, words: Sequence[str]) -> float:
    command = [TUI, *words, "-b", f"unix://{server.socket}?db=0"]
    before = time.perf_counter()
    subprocess.run(command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - before


def _reset(server: Server) -> None:
    server.client.config_resetstat()
    server.client.slowlog_reset()


def _longest_ms(server: Server) -> float:
    rows: Any = server.client.slowlog_get(1000)
    for row in sorted(rows, key=lambda row: -row["duration"])[:8]:
        print(f"  {row['duration'] / 1000:.1f} ms: {row['command'][:60].decode(errors='replace')}", file=sys.stderr)
    return max((row["duration"] / 1000 for row in rows), default=0.0)


def _calls_of_keys(server: Server) -> int:
    stats: Any = server.client.info("commandstats")
    return int(stats.get("cmdstat_keys", {}).get("calls", 0))


def measure() -> Sequence[Figure]:
    """Measure the doctor and its like on a large site."""
    return [*measure_site(SITE, "site"), *measure_site(COUNTED, "counted")]


if __name__ == "__main__":
    run(measure)
