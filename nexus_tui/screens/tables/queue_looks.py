"""Colours and alert thresholds of the open application's queues."""

from __future__ import annotations

from celery_nexus.queues import NO_QUEUES, QueueRegistry, QueueSpec


class _Opened:
    """One dashboard a process has one application open: rows are drawn without being told of it each time."""

    queues: QueueRegistry = NO_QUEUES


def use(queues: QueueRegistry) -> None:
    """Draw queues as an application declared them from now on."""
    _Opened.queues = queues


def spec_of(queue: str | None) -> QueueSpec | None:
    """Return what was declared of a queue; None for one that is not declared."""
    return _Opened.queues.by_name.get(queue or "")
