"""The tasks of the fault harness; workers find them by ``celery -A benchmarks.faults.tasks``."""

from __future__ import annotations

import os
import signal
import time

import redis

from config.celery_config import celery_app

app = celery_app
QUEUE = "default_queue"
if soft := os.environ.get("FAULTS_SOFT_SHUTDOWN_S"):
    app.conf.worker_soft_shutdown_timeout = float(soft)
if visibility := os.environ.get("FAULTS_VISIBILITY_S"):
    options = dict(app.conf.broker_transport_options)
    options |= {"visibility_timeout": float(visibility), "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    app.conf.broker_transport_options = options

_evidence: redis.Redis | None = None


def evidence() -> redis.Redis:
    """The broker that no fault touches."""
    global _evidence  # noqa: PLW0603  one connection a process
    if _evidence is None:
        _evidence = redis.Redis.from_url(os.environ["FAULTS_EVIDENCE"])
    return _evidence


@celery_app.task(name="faults.work", queue=QUEUE, max_retries=3)
def work(name: str, seconds: float = 0.0) -> None:
    """Leave a trace at the start and at the end."""
    evidence().hincrby("started", name, 1)
    evidence().hset("started_at", name, time.time())
    time.sleep(seconds)
    evidence().hincrby("done", name, 1)


@celery_app.task(name="faults.poison", queue=QUEUE, max_retries=5)
def poison(name: str, how: str) -> None:
    """Kill the child process, in one of four ways."""
    import ctypes

    evidence().hincrby("started", name, 1)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(3)
    elif how == "segfault":
        ctypes.string_at(0)
    else:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
