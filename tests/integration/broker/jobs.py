"""Tasks that the tests of the broker run: they leave a trace in Redis of every execution."""

from __future__ import annotations

import time

import redis

from config.celery_config import celery_app
from config.settings import settings


def client() -> redis.Redis:
    """Connect to the broker under test."""
    return redis.Redis.from_url(settings().broker.redis_py)


@celery_app.task
def trace(number: int, seconds: float = 0.0) -> int:
    """Count an execution of ``number``, and take ``seconds``."""
    client().hincrby("test:executions", str(number), 1)
    if seconds:
        time.sleep(seconds)
    return number
