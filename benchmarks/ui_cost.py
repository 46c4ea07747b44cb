"""Cost of an idle dashboard: processor time, and bytes written to the terminal, on a running stack with no work."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Figure, at_most, run
from benchmarks.stack import NEXUS, running_stack
from tests.harness.terminal import Terminal

RUNS = 3
WARM_UP_S = 12.0
WATCHED_S = 20.0
CPU_GOAL, BYTES_GOAL = 0.5, 200.0


def measure() -> Sequence[Figure]:
    """Measure what an idle dashboard costs."""
    with running_stack() as environment:
        costs = _costs([NEXUS], environment)
    return [
        at_most("CPU of an idle dashboard", [cpu for cpu, _ in costs], CPU_GOAL, unit="%"),
        at_most("output of an idle dashboard", [written for _, written in costs], BYTES_GOAL, unit="bytes/s"),
    ]


def _costs(command: list[str], environment: dict[str, str]) -> list[tuple[float, float]]:
    with Terminal(command, environment) as terminal:
        terminal.seconds_until("email_queue")
        terminal.cost(WARM_UP_S)
        return [terminal.cost(WATCHED_S) for _ in range(RUNS)]


if __name__ == "__main__":
    run(measure)
