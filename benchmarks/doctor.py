"""The doctor on strangers' applications: faults made for real and healthy set-ups, each on stock workers.

Told are how many faults are named rightly, how long the slowest took, and how many findings healthy set-ups had: on
Redis and on Valkey, by the broker's address and by the application's code. ``NEXUS_BENCH_FAULTS=deaf,twin`` takes
some of the faults.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.apparatus.report import Figure, at_least, at_most, run
from tests.harness.processes import clean_environment
from tests.harness.programs import program
from tests.harness.servers import Server, run_server
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop
from tests.integration.foreign.made import ALL, HEALTHY

TUI = str(Path(sys.executable).parent / "nexus-tui")
GOAL_S = 10.0
CHOSEN = [name for name in os.environ.get("NEXUS_BENCH_FAULTS", ",".join(ALL)).split(",") if name in ALL]
APPLICATION = "from tests.integration.foreign import shop\napp = shop.make({broker!r}, {conf!r})\n"


class Shops:
    """Applications on one server, each in a database of its own, whose workers end with their fault."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._count = 0
        self._started: list[Shop] = []

    def start(
        self, conf: dict[str, Any] | None = None, *options: str, database: int | None = None, **more: Any
    ) -> Shop:
        """Start a worker, and wait until it is ready."""
        if database is None:
            self._count += 1
        place, folder = str(self._server.socket), self._server.folder
        shop = Shop(place, database or self._count, folder, conf or {}, options, **more)
        self._started.append(shop)
        shop.start()
        wait_until(lambda: shop.is_ready, "its worker is ready")
        return shop

    def stop(self) -> None:
        """End the workers."""
        for shop in self._started:
            shop.stop(signal.SIGKILL)
        self._started.clear()


@contextmanager
def shops(binary: str, *lines: str) -> Generator[Shops]:
    """Run a server for applications; it makes snapshots, as a stock one does."""
    with run_server("databases 64", "save 3600 1", *lines, program=binary) as server:
        made = Shops(server)
        try:
            yield made
        finally:
            made.stop()


def examine(folder: Path, *address: str) -> tuple[float, list[str]]:
    """Ask the doctor as a person does; returns the seconds it took, and the kinds of what it found."""
    environment = clean_environment(XDG_DATA_HOME=str(folder / "data"))
    before = time.perf_counter()
    command = [TUI, "doctor", "--json", *address]
    said = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=False).stdout
    taken = time.perf_counter() - before
    return taken, [row["kind"] for row in json.loads(said)["findings"] if row["severity"] != "well"]


def measure() -> Sequence[Figure]:
    """Make faults and healthy set-ups, and ask the doctor about each."""
    named, taken = _examine_faults()
    redis_server = program("redis-server", "redis-server")
    false = [*_examine_healthy(redis_server), *_examine_healthy("")]
    return [
        at_least(f"named_rightly_of_{len(CHOSEN)}", [sum(named)], len(CHOSEN), unit="faults"),
        at_most("slowest_diagnosis", [max(taken)], GOAL_S, unit="s"),
        at_most(f"false_findings_on_{len(false)}_healthy", [sum(false)], 0, unit="findings"),
    ]


def _examine_faults() -> tuple[list[bool], list[float]]:
    named: list[bool] = []
    taken: list[float] = []
    with shops(program("redis-server", "redis-server")) as made:
        for name in CHOSEN:
            fault = ALL[name]
            with fault.make(made.start) as shop:
                seconds, kinds = examine(shop.folder, "-b", shop.url)
            made.stop()
            named.append(fault.kind in kinds)
            taken.append(seconds)
            _tell(name, seconds, kinds)
    return named, taken


def _examine_healthy(binary: str) -> list[int]:
    """Count the findings on healthy set-ups, by the broker's address and by the code."""
    found: list[int] = []
    with shops(binary) as made:
        for name, (conf, options) in HEALTHY.items():
            shop = made.start(dict(conf), *options)
            for number in range(5):
                shop.send(args=(number, 0))
            wait_until(lambda: len(shop.runs()) == 5, "five ran")  # noqa: B023
            (shop.folder / "her_shop.py").write_text(APPLICATION.format(broker=shop.kombu, conf=shop.conf))
            for address in (("-b", shop.url), ("-A", "her_shop")):
                seconds, kinds = examine(shop.folder, *address)
                found.append(len(kinds))
                _tell(f"healthy: {name} {address[0]}", seconds, kinds)
            made.stop()
    return found


def _tell(name: str, seconds: float, kinds: list[str]) -> None:
    print(f"  {name}: {seconds:.1f} s, {', '.join(kinds) or 'well'}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(measure)
