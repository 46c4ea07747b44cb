"""Requests of a batch's runs: a killed child's chord member is still counted."""

from __future__ import annotations

from typing import Any, cast

from billiard.exceptions import WorkerLostError
from celery import states

from celery_nexus.delivery.worker.request import Request


class BatchItemRequest(Request):
    """Counts a part whose child stored its result and was killed before it could count it.

    Celery stores a result and counts the chord's part in two steps (celery/backends/base.py, ``mark_as_done``); a child
    killed between them would leave the chord waiting for ever. Counting a part twice changes nothing: the Redis backend
    keeps parts in a sorted set.
    """

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Handle a failed run as usual, then count the part of a run that had in fact succeeded."""
        outcome = super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # billiard may wrap it with its traceback
        if isinstance(error, WorkerLostError):
            stored: Any = self.task.backend.get_task_meta(self.id)
            context: Any = cast("Any", self)._context  # the stubs leave it out
            if stored.get("status") == states.SUCCESS:
                self.task.backend.on_chord_part_return(context, states.SUCCESS, stored.get("result"))
        return outcome
