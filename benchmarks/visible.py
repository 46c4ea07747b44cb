"""How long a run takes from the stream to the Tasks view: a real stack, a real dashboard on a terminal.

A run counts as visible when the screen first shows it, or a later one: the view shows the newest runs, and
at this rate most of them leave it again between two repaints.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence

from benchmarks.apparatus.report import Figure, at_most, run
from benchmarks.apparatus.stack import NEXUS, running_stack
from celery_nexus.history.capture.stream_writer import StreamWriter
from tests.harness.terminal import Screen

RATE_PER_S = 2_000
SECONDS = 20
GOAL_S = 1.0

_KINDS = ("sent", "received", "started", "succeeded")
_STEP_S = 0.02
_LAST_REPAINTS_S = 3.0
_SHOWN = re.compile(r"\b0(\d{7})\b")
"""Ids of the runs are eight digits; the first of an id is always 0."""


def measure() -> Sequence[Figure]:
    """Measure how long runs take to the Tasks view."""
    return [p95_figure()]


def p95_figure() -> Figure:
    """Measure the delay, and make its figure."""
    delays = sorted(_delays())
    return at_most("stream_to_tasks_view_p95", [delays[int(len(delays) * 0.95)]], GOAL_S, unit="s")


def _delays() -> list[float]:
    with running_stack() as environment, Screen([NEXUS], environment) as screen:
        screen.shows("email_queue")
        screen.type("3")
        screen.shows("Tasks")
        return _watch(screen, environment)


def _watch(screen: Screen, environment: dict[str, str]) -> list[float]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.visible", "--feed"], env=environment, stdout=subprocess.PIPE, text=True
    ) as feeder:
        repaints: list[tuple[float, int]] = []
        ends = time.monotonic() + SECONDS + _LAST_REPAINTS_S
        while time.monotonic() < ends:
            if screen.read(_STEP_S):
                newest = max((int(number) for number in _SHOWN.findall(screen.text)), default=-1)
                repaints.append((time.monotonic(), newest))
        assert feeder.stdout is not None
        written = json.loads(feeder.stdout.read())
    return _first_seen(written, repaints)


def _first_seen(written: Sequence[float], repaints: Sequence[tuple[float, int]]) -> list[float]:
    """Return the delay of each run, in seconds; never seen is without end."""
    newest, highest = [], -1
    for _, number in repaints:
        highest = max(highest, number)
        newest.append(highest)
    delays = []
    for number, at in enumerate(written):
        place = bisect_right(newest, number - 1)
        delays.append(repaints[place][0] - at if place < len(repaints) else float("inf"))
    return delays


def feed() -> list[float]:
    """Write the events of runs at a steady rate; returns when each run was written (monotonic seconds)."""
    from config.settings import settings

    writer = StreamWriter(settings().broker.redis_py)
    written: list[float] = []
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS:
        for number in range(len(written), int(elapsed * RATE_PER_S / len(_KINDS))):
            for kind in _KINDS:
                fields = {"uuid": f"{number:08d}-bench", "hostname": "w@h", "name": "t", "runtime": 0.1}
                writer.add({"type": f"task-{kind}", "timestamp": time.time(), **fields})
            written.append(time.monotonic())
        writer.flush()
        time.sleep(_STEP_S)
    return written


if __name__ == "__main__":
    if sys.argv[1:] == ["--feed"]:
        print(json.dumps(feed()))
    else:
        run(measure)
