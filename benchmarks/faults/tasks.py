"""The tasks of the fault harness; workers find them by ``celery -A benchmarks.faults.tasks``.

``FAULTS_DELIVERY=stock`` makes a Celery application as the documentation's first page does: default settings; ``peer``
one with celery-redis-plus, tuned to lose nothing and to be back as soon as it can. Anything else is ours, with the
delivery that ``NEXUS_DELIVERY`` names.
"""

from __future__ import annotations

import os
import signal
import time
from functools import cache
from typing import Any

import redis
from celery import Celery
from kombu import Exchange, Queue

from benchmarks.faults.tally import Tally

QUEUE = "default_queue"
OTHER_QUEUE = "email_queue"
MEGABYTE = 1 << 20
PEER_VISIBILITY_S = 30
"""What a lost worker held is back after this and up to two sweeps of a minute."""

PEER_PATIENCE_S = 180.0


def stock_application(url: str) -> Celery:
    """Make a plain Celery application that uses the same lists."""
    plain = Celery("faults", broker=url, backend=url)
    plain.conf.update(
        broker_transport_options={"priority_steps": list(range(10)), "queue_order_strategy": "priority"},
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (QUEUE, OTHER_QUEUE)],
        task_default_queue=QUEUE,
        broker_connection_retry_on_startup=True,
    )
    return plain


def peer_application(url: str) -> Celery:
    """Make an application with celery-redis-plus: late acknowledgements, and the shortest useful visibility timeout."""
    import celery_redis_plus  # pyright: ignore[reportMissingImports]  # registers valkey://

    assert celery_redis_plus
    url = url.replace("redis+", "valkey+", 1)
    tuned = Celery("faults", broker=url)
    tuned.conf.update(
        broker_transport_options={"visibility_timeout": PEER_VISIBILITY_S},
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (QUEUE, OTHER_QUEUE)],
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        broker_connection_retry_on_startup=True,
    )
    return tuned


def _application() -> Celery:
    if os.environ.get("FAULTS_DELIVERY") == "peer":
        return peer_application(os.environ["FAULTS_BROKER"])
    if os.environ.get("FAULTS_DELIVERY") == "stock":
        return stock_application(os.environ["FAULTS_BROKER"])
    from config.celery_config import celery_app

    return celery_app


app: Any = _application()
if soft := os.environ.get("FAULTS_SOFT_SHUTDOWN_S"):
    app.conf.worker_soft_shutdown_timeout = float(soft)
if visibility := os.environ.get("FAULTS_VISIBILITY_S"):
    options = dict(app.conf.broker_transport_options)
    options |= {"visibility_timeout": float(visibility), "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    app.conf.broker_transport_options = options
if namespace := os.environ.get("FAULTS_NAMESPACE"):  # as if on another host
    from celery_nexus.delivery.leases import process_identity  # the peer's environment has not all that ours has

    process_identity.identify_namespace = lambda: namespace
if os.environ.get("FAULTS_HOLD"):
    from benchmarks.faults import hold

    hold.install()

_evidence: redis.Redis | None = None


def evidence() -> redis.Redis:
    """The broker that no fault touches."""
    global _evidence  # noqa: PLW0603  one connection a process
    if _evidence is None:
        _evidence = redis.Redis.from_url(os.environ["FAULTS_EVIDENCE"])
    return _evidence


@cache
def _tally() -> Tally:
    return Tally(evidence())


def _begin(name: str) -> None:
    pipeline = evidence().pipeline()
    pipeline.hincrby("started", name, 1)
    pipeline.rpush("starts", f"{name} {time.time()} {os.getpid()} {os.getppid()}")
    pipeline.execute()


@app.task(name="faults.work", shared=False, max_retries=3)
def work(name: str, seconds: float = 0.0) -> None:
    """Leave a trace at the start and at the end."""
    _begin(name)
    time.sleep(seconds)
    evidence().hincrby("done", name, 1)


@app.task(name="faults.tally", shared=False)
def tally(run: int, seconds: float = 0.0) -> None:
    """Leave a trace in the slot of the run, at the start and at the end."""
    traces = _tally()
    traces.begin(run)
    time.sleep(seconds)
    traces.end(run)


@app.task(name="faults.poison", shared=False, max_retries=5)
def poison(name: str, how: str) -> None:
    """Kill the process, in one of five ways; for the 3 GB of ``memory`` the harness kills it, as a kernel would."""
    import ctypes

    _begin(name)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(3)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "memory":
        taken: list[bytearray] = []
        for _ in range(48):
            taken.append(bytearray(os.urandom(1)) * (64 * MEGABYTE))
            time.sleep(0.02)
    else:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
