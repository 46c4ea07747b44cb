"""Cost of a dashboard in every view: idle, and under 2,000 events a second: ``python -m benchmarks.ui_cost [--views]``.

A whole stack of its own, whose history begins with a million runs, is looked at on
terminals of 80×24 and 120×40. Processor time and bytes are counted over some seconds in each view. Then keys are
pressed, in turn with those of an idle table of Textual on a terminal of the same size, and the time is taken until the
cursor stands elsewhere on the screen. ``--views`` prints each view's own figures.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.apparatus.events import batches, stream_form
from benchmarks.apparatus.report import Figure, at_most, run
from benchmarks.apparatus.stack import NEXUS, running_stack
from benchmarks.history import filled
from celery_nexus.history.capture.stream_writer import StreamWriter
from nexus_tui.views import VIEWS
from tests.harness.terminal import Screen

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
LARGEST = "120x40"
IDLE_CPU, IDLE_BYTES = 0.3, 1.0
BUSY_CPU, BUSY_BYTES = 10.0, {"80x24": 10_000.0, "120x40": 20_000.0}
KEY_RATIO, KEY_S, JUMP_S = 1.5, 0.1, 0.1
MEMORY_MB, GROWTH_MB = 150.0, 3.0

WARM_UP_S = 12.0
SETTLE_S = 1.5
IDLE_S, BUSY_S = 8.0, 6.0
QUIET_S = 14.0
"""Time after which a view in which nothing happens reads at its slowest."""
KEYS = 14
SLOWEST_S = 2.0
RUNS_A_S = 500
"""Of four events each."""

REFRESHES, REFRESH_S = 1200, 0.03
"""Refreshes of all sources that stand for an hour."""

TABLE = """
from textual.app import App
from textual.widgets import DataTable
class Peer(App):
    def compose(self):
        yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns(*(f"column {n}" for n in range(8)))
        table.add_rows([f"row {row} {n}" for n in range(8)] for row in range(500))
Peer().run()
"""
"""The table that key presses are compared with: nothing happens in it but them."""


@dataclass
class Seen:
    """What was measured of one view at one size."""

    name: str
    size: str
    idle: tuple[float, float] = (0.0, 0.0)
    busy: tuple[float, float] = (0.0, 0.0)
    keys: list[float] = field(default_factory=list[float])
    peer: list[float] = field(default_factory=list[float])

    def words(self) -> str:
        """Write its figures on one line."""
        idle, busy = (f"{cpu:5.2f} % {written:8,.0f} B/s" for cpu, written in (self.idle, self.busy))
        keys = f"{p95(self.keys) * 1e3:5.0f} ms against {p95(self.peer) * 1e3:4.0f}" if self.keys else ""
        return f"{self.name:10} {self.size:7} idle {idle}   busy {busy}   keys {keys}"


def p95(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(times)[int(len(times) * 0.95)]


def measure() -> Sequence[Figure]:
    """Measure the views of a dashboard."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="nexus-bench-home-") as home:
        shutil.copy(filled(), Path(home) / "history.db")
        with running_stack(Path(home)) as environment:
            _make_changes(environment)
            for size in SIZES:
                figures += _measure_size(size, environment)
    return figures


def _measure_size(size: str, environment: dict[str, str]) -> list[Figure]:
    rows = [Seen(name, size) for name in VIEWS]
    with Screen([NEXUS], environment, SIZES[size]) as screen:
        screen.shows("email_queue")
        screen.cost(WARM_UP_S)
        for row in rows if size == LARGEST else ():
            screen.press(VIEWS[row.name].key)
            screen.cost(QUIET_S)
            row.idle = screen.cost(IDLE_S)
        still = _jump(screen)
        with _feeder(environment):
            for row in rows:
                _watch_busy(screen, row)
            streaming = _jump(screen)
            memory = _memory(screen) if size == LARGEST else []
    if "--views" in sys.argv:
        print("\n".join(row.words() for row in rows), flush=True)
    jumps = _jump_figures(size, still, streaming)
    return [*_cost_figures(size, rows), *jumps, *(_memory_figures(memory) if memory else ())]


def _make_changes(environment: dict[str, str]) -> None:
    """Make lines for the Audit view."""
    for command in ("pause", "resume") * 3:
        subprocess.run([NEXUS, command, "reports_queue", "--yes"], env=environment, check=True, capture_output=True)


@contextmanager
def _feeder(environment: dict[str, str]) -> Generator[None]:
    with subprocess.Popen([sys.executable, "-m", "benchmarks.ui_cost", "--feed"], env=environment) as feeder:
        try:
            time.sleep(SETTLE_S)
            yield
        finally:
            feeder.terminate()


def _cost(screen: Screen, view: str, seconds: float) -> tuple[float, float]:
    screen.press(VIEWS[view].key)
    screen.cost(SETTLE_S)
    return screen.cost(seconds)


