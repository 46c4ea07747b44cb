"""Progress of a run: the :class:`~workers.services.progress.Progress` that shells hand to their services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from celery import current_task

from celery_nexus.delivery.leases.starts import place_of_note

if TYPE_CHECKING:
    from celery_nexus.history.capture.dispatcher import StreamEvents

MIN_INTERVAL_S = 0.5
"""Shortest time between two progress events; the last one is always sent."""


class RunProgress:
    """Sends the progress of the current run as ``task-progress`` events (``done``, ``total``, ``note``).

    ``done`` is also noted in the broker: should the process die, the next start is one of a run that gets on.
    """

    def __init__(self) -> None:
        self._sent_at = 0.0

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Send the figures, unless an event was sent just now; the last one always goes out."""
        now = time.monotonic()
        if now - self._sent_at < MIN_INTERVAL_S and done != total:
            return
        self._sent_at = now
        task = current_task
        if task and task.request.id and not task.request.called_directly:
            # Not task.send_event: it waits for the broker, for as long as that is away.
            events = cast("StreamEvents", task.app.events)
            hostname = str(task.request.hostname or "")
            events.record("task-progress", hostname, uuid=task.request.id, done=done, total=total, note=note[:200])
            options = cast("dict[str, str]", task.app.conf.broker_transport_options or {})
            place = place_of_note(task.request, options.get("global_keyprefix", ""))
            if place is not None:
                events.writer.note(("HSET", *place, done))
