"""Alerts: raised once, cleared once, kept in Redis for dashboards and people.

Two keys: the stream ``nexus:alerts`` (capped) tells what was raised and cleared, one entry each with the fields
``event`` (``raised`` or ``cleared``), ``name``, ``verdict``, ``message`` and ``at``; the hash ``nexus:alerts:open``
holds what is open now, name → the same fields as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import redis

from celery_nexus.connection.keys import ALERT_STREAM, OPEN_ALERTS
from workers.services.upkeep.verdicts import Verdict

KEPT = 1000
"""Entries of the stream, roughly."""


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at.

    Attributes:
        name: ``area.subject.what``: ``queue.email_queue.waiting``; the same trouble has the same name.
        verdict: How bad it is.
        message: The fact, in one line.
    """

    name: str
    verdict: Verdict
    message: str


@dataclass(frozen=True)
class Changes:
    """Names of the alerts that one look raised, cleared and left open."""

    raised: tuple[str, ...]
    cleared: tuple[str, ...]
    open: tuple[str, ...]

    def as_json(self) -> dict[str, list[str]]:
        """Shape them for a task's result."""
        return {"raised": list(self.raised), "cleared": list(self.cleared), "open": list(self.open)}


def update(client: redis.Redis, area: str, alerts: Iterable[Alert], *, dry_run: bool = False) -> Changes:
    """Make what is open in ``area`` equal to ``alerts``; only what changed is told.

    An alert that is open already says nothing again, unless its verdict changed.
    """
    now = {alert.name: alert for alert in alerts}
    before = {name: verdict for name, verdict in _open_verdicts(client).items() if name.startswith(f"{area}.")}
    raised = tuple(name for name, alert in now.items() if before.get(name) != alert.verdict)
    cleared = tuple(name for name in before if name not in now)
    if not dry_run:
        _write(client, [now[name] for name in raised], cleared)
    return Changes(raised, cleared, tuple(now))


def _open_verdicts(client: redis.Redis) -> dict[str, str]:
    stored = cast("dict[str, str]", client.hgetall(OPEN_ALERTS))
    return {name: json.loads(text)["verdict"] for name, text in stored.items()}


def _write(client: redis.Redis, raised: list[Alert], cleared: tuple[str, ...]) -> None:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    with client.pipeline(transaction=True) as pipe:
        for alert in raised:
            fields: dict[Any, Any] = {
                "name": alert.name,
                "verdict": alert.verdict,
                "message": alert.message,
                "at": at,
            }
            pipe.hset(OPEN_ALERTS, alert.name, json.dumps(fields))
            pipe.xadd(ALERT_STREAM, {"event": "raised", **fields}, maxlen=KEPT, approximate=True)
        for name in cleared:
            pipe.hdel(OPEN_ALERTS, name)
            entry: dict[Any, Any] = {"event": "cleared", "name": name, "verdict": "ok", "message": "over", "at": at}
            pipe.xadd(ALERT_STREAM, entry, maxlen=KEPT, approximate=True)
        pipe.execute()
