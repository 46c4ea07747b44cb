"""Tasks that the tests of the broker run: they leave a trace in Redis of every execution."""

from __future__ import annotations

import os
import time
from functools import lru_cache

import redis

from config.celery_config import celery_app
from config.settings import settings


@lru_cache(maxsize=4)
def client(pid: int) -> redis.Redis:
    """Connect a process to the broker under test."""
    del pid
    return redis.Redis.from_url(settings().broker.redis_py)


@celery_app.task
def trace(number: int, seconds: float = 0.0) -> int:
    """Count an execution of ``number``, and take ``seconds``."""
    client(os.getpid()).hincrby("test:executions", str(number), 1)
    if seconds:
        time.sleep(seconds)
    return number


@celery_app.task
def fail_when_marked(number: int) -> int:
    """Count an execution of ``number``, and fail while ``test:broken`` names it."""
    connection = client(os.getpid())
    connection.hincrby("test:executions", str(number), 1)
    if connection.sismember("test:broken", str(number)):
        raise ValueError(f"{number} is broken")
    return number
