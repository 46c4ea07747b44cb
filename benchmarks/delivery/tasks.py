"""Tasks of the delivery benchmark; workers find them by ``celery -A benchmarks.delivery.tasks``.

``BENCH_DELIVERY`` chooses the application: ``stock`` and ``peer`` are plain Celery applications on the broker that
``BENCH_BROKER`` names, with kombu's transport and with celery-redis-plus; anything else is ours.
``python -m benchmarks.delivery.tasks arrive N`` submits ``bench.arrived`` N times, each to an idle worker, and
``… publish N`` prints the seconds of CPU that one publication takes.
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
TEMPLATES = "templates"
PAUSE_S = 0.03
"""Least pause between two submits; another random part of it follows, so that no period of a worker is met."""

WORK_S = 0.005


def queues(count: int) -> list[str]:
    """Name the queues of a worker with so many."""
    return [QUEUE] if count == 1 else [f"bench-{number:04d}" for number in range(count)]


def _plain(delivery: str) -> Celery:
    url = os.environ["BENCH_BROKER"]
    options: dict[str, Any] = {"priority_steps": list(range(10)), "queue_order_strategy": "priority"}
    if delivery == "peer":
        import celery_redis_plus  # pyright: ignore[reportMissingImports]  # registers valkey://

        assert celery_redis_plus
        url, options = url.replace("redis+", "valkey+", 1), {}
    plain = Celery("bench", broker=url)
    plain.conf.update(
        broker_transport_options=options,
        task_default_queue=QUEUE,
        task_default_priority=5,
        task_acks_late=delivery == "peer",  # what it promises rests on that
        broker_connection_retry_on_startup=True,
    )
    return plain


def _application() -> Celery:
    delivery = os.environ.get("BENCH_DELIVERY", "reliable")
    if delivery in {"stock", "peer"}:
        return _plain(delivery)
    from config.celery_config import celery_app

    return celery_app


app: Any = _application()
names = [*queues(int(os.environ.get("BENCH_QUEUES", "1"))), TEMPLATES]
known = [queue for queue in app.conf.task_queues or () if queue.name not in names]
app.conf.task_queues = [*known, *(Queue(name, Exchange(name), routing_key=name) for name in names)]
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


@app.task(name="bench.brief", shared=False)
def brief() -> None:
    """Take 5 ms."""
    time.sleep(WORK_S)


@app.task(name="bench.arrived", shared=False)
def arrived(sent_at: float) -> None:
    """Tell how long the way took."""
    now = time.time()
    traces().rpush("latencies", now - sent_at)


def arrive(count: int) -> None:
    """Submit to an idle worker, again and again."""
    arrived.delay(time.time())  # connects
    for number in range(1, count + 1):
        while int(traces().llen("latencies")) < number:
            time.sleep(0.002)
        time.sleep(PAUSE_S * (1 + random.random()))
        arrived.delay(time.time())


def publish(count: int) -> None:
    """Publish to a queue that nobody consumes; prints the CPU of this process for one of them, in seconds."""
    nothing.apply_async(queue=TEMPLATES)  # connects
    before = time.process_time()
    for _ in range(count):
        nothing.apply_async(queue=TEMPLATES)
    print((time.process_time() - before) / count)


def postpone(count: int, seconds: float) -> None:
    """Publish runs that are all due at the same moment."""
    from datetime import UTC, datetime, timedelta

    due = datetime.now(UTC) + timedelta(seconds=seconds)
    for _ in range(count):
        arrived.apply_async((due.timestamp(),), eta=due)


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "postpone":
        postpone(number, float(sys.argv[3]))
    else:
        {"arrive": arrive, "publish": publish}[what](number)
