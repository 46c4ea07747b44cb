"""Sizes of the queues against the thresholds of the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import redis

from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.queues import PRIORITIES, QueueSpec
from workers.services.upkeep.alerts import Alert
from workers.services.upkeep.verdicts import Verdict

OLDEST = -1
"""Index of the oldest message: kombu pushes at the left and pops at the right."""


@dataclass(frozen=True)
class QueueSize:
    """A queue as it was seen.

    Attributes:
        name: Its name on the broker.
        waiting: Messages in all its lists.
        by_priority: Messages by priority, ten numbers, 0 first.
        oldest_age_s: Age of the oldest waiting message in seconds; None when it carries no time.
        verdict: ``warning`` from a threshold on, ``failed`` from twice the threshold on.
        fact: What proves the verdict.
    """

    name: str
    waiting: int
    by_priority: tuple[int, ...]
    oldest_age_s: float | None
    verdict: Verdict
    fact: str

    def as_json(self) -> dict[str, Any]:
        """Shape it for a task's result."""
        return asdict(self)


def measure(client: redis.Redis, specs: Iterable[QueueSpec]) -> tuple[list[QueueSize], list[Alert]]:
    """Read every queue in one round trip and compare it with its thresholds."""
    chosen = list(specs)
    keys = [key for spec in chosen for key in spec.keys()]  # noqa: SIM118  (a method, no dict)
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.llen(key)
            pipe.lindex(key, OLDEST)
        replies = pipe.execute()
    sizes: list[QueueSize] = []
    alerts: list[Alert] = []
    width = 2 * len(PRIORITIES)
    for index, spec in enumerate(chosen):
        own = replies[index * width : (index + 1) * width]
        found = _alerts(spec, sum(own[0::2]), _oldest_age_s(own[1::2]))
        alerts += found
        sizes.append(_size(spec, tuple(own[0::2]), _oldest_age_s(own[1::2]), found))
    return sizes, alerts


def _size(spec: QueueSpec, lengths: tuple[int, ...], age_s: float | None, alerts: list[Alert]) -> QueueSize:
    verdict: Verdict = "ok"
    if alerts:
        verdict = "failed" if any(alert.verdict == "failed" for alert in alerts) else "warning"
    fact = "; ".join(alert.message for alert in alerts) or f"{sum(lengths)} waiting"
    return QueueSize(spec.name, sum(lengths), lengths, age_s, verdict, fact)


def _alerts(spec: QueueSpec, waiting: int, age_s: float | None) -> list[Alert]:
    found: list[Alert] = []
    if waiting >= spec.alert.waiting:
        message = f"{spec.name}: {waiting} waiting, threshold {spec.alert.waiting}"
        found.append(Alert(f"queue.{spec.name}.waiting", _grade(waiting, spec.alert.waiting), message))
    if age_s is not None and age_s >= spec.alert.oldest_s:
        message = f"{spec.name}: the oldest waits for {age_s:.0f} s, threshold {spec.alert.oldest_s} s"
        found.append(Alert(f"queue.{spec.name}.oldest", _grade(age_s, spec.alert.oldest_s), message))
    return found


def _grade(value: float, threshold: float) -> Verdict:
    return "failed" if value >= 2 * threshold else "warning"


def _oldest_age_s(messages: list[str | None]) -> float | None:
    times = [sent_at for text in messages if text and (sent_at := _sent_at(text)) is not None]
    return max(0.0, round(time.time() - min(times), 3)) if times else None


def _sent_at(text: str) -> float | None:
    """Read the time stamped at publish; None for a message that carries none or can't be read."""
    try:
        stamp = json.loads(text)["headers"][SENT_AT_HEADER]
        return float(stamp)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
