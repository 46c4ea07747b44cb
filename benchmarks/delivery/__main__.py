"""``python -m benchmarks.delivery [PART…]``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from benchmarks.apparatus.report import Figure, run
from benchmarks.delivery import delayed, many_queues, publishing, speed

PARTS: dict[str, Callable[[], Sequence[Figure]]] = {
    "speed": speed.measure,
    "publishing": publishing.measure,
    "queues": many_queues.measure_runs,
    "idle": many_queues.measure_idle,
    "delayed": delayed.measure,
}


def measure() -> Sequence[Figure]:
    """Measure reliable delivery beside stock Celery and celery-redis-plus; PART is speed, publishing, queues, …."""
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")]
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [figure for name in chosen or PARTS for figure in PARTS[name]()]


if __name__ == "__main__":
    run(measure)
