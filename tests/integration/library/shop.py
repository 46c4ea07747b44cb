"""A shop's application as anybody writes one; the environment says how it is laid out and what it has installed."""

from __future__ import annotations

import json
import os
import time
from functools import cache

import redis
from celery import Celery
from celery.exceptions import Reject
from kombu import Queue

import celery_nexus

URL = os.environ["SHOP_REDIS"]
app = Celery("shop", broker=URL, backend=None if os.environ.get("SHOP_NO_RESULTS") else URL)
app.conf.update(
    task_queues=[Queue("orders"), Queue("mails")],
    task_default_queue="orders",
    task_routes={"shop.mail": {"queue": "mails"}},
    broker_transport_options=json.loads(os.environ.get("SHOP_OPTIONS", "{}")),
    worker_hijack_root_logger=True,
)
if "SHOP_INSTALL" in os.environ:
    celery_nexus.install(app, **json.loads(os.environ["SHOP_INSTALL"]))


@cache
def traces() -> redis.Redis:
    """The process's connection for what the tasks note."""
    return redis.Redis.from_url(os.environ["SHOP_TRACES"])


@app.task(name="shop.order")
def order(number: int, seconds: float = 0.0) -> int:
    """Note the order's start, work, note its end."""
    client = traces()
    client.hincrby("started", str(number), 1)
    time.sleep(seconds)
    client.hincrby("done", str(number), 1)
    return number


@app.task(name="shop.mail")
def mail(number: int) -> int:
    """Note that a mail was sent."""
    traces().hincrby("done", f"mail {number}", 1)
    return number


@app.task(name="shop.refuse")
def refuse() -> None:
    """Refuse the message for good."""
    raise Reject("no", requeue=False)
