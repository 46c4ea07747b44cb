"""Holds a fetch open between its steps, so that a kill can hit it there for certain."""

from __future__ import annotations

import os
import time
from typing import Any

import redis

HOLD_S = 30.0


def install() -> None:
    """Pause each fetch after the broker has handed the message out, before the worker has noted it."""
    from kombu.transport import redis as kombu_redis

    from celery_nexus.delivery.transport import fetching

    channel: Any = fetching.FetchMixin
    kombu: Any = kombu_redis
    take, append = channel._take, kombu.QoS.append

    def held_take(self: Any, tag: Any, raw: bytes) -> None:
        _pause()
        take(self, tag, raw)

    def held_append(self: Any, message: Any, delivery_tag: Any) -> None:
        _pause()
        append(self, message, delivery_tag)

    channel._take = held_take
    kombu.QoS.append = held_append


def _pause() -> None:
    client = redis.Redis.from_url(os.environ["FAULTS_EVIDENCE"])
    if client.getdel("hold"):
        client.set("holding", os.getpid())
        time.sleep(HOLD_S)
