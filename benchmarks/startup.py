"""Start-up: from the start of ``nexus-tui`` to queue lengths on the screen, beside ``celery status``.

Both ask the same running stack (five workers on the embedded broker), in turn.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.apparatus.report import Figure, at_least, run
from benchmarks.apparatus.stack import BIN, NEXUS, running_stack
from celery_nexus.queues import priority_key
from tests.harness.terminal import Terminal

RUNS = 7
GOAL = 2.3
WAITING = 4321
"""Messages in a queue whose worker is stopped: when this number is painted, the screen shows real lengths."""


def measure() -> Sequence[Figure]:
    """Measure start-up beside ``celery status``."""
    with running_stack() as environment:
        subprocess.run([NEXUS, "stop", "workers:reports", "--yes"], env=environment, check=True, capture_output=True)
        _fill(environment)
        pairs = [(_celery_status(environment), _dashboard(environment)) for _ in range(RUNS)]
    return [
        at_least(
            "time of `celery status` / time to queue lengths on the screen",
            [s / d for s, d in pairs],
            GOAL,
            peer=f"celery status ({min(s for s, _ in pairs):.2f} s; ours {min(d for _, d in pairs):.2f} s)",
        )
    ]


def _fill(environment: Mapping[str, str]) -> None:
    code = (
        "import redis; from config.settings import settings; r = redis.Redis.from_url(settings().broker.redis_py); "
        f"r.lpush({priority_key('reports_queue', 5)!r}, *['{{}}'] * {WAITING})"
    )
    subprocess.run([sys.executable, "-c", code], env=dict(environment), check=True)


def _celery_status(environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    command = [str(BIN / "celery"), "-A", "config.celery_config", "status"]
    subprocess.run(command, env=dict(environment), check=True, capture_output=True)
    return time.perf_counter() - started


def _dashboard(environment: Mapping[str, str]) -> float:
    with Terminal([NEXUS], environment) as terminal:
        return terminal.seconds_until(f"{WAITING:,}")


if __name__ == "__main__":
    run(measure)
