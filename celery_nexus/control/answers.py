"""Replies of workers, converted into rows; what a reply lacks is unknown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from celery_nexus.rows.workers import Child, Worker


def to_nexus_stats(stats: Mapping[str, Any], active: Any, reserved: Any, queues: Any) -> dict[str, Any]:
    """Bring the answers of Celery's own commands into the shape of ``nexus_stats``; what they lack is left out."""
    pool = to_object(stats.get("pool"))
    totals = to_object(stats.get("total")).values()
    running = _rows(active)
    children = [
        {"pid": row.get("worker_pid"), "run_id": row.get("id"), "task": row.get("name"), "ran_s": _since(row)}
        for row in running or ()
    ]
    return {
        "pid": stats.get("pid"),
        "uptime_s": stats.get("uptime"),
        "pool": str(pool.get("implementation", "")).rpartition(".")[2].partition(":")[0] or None,
        "concurrency": pool.get("max-concurrency"),
        "active": None if running is None else len(running),
        "reserved": None if (held := _rows(reserved)) is None else len(held),
        "queues": [row.get("name") for row in _rows(queues) or ()],
        "processed": sum(count for count in totals if isinstance(count, int)),
        "prefetch": stats.get("prefetch_count"),
        "children": [child for child in children if child["pid"]],
        "is_stock": True,
    }


def read_order_answer(answer: object) -> tuple[bool, str]:
    """Tell whether a worker obeys an order, and its words."""
    told = to_object(answer)
    if "ok" in told:
        return True, str(told["ok"])
    return False, str(told.get("error", answer))


def task_and_rate(told: object) -> tuple[str, str]:
    """Read ``name`` or ``name [rate_limit=10/m]``."""
    name, _, rate = str(told).partition(" [rate_limit=")
    return name, rate.removesuffix("]")


def describe_worker(name: str, beat: Mapping[str, Any] | None, told: Mapping[str, Any] | None, now: float) -> Worker:
    """Describe a worker by its last heartbeat and by its answer to ``nexus_stats``; None for those that it lacks."""
    heartbeat = datetime.fromtimestamp(beat["timestamp"], UTC) if beat else None
    if told is None:
        quiet_s = now - beat["timestamp"] if beat else None
        reason = "does not answer" if quiet_s is None else f"does not answer; last heartbeat {quiet_s:,.0f} s ago"
        beat = beat or {}
        return Worker(
            name=name,
            verdict="silent",
            reason=reason,
            active=_whole(beat.get("active")),
            processed=_whole(beat.get("processed")),
            heartbeat_at=heartbeat,
            pid=_whole(beat.get("pid")),
        )
    if "problem" in told:
        reason = f"answers, but {told['problem']}"
        return Worker(name=name, verdict="healthy", reason=reason, heartbeat_at=heartbeat)
    active, concurrency = _whole(told.get("active")), _whole(told.get("concurrency"))
    verdict, reason = _verdict(active, concurrency, told)
    started, at = told.get("started_at"), told.get("time")
    at = at if isinstance(at, int | float) else now  # by its own clock, which may be another
    return Worker(
        name=name,
        verdict=verdict,
        reason=reason,
        queues=tuple(str(queue) for queue in told.get("queues") or ()),
        pool=told.get("pool"),
        concurrency=concurrency,
        active=active,
        reserved=_whole(told.get("reserved")),
        processed=_whole(told.get("processed")),
        cpu_percent=told.get("cpu_percent"),
        rss_bytes=_whole(told.get("rss_bytes")),
        heartbeat_at=heartbeat,
        uptime_s=at - started if isinstance(started, int | float) else told.get("uptime_s"),
        pid=_whole(told.get("pid")),
        children=tuple(_child(row) for row in _rows(told.get("children")) or ()),
        prefetch=_whole(told.get("prefetch")),
        scheduled=_whole(told.get("scheduled")),
        is_stock=bool(told.get("is_stock")),
    )


TAKES_NO_CONTROL = "sends heartbeats, and takes no remote control"


def describe_silent_worker(name: str, beat: Mapping[str, Any], now: float, reason: str) -> Worker:
    """Describe a worker that does not answer by its last heartbeat."""
    stamp, active = beat.get("timestamp"), _whole(beat.get("active"))
    at = datetime.fromtimestamp(stamp if isinstance(stamp, int | float) else now, UTC)
    return Worker(
        name=name,
        verdict="busy" if active else "healthy",
        reason=reason,
        active=active,
        processed=_whole(beat.get("processed")),
        heartbeat_at=at,
        pid=_whole(beat.get("pid")),
    )


def _verdict(active: int | None, concurrency: int | None, told: Mapping[str, Any]) -> tuple[str, str]:
    if not told.get("queues"):
        held = (active or 0) + (_whole(told.get("reserved")) or 0)
        return "draining", f"takes from no queue, finishes {held}" if held else "takes from no queue and holds nothing"
    if active:
        is_full = concurrency is not None and active >= concurrency
        return "full" if is_full else "busy", f"runs {active} of {concurrency or '?'}"
    return "healthy", "answers and has nothing to do"


def _child(row: Mapping[str, Any]) -> Child:
    return Child(
        pid=int(row["pid"]),
        cpu_percent=row.get("cpu_percent"),
        rss_bytes=_whole(row.get("rss_bytes")),
        run_id=row.get("run_id"),
        task=row.get("task"),
        ran_s=row.get("ran_s"),
    )


def _since(row: Mapping[str, Any]) -> float | None:
    started = row.get("time_start")
    return max(0.0, time.time() - started) if isinstance(started, int | float) else None


def to_object(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _rows(value: Any) -> list[dict[str, Any]] | None:
    if not isinstance(value, list):
        return None
    return [cast("dict[str, Any]", row) for row in cast("list[Any]", value) if isinstance(row, dict)]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
