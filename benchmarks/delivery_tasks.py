"""Tasks of the delivery benchmark; workers find them by ``celery -A benchmarks.delivery_tasks``."""

from __future__ import annotations

import os
import time

import redis

from config.celery_config import celery_app

app = celery_app
app.conf.task_ignore_result = True
app.conf.task_track_started = False
_traces: redis.Redis | None = None


@celery_app.task(name="bench.nothing", shared=False)
def nothing() -> None:
    """Do nothing."""


@celery_app.task(name="bench.arrived", shared=False)
def arrived(sent_at: float) -> None:
    """Tell how long the way took."""
    global _traces  # noqa: PLW0603  one connection a process
    now = time.time()
    if _traces is None:
        _traces = redis.Redis.from_url(os.environ["BENCH_TRACES"])
    _traces.rpush("latencies", now - sent_at)
