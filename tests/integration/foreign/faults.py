"""Tasks that bring their worker into a fault as it happens to people."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from celery import Celery
from celery.exceptions import Reject
from kombu.transport import redis as transport


def register(app: Celery) -> None:
    """Give an application these tasks."""
    app.task(name="shop.deafen")(deafen)
    app.task(name="shop.bounce", bind=True, acks_late=True)(bounce)
    app.task(name="shop.die")(die)
    app.task(name="shop.fatten")(fatten)


def deafen() -> None:
    """Let this worker never ask for messages again, as kombu does after redis-py mended a connection by itself."""
    channel: Any = transport.Channel
    channel._brpop_start = lambda *_, **__: None


def bounce(task: Any) -> None:
    """Give the message back, again and again."""
    raise Reject("not now", requeue=True)


def die() -> None:
    """Kill the whole worker."""
    os.kill(os.getpid(), signal.SIGKILL)


def fatten(megabytes: int) -> int:
    """Take memory, and some minutes."""
    taken = b"x" * (megabytes << 20)
    time.sleep(300)
    return len(taken)
