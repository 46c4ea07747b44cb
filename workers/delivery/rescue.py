"""Put back what a dead worker held, and set aside what killed three workers."""

from __future__ import annotations

import base64
import json
import time
import zlib
from typing import Any, cast

from celery import Celery
from celery.app.task import Context
from kombu.compression import decompress

from workers.delivery import guard
from workers.delivery.in_flight import InFlight
from workers.delivery.keys import DELIVERIES_HEADER, FetchedTag

MAX_STARTS = 3
"""A run that was started so often, and lost its worker or child each time, is set aside."""

MAX_UNSEEN = 10
"""The same for a run of which nobody can tell whether it was started, because its result is ignored."""


class Poisoned(Exception):
    """A run that ended its worker or child process each time that it was started."""


def rescue(app: Celery, in_flight: InFlight) -> tuple[int, int]:
    """Deal with everything that a dead worker held; returns how many were put back and how many set aside."""
    restored = buried = 0
    for tag, raw in reversed(in_flight.entries().items()):
        if give_up_or_restore(app, in_flight, tag, raw, lost="worker"):
            restored += 1
        else:
            buried += 1
    return restored, buried


def give_up_or_restore(app: Celery, in_flight: InFlight, tag: FetchedTag, raw: bytes, *, lost: str) -> bool:
    """Put one message back, its start counted; False when it was set aside.

    Args:
        app: The application: its result backend knows whether the run was started.
        in_flight: Where the message is.
        tag: Which.
        raw: Its bytes.
        lost: What died: ``worker`` or ``child``.
    """
    message = guard.decode_loosely(raw)
    run_id, task = guard.run_of(message)
    if message is None or run_id is None:
        return in_flight.restore(tag)  # the guard of the next fetch says what is wrong with it
    deliveries = _deliveries(message)
    if _was_started(app, message, deliveries, lost):
        pid = _started_pid(app, run_id)
        deliveries.append({"worker": in_flight.node, "at": time.time(), "lost": lost, "pid": pid})
    if is_exhausted(app, task, deliveries):
        give_up(app, in_flight, tag, message, deliveries)
        return False
    return in_flight.restore(tag, payload=_marked(message, deliveries))


def is_exhausted(app: Celery, task: str | None, deliveries: list[dict[str, Any]]) -> bool:
    """Tell whether a run was started and lost as often as is allowed."""
    certain = sum(entry.get("pid") is not None or entry.get("lost") == "child" for entry in deliveries)
    if certain >= MAX_STARTS or len(deliveries) >= MAX_UNSEEN:
        return True
    known: Any = app.tasks.get(task) if task else None
    max_retries: int | None = known.max_retries if known is not None else None
    children = sum(entry.get("lost") == "child" for entry in deliveries)
    return max_retries is not None and children > max_retries


def give_up(
    app: Celery, in_flight: InFlight, tag: FetchedTag, message: guard.Json, deliveries: list[dict[str, Any]]
) -> None:
    """Make a run a dead letter, and let it end as FAILURE for whoever waits for it."""
    run_id, task = guard.run_of(message)
    detail = f"started {len(deliveries)} times, and each time its process died"
    if in_flight.bury(tag, "poisoned", detail, id=run_id, task=task, deliveries=deliveries):
        fail(app, message, Poisoned(f"{task}: {detail}; see nexus-tui dead-letters"))


def fail(app: Celery, message: guard.Json | None, error: Exception) -> None:
    """Store FAILURE for a message that will not run, and tell the event stream; nothing for one without an id."""
    run_id, task = guard.run_of(message)
    if message is None or run_id is None or task is None:
        return
    context = _context(message)
    try:
        app.backend.mark_as_failure(run_id, error, request=context)  # pyright: ignore[reportAttributeAccessIssue]
    except (ValueError, TypeError, KeyError, AttributeError):  # a malformed chord or callback: the state alone
        app.backend.store_result(run_id, error, "FAILURE")  # pyright: ignore[reportAttributeAccessIssue]
    dispatcher: Any = app.events.default_dispatcher()
    with dispatcher as events:
        events.send("task-failed", uuid=run_id, exception=_spelled(error), traceback="")


def _spelled(error: Exception) -> str:
    """Spell an error as Celery's events do; ``NotRegistered`` has a ``repr`` of its own."""
    return f"{type(error).__name__}({error.args[0]!r})" if error.args else repr(error)


def _deliveries(message: guard.Json) -> list[dict[str, Any]]:
    known: Any = message["headers"].get(DELIVERIES_HEADER)
    if not isinstance(known, list):
        return []
    return [cast("dict[str, Any]", entry) for entry in cast("list[Any]", known) if isinstance(entry, dict)]


def _was_started(app: Celery, message: guard.Json, deliveries: list[dict[str, Any]], lost: str) -> bool:
    """Tell whether there was a start that is not counted yet; True when nobody can know."""
    if lost == "child":
        return True
    run_id, task = guard.run_of(message)
    known: Any = app.tasks.get(task) if task else None
    if message["headers"].get("ignore_result") or (known is not None and known.ignore_result):
        return True
    pid = _started_pid(app, run_id or "")
    return pid is not None and all(entry.get("pid") != pid for entry in deliveries)


def _started_pid(app: Celery, run_id: str) -> int | None:
    """Read which child started a run: Celery stores it before the run's first line (``task_track_started``)."""
    backend: Any = app.backend
    meta: dict[str, Any] = backend.get_task_meta(run_id, cache=False)
    result: Any = meta.get("result")
    pid: Any = cast("dict[str, Any]", result).get("pid") if isinstance(result, dict) else None
    return pid if meta.get("status") == "STARTED" and isinstance(pid, int) else None


def _marked(message: guard.Json, deliveries: list[dict[str, Any]]) -> bytes:
    """Encode a message again, with what happened to it; Python's JSON keeps every number and list as it is."""
    message["headers"][DELIVERIES_HEADER] = deliveries
    message["headers"]["redelivered"] = True
    properties: Any = message.get("properties")
    if isinstance(properties, dict) and isinstance(cast("guard.Json", properties).get("delivery_info"), dict):
        properties["delivery_info"]["redelivered"] = True
    return json.dumps(message).encode()


def _context(message: guard.Json) -> Context:
    """Make what the result backend wants to know: chord, callbacks and group of the run."""
    args: Any = []
    kwargs: Any = {}
    embed: Any = {}
    try:
        body: Any = message["body"]
        if message["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        if message["headers"].get("compression"):
            body = decompress(body, message["headers"]["compression"])
        args, kwargs, embed = json.loads(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error):
        embed = {}
    fields: dict[str, Any] = {
        **message["headers"],
        "args": args,
        "kwargs": kwargs,
        **(cast("guard.Json", embed) if isinstance(embed, dict) else {}),
    }
    return Context(fields)
