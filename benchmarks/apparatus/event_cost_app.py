"""A Celery application with one task that does nothing, for :mod:`benchmarks.event_cost`; read from the environment.

``NEXUS_BENCH_EVENTS`` is ``stream`` (our events), ``celery`` (Celery's own, switched on by ``-E``) or ``none``.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

_OURS: dict[str, Any] = (
    {"events": "celery_nexus.history.capture.dispatcher:StreamEvents"}
    if os.environ["NEXUS_BENCH_EVENTS"] == "stream"
    else {}
)

app = Celery("bench", broker=os.environ["NEXUS_BENCH_BROKER"], **_OURS)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=16, worker_hijack_root_logger=False)


@app.task(name="bench.noop")
def noop(number: int, language: str = "en") -> int:
    """Do nothing."""
    return number
