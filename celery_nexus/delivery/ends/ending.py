"""End of a run that will not run, with Celery's own consequences: result, callbacks, chord."""

# Celery's backends have no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import logging
from typing import Any, cast

import redis
from celery import Celery, states
from celery.app.task import Context
from celery.exceptions import NotRegistered
from kombu.exceptions import OperationalError

from celery_nexus.delivery import validation
from celery_nexus.delivery.content import fields_of
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.delivery.ends.chord_ends import finish
from celery_nexus.delivery.ends.endings import Ends, Note

logger = logging.getLogger(__name__)


class Poisoned(Exception):
    """A run that ended its worker or child process each time that it was started."""


def carry_out_ends(app: Celery, client: redis.Redis, prefix: str = "", most_s: float = 0.1) -> int:
    """End the runs that somebody left a note of, for about so many seconds; returns how many.

    Raises:
        RedisError: The broker does not answer.
        OperationalError: It does not take what a chord, a chain or an errback goes on with.
    """
    return Ends(client, prefix).carry_out(lambda note: _end(app, client, prefix, note), most_s)


def carry_out_what_can_be(app: Celery, client: redis.Redis, prefix: str = "", most_s: float = 0.1) -> None:
    """Do the same, and leave for later what a broker that is away does not let us do."""
    try:
        carry_out_ends(app, client, prefix, most_s)
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("runs that will not run end once the broker is back: %s", error)


def _end(app: Celery, client: redis.Redis, prefix: str, note: Note) -> None:
    if note.reason == ends.CHORD:
        finish(app, note.group)
        return
    message = validation.decode_loosely(note.raw) or validation.decode_end(note.raw)
    context = None if message is None else context_of(message)
    if context is None:
        return
    try:
        if context.chord is None and context.args is None and isinstance(context.group, str):
            _end_unread(app, context)
        error = _end_for_celery(app, context, note)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
        # A note that can't be carried out must not hold up the others
        logger.error("can't end %s: %s: %s", context.id, type(problem).__name__, problem)  # noqa: TRY400
        return
    if not note.told:
        ends.tell(client, prefix, [note], "" if error is None else spell(error))


def _end_unread(app: Celery, context: Any) -> None:
    """Find the chord of a run whose body can't be read: by its record, or by its counters, which the others read."""
    backend: Any = app.backend
    record = backend.chord_records.read(context.group)
    if record is not None:
        context.chord = record.body
    elif backend.chord_records.is_counting(context.group):
        backend.on_chord_part_return(context, states.FAILURE, ValueError("its message could not be read"))


def _end_for_celery(app: Celery, context: Any, note: Note) -> Exception | None:
    """Store the state, count the chord's part, fail what follows in the chain, call errbacks; returns the error."""
    backend: Any = app.backend
    stores = not context.ignore_result
    if note.reason in ends.REVOKING:
        backend.mark_as_revoked(context.id, f"{note.reason} by an operator", request=context, store_result=stores)
        return None
    error = _error(note, context.task)
    known: Any = app.tasks.get(context.task)
    stores = stores or bool(getattr(known, "store_errors_even_if_ignored", False))
    backend.mark_as_failure(context.id, error, request=context, store_result=stores)
    return error


def _error(note: Note, task: str | None) -> Exception:
    if note.reason == ends.POISONED:
        return Poisoned(f"{task}: {note.detail}; see nexus-tui dead-letters")
    if note.reason == ends.UNKNOWN_TASK:
        return NotRegistered(task)
    return ValueError(note.detail)


def spell(error: Exception) -> str:
    """Spell an error as Celery's events do; ``NotRegistered`` has a ``repr`` of its own."""
    return f"{type(error).__name__}({error.args[0]!r})" if error.args else repr(error)


def context_of(message: validation.Json) -> Any | None:
    """Make what the result backend wants to know of a run: its chord, callbacks and group; None without an id.

    What is malformed in it is left out, so that the rest still happens.
    """
    fields = fields_of(message)
    run_id, task = validation.run_of({"headers": fields})
    if run_id is None:
        return None
    properties: Any = message.get("properties")
    route: Any = cast("validation.Json", properties).get("delivery_info") if isinstance(properties, dict) else None
    known = {name: fields[name] for name in _CONTEXT if name in fields}
    known |= {name: validation.keep_signatures(fields.get(name)) for name in ("callbacks", "errbacks", "chain")}
    return Context(
        known
        | {
            "id": run_id,
            "task": task,
            "chord": fields.get("chord") if validation.is_signature(fields.get("chord")) else None,
            "delivery_info": dict(cast("validation.Json", route)) if isinstance(route, dict) else {},
        }
    )


_CONTEXT = (
    *("lang", "args", "kwargs", "group", "group_index", "root_id", "parent_id", "retries", "ignore_result"),
    *("argsrepr", "kwargsrepr", "shadow", "stamps", "stamped_headers", "replaced_task_nesting", "origin"),
)
