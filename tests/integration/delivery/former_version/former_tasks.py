"""The task of a former version's workers while they are recorded; today's tests have one of the same name."""

from __future__ import annotations

import time

import redis

from config.celery_config import celery_app as app
from config.settings import settings


@app.task(name="t.note", shared=False, max_retries=3)
def note(name: str, seconds: float = 0.0) -> str:
    """Count a start, and an end; what is called running goes on for as long as the key ``hold`` is there."""
    traces = redis.Redis.from_url(settings().broker.redis_py)
    traces.incr(f"started:{name}")
    while name.startswith("running") and traces.exists("hold"):
        time.sleep(0.05)
    traces.incr(f"done:{name}")
    return name
