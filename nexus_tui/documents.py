"""JSON documents of what is known: what ``--json`` prints, assistants read and bundles hold."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.privacy.masking import mask, mask_text
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import ErrorGroup, TaskStats
from celery_nexus.rows.text import safe_lines

if TYPE_CHECKING:
    from celery_nexus.runs.source import HistorySource
    from nexus_tui.front_door.contexts import Context, ContextsFile


def as_json(value: Any) -> Any:
    """Turn rows into JSON values: times as ISO 8601 with zone, bytes left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: as_json(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not isinstance(getattr(value, field.name), bytes)
        }
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in cast("Sequence[Any]", value)]
    return value


def describe_queue(row: QueueStats) -> dict[str, Any]:
    """Write a queue, with when it is empty and what is wrong with it, without what sparklines are drawn from."""
    fields = as_json(row)
    fields.pop("history")
    return {**fields, "drains_in_s": row.drains_in_s, "flag": row.flag}


def describe_message(row: Message) -> dict[str, Any]:
    """Write a waiting message without its headers."""
    fields = as_json(row)
    fields.pop("headers")
    return fields


def describe_failures(row: ErrorGroup) -> dict[str, Any]:
    """Write a group of failures."""
    return {
        "type": row.type, "place": row.place or None, "count": row.count, "first_at": write_time(row.first_at),
        "last_at": write_time(row.last_at), "tasks": row.tasks, "message": row.message, "example_id": row.latest_id,
        "per_slice": row.per_slice, "new_since": row.new_since or None,
    }  # fmt: skip


def describe_stats(row: TaskStats) -> dict[str, Any]:
    """Write what became of the runs of a task or queue."""
    ended = row.succeeded + row.failed
    return {
        "task": row.task or None, "queue": row.queue or None, "sent": row.sent, "count": row.count,
        "succeeded": row.succeeded, "failed": row.failed, "revoked": row.revoked, "retried": row.retried,
        "success_rate": row.succeeded / ended if ended else None,
        "waited_s": _name_percentiles(row.waited_s), "ran_s": _name_percentiles(row.ran_s),
    }  # fmt: skip


def describe_history(history: HistorySource) -> dict[str, Any]:
    """Write where the history is, what it holds and how fresh it is."""
    newest, oldest = history.runs(limit=1), history.find_oldest_time()
    return {
        "path": str(history.path),
        "bytes": history.size_bytes(),
        "runs": history.count(),
        "oldest_at": oldest,
        "newest_at": newest[0].sent_at or newest[0].received_at if newest else None,
        "lag_s": history.lag_s(),
        "bad_events": history.bad_events(),
        "gaps": [{"at": write_time(gap.at), "missed": gap.missed, "reason": gap.reason} for gap in history.gaps()],
    }


def describe_contexts(found: ContextsFile) -> dict[str, Any]:
    """Write the contexts of a user, passwords masked, and what is wrong with their file."""
    return {
        "file": str(found.path),
        "exists": found.exists,
        "contexts": [
            {
                "name": name,
                "where": place_of(context),
                "prefix": context.prefix,
                "colour": context.shown_colour,
                "production": context.production,
                "read_only": context.read_only,
                "allow": context.allow,
                "variables": context.variables,
                "missing": context.list_missing_variables(os.environ),
                "valid": not any(problem.context == name for problem in found.problems),
            }
            for name, context in found.contexts.items()
        ],
        "problems": [{"line": row.line, "context": row.context, "text": row.text} for row in found.problems],
    }


def place_of(context: Context) -> str:
    """Say what it is, with its variables by name: as the file has it, but for a password."""
    parts = [mask_text(context.broker)] if context.broker else []
    parts += [f"-A {context.app}"] if context.app else []
    parts += [f"--prefix {context.prefix}"] if context.prefix else []
    return " ".join(parts)


def make_safe(value: Any) -> Any:
    """Copy a row or JSON value without secrets, and without what a terminal would obey."""
    return _disarm(mask(as_json(value)))


def make_safe_text(text: str) -> str:
    """Copy a text without secrets, and without what a terminal would obey; lines stay lines."""
    return str(make_safe(text))


def _disarm(value: Any) -> Any:
    if isinstance(value, str):
        return "\n".join(safe_lines(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(_disarm(key)): _disarm(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_disarm(item) for item in cast("list[Any]", value)]
    return value


def write_time(at: float) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def _name_percentiles(values: tuple[float, float, float] | None) -> dict[str, float] | None:
    return None if values is None else dict(zip(("p50", "p95", "p99"), values, strict=True))
