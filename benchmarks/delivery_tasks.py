"""Tasks of the delivery benchmark; workers find them by ``celery -A benchmarks.delivery_tasks``.

``BENCH_DELIVERY=stock`` makes a plain Celery application on the broker that ``BENCH_BROKER`` names, anything else is
ours. ``python -m benchmarks.delivery_tasks N`` submits ``bench.arrived`` N times, each to an idle worker.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

import redis
from celery import Celery
from kombu import Exchange, Queue

QUEUE = "default_queue"
PAUSE_S = 0.03
"""Least pause between two submits; another random part of it follows, so that no period of a worker is met."""


def _application() -> Celery:
    if os.environ.get("BENCH_DELIVERY") != "stock":
        from config.celery_config import celery_app

        return celery_app
    plain = Celery("bench", broker=os.environ["BENCH_BROKER"])
    plain.conf.update(
        broker_transport_options={"priority_steps": list(range(10)), "queue_order_strategy": "priority"},
        task_queues=[Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE)],
        task_default_queue=QUEUE,
        task_default_priority=5,
        broker_connection_retry_on_startup=True,
    )
    return plain


app: Any = _application()
app.conf.task_ignore_result = True
app.conf.task_track_started = False
_traces: redis.Redis | None = None


def traces() -> redis.Redis:
    """The broker, where runs leave their times; one connection a process."""
    global _traces  # noqa: PLW0603
    if _traces is None:
        _traces = redis.Redis.from_url(os.environ["BENCH_TRACES"])
    return _traces


@app.task(name="bench.nothing", shared=False)
def nothing() -> None:
    """Do nothing."""


@app.task(name="bench.arrived", shared=False)
def arrived(sent_at: float) -> None:
    """Tell how long the way took."""
    now = time.time()
    traces().rpush("latencies", now - sent_at)


def submit(count: int) -> None:
    """Submit to an idle worker, again and again."""
    arrived.delay(time.time())  # connects
    for number in range(1, count + 1):
        while int(traces().llen("latencies")) < number:
            time.sleep(0.002)
        time.sleep(PAUSE_S * (1 + random.random()))
        arrived.delay(time.time())


if __name__ == "__main__":
    submit(int(sys.argv[1]))
