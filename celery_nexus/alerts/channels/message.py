"""Message of a delivery: one JSON document for programs, a title and lines for people; nothing raw from outside."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery_nexus.alerts.deliveries import Delivery
from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.text import safe_text

MAX_TEXT = 500
_LINES = 10


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What a channel is told.

    Attributes:
        id: The delivery's: the same at each try.
        title: One line for people.
        lines: What it is about, a line each.
        document: All of it, for programs.
    """

    id: str
    title: str
    lines: tuple[str, ...]
    document: dict[str, Any]

    @property
    def body(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def make_message(delivery: Delivery, application: str, *, is_test: bool = False) -> AlertMessage:
    """Write what a channel is told.

    Args:
        delivery: What happened.
        application: Which one it is about, without secrets.
        is_test: Whether an operator only tries the channel.
    """
    subjects = [(_clean(row.subject), _clean(row.text), row.since) for row in delivery.subjects]
    sign = "✓" if delivery.event == "cleared" else "✗" if delivery.severity == "critical" else "▲"
    first = subjects[0][0] if subjects else ""
    more = f" and {delivery.count - 1:,} more" if delivery.count > 1 else ""
    event = "test" if is_test else delivery.event
    title = f"{sign} {event}: {_clean(delivery.rule)} · {first}{more}"
    lines = [f"{subject}: {text}" for subject, text, _ in subjects[:_LINES]]
    if delivery.count > len(lines):
        lines.append(f"… and {delivery.count - len(lines):,} more")
    host = socket.gethostname()
    document: dict[str, Any] = {
        "id": delivery.id,
        "event": event,
        "rule": delivery.rule,
        "severity": delivery.severity,
        "at": _moment(delivery.at),
        "application": application,
        "host": host,
        "title": title,
        "count": delivery.count,
        "alerts": [{"subject": subject, "text": text, "since": _moment(since)} for subject, text, since in subjects],
    }
    lines += ["", f"{application}, seen from {host} at {_moment(delivery.at)}"]
    return AlertMessage(delivery.id, title, tuple(lines), document)


def _clean(text: str) -> str:
    return safe_text(mask_text(text), MAX_TEXT)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
