"""JSON documents of what is known: what ``--json`` prints, assistants read and bundles hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import ErrorGroup, TaskStats


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
        "per_slice": row.per_slice,
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


def write_time(at: float) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def _name_percentiles(values: tuple[float, float, float] | None) -> dict[str, float] | None:
    return None if values is None else dict(zip(("p50", "p95", "p99"), values, strict=True))
