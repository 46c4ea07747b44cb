"""Runs missing from the history, described by their message and their worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery_nexus.rows.broker import Held, Message
from celery_nexus.rows.runs import Run
from celery_nexus.sources import Sources

_STATES = {"active": "STARTED", "reserved": "RECEIVED", "scheduled": "RECEIVED"}
"""Celery's state of a run by the word of the worker that holds it."""


def find_unrecorded(sources: Sources, run_id: str, message: Message | None) -> Run | None:
    """Describe a run by what the broker and the workers know of it; None when they know nothing.

    Args:
        sources: Where to look.
        run_id: Its full id.
        message: Its message, where one waits.
    """
    if message is not None:
        return _of_message(message)
    held = sources.broker.find_held(run_id)
    place, worker = sources.control.find_holders([run_id]).get(run_id, ("", ""))
    state = sources.control.result_state(run_id)
    if held is None and not place and state is None:
        return None
    return _of_held(run_id, held, state or _STATES.get(place, "RECEIVED"), worker or None)


def _of_message(message: Message) -> Run:
    headers = message.headers
    retries: Any = headers.get("retries")
    tried = retries if isinstance(retries, int) else 0
    now = datetime.now(UTC)
    sent_at = None if message.age_s is None else datetime.fromtimestamp(now.timestamp() - message.age_s, UTC)
    return Run(
        id=message.id,
        task=message.task or None,
        state="RETRY" if tried else "PENDING",
        queue=message.queue,
        priority=message.priority,
        sent_at=sent_at,
        waited_s=message.age_s,
        retries=tried,
        args=message.args,
        kwargs=message.kwargs,
        root_id=_text(headers.get("root_id")),
        parent_id=_text(headers.get("parent_id")),
        group_id=_text(headers.get("group")),
    )


def _of_held(run_id: str, held: Held | None, state: str, worker: str | None) -> Run:
    if held is None:
        return Run(run_id, None, state, worker=worker)
    return Run(
        run_id, held.task or None, state, held.queue or None, worker=worker or held.worker, received_at=held.since
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
