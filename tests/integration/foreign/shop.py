"""A stranger's Celery application, laid out as it is told: it knows nothing of Nexus.

Each execution adds a line to the file ``SHOP_LOG``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from tests.integration.foreign import faults


def make(broker: str, conf: dict[str, Any]) -> Celery:
    """Make the application."""
    made = Celery("shop", set_as_current=False)
    known = dict(conf)
    has_faults = known.pop("has_faults", False)
    if "queues" in known:
        known["task_queues"] = [
            Queue(name, Exchange(exchange, kind), routing_key=key) for name, exchange, kind, key in known.pop("queues")
        ]
    made.conf.update({"broker_url": broker, "broker_connection_retry_on_startup": True, **known})
    made.task(name="shop.add")(add)
    made.task(name="shop.nap")(nap)
    made.task(name="shop.fail")(fail)
    made.task(name="shop.total")(total)
    made.task(name="shop.alarm")(alarm)
    if has_faults:
        faults.register(made)
    return made


def add(one: int, other: int) -> int:
    """Add two numbers."""
    _log(f"add {one} {other}")
    return one + other


def nap(seconds: float) -> float:
    """Take some time."""
    _log(f"nap {seconds:g}")
    time.sleep(seconds)
    return seconds


def fail(number: int) -> None:
    """Fail."""
    _log(f"fail {number}")
    raise ValueError(str(number))


def total(numbers: list[int]) -> int:
    """Add what the parts of a chord gave."""
    _log(f"total {numbers}")
    return sum(numbers)


def alarm(request: Any, error: Any, _traceback: Any) -> None:
    """Be told that a chord's body will not run."""
    _log(f"alarm {type(error).__name__}")


def _log(text: str) -> None:
    with Path(os.environ["SHOP_LOG"]).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