def _watch_busy(screen: Screen, row: Seen) -> None:
    row.busy = _cost(screen, row.name, BUSY_S)
    rnd = random.Random(7)
    with Screen([sys.executable, "-c", TABLE], size=SIZES[row.size]) as peer:
        peer.shows("row 3")
        peer.read(0.5)
        for number in range(KEYS):
            screen.read(rnd.uniform(0.05, 0.3))
            key = "jk"[number % 2]
            row.keys.append(_press(screen, "k" if row.name == "logs" else key))
            peer.read(0.05)
            row.peer.append(_press(peer, {"j": "\x1b[B", "k": "\x1b[A"}[key]))


def _press(screen: Screen, key: str) -> float:
    """Return the seconds from a key to the cursor, or the place on the page, being elsewhere."""
    before = _place(screen)
    started = time.perf_counter()
    screen.press(key)
    while (seconds := time.perf_counter() - started) < SLOWEST_S:
        if screen.read(0.002) and _place(screen) != before:
            return time.perf_counter() - started
    return seconds


def _place(screen: Screen) -> object:
    """Find where the cursor stands: its signs, the shown part of a text, and lines that are highlighted."""
    return screen.places("▸"), re.findall(r"Logs · .*? (\d[\d,]*–\d[\d,]*) of", screen.text), screen.list_backgrounds()


def _jump(screen: Screen) -> dict[str, float]:
    """Return the seconds until the Tasks view shows something else of a million runs."""
    steps = {
        "open": ("3", r"Tasks [\d,]+–[\d,]+ of"),
        "last": ("G", r"Tasks (?:9\d\d,\d{3}|1,\d{3},\d{3})–"),
        "first": ("g", r"Tasks 1–"),
        "filter": ("/state:failure\r", r"▸ /state:failure"),
        "all": ("/\x15\r", r"Tasks 1–[\d,]+ of (?!\d\d,)"),
    }
    screen.press("3")
    screen.shows("Tasks")
    screen.press("g1")
    screen.shows("email_queue")
    screen.read(1.0)
    found: dict[str, float] = {}
    for name, (keys, pattern) in steps.items():
        started = time.perf_counter()
        screen.press(keys)
        while not (re.search(pattern, screen.text) and " · " not in _first_row(screen)):
            screen.read(0.002)
            if time.perf_counter() - started > 10:
                raise TimeoutError(f"{name}: no {pattern} on\n{screen.text}")
        found[name] = time.perf_counter() - started
        screen.read(1.0)
    return found


def _first_row(screen: Screen) -> str:
    return next((line[:6] for line in screen.text.splitlines()[4:5]), "")


def _memory(screen: Screen) -> list[float]:
    """Return the memory in MB once every view was opened, and after each quarter of an hour's refreshes."""
    process = psutil.Process(screen.process.pid)
    found: list[float] = []
    names = list(VIEWS)
    for quarter in range(5):
        for name in names:
            screen.press(VIEWS[name].key)
            for _ in range(REFRESHES // (4 * len(names)) if quarter else 10):
                screen.press("r")
                screen.read(REFRESH_S)
        found.append(process.memory_info().rss / 1e6)
    return found


def _cost_figures(size: str, rows: list[Seen]) -> Iterator[Figure]:
    if size == LARGEST:
        yield at_most("idle_cpu", [row.idle[0] for row in rows], IDLE_CPU, unit="%")
        yield at_most("idle_output", [row.idle[1] for row in rows], IDLE_BYTES, unit="bytes/s")
    yield at_most(f"busy_cpu_{size}", [max(row.busy[0] for row in rows)], BUSY_CPU, unit="%")
    yield at_most(f"busy_output_{size}", [max(row.busy[1] for row in rows)], BUSY_BYTES[size], unit="bytes/s")
    keys, peer = p95([one for row in rows for one in row.keys]), p95([one for row in rows for one in row.peer])
    yield at_most(f"key_{size}", [keys / peer], KEY_RATIO, peer=f"an idle table ({peer * 1e3:.0f} ms)")
    yield at_most(f"key_slowest_view_{size}", [max(p95(row.keys) for row in rows)], KEY_S, unit="s")


def _jump_figures(size: str, still: dict[str, float], streaming: dict[str, float]) -> Iterator[Figure]:
    for name, found in (("still", still), ("streaming", streaming)):
        for step, seconds in found.items():
            yield at_most(f"million_{step}_{name}_{size}", [seconds], JUMP_S, unit="s")


def _memory_figures(memory: list[float]) -> Iterator[Figure]:
    yield at_most("memory_after_an_hour", [memory[-1]], MEMORY_MB, unit="MB")
    yield at_most("memory_growth_in_its_last_half", [memory[-1] - memory[2]], GROWTH_MB, unit="MB")


def feed() -> None:
    """Write the events of runs, as workers do, at a steady rate until the process is ended."""
    from config.settings import settings

    writer = StreamWriter(settings().broker.redis_py)
    for _, events in batches(10**9, time.time(), seed=os.getpid()):
        for event in filter(None, map(stream_form, events)):
            while event["timestamp"] > time.time():
                writer.flush()
                time.sleep(0.01)
            writer.add(event)


if __name__ == "__main__":
    if "--feed" in sys.argv:
        feed()
    else:
        run(measure)
