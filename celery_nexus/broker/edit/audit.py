"""The audit stream: every change by an operator, from the dashboard and from the command line."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis

from celery_nexus.broker.wire.connection import translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.keys import AUDIT_STREAM
from celery_nexus.delivery.layout import Layout
from celery_nexus.privacy.masking import mask_text
from celery_nexus.private_files import find_user
from celery_nexus.rows.audit import AuditEntry
from celery_nexus.rows.outcomes import Outcome, TargetOutcome

KEPT = 50_000
"""Entries kept, approximately."""

TARGETS_TOLD = 100
"""Targets written out in an entry; the others are counted."""


class AuditLog:
    """Writes and reads the audit stream of one application. May be shared by threads.

    Args:
        client: Connection for changes.
        layout: Names of the application's keys.
        url: The broker.
        lives_s: The stream is forgotten so long after its last entry; None: never.
    """

    def __init__(self, client: redis.Redis, layout: Layout, url: BrokerUrl, lives_s: int | None = None) -> None:
        self._client = client
        self._lives_s = lives_s
        self._key = layout.add_prefix(AUDIT_STREAM)
        self._url = url

    def record(self, action: str, command: str, outcome: Outcome, *, via: str = "") -> None:
        """Write what an operator did.

        Args:
            action: The action's label.
            command: The command line that does the same.
            outcome: What happened.
            via: The program that did it for the operator, as it names itself; empty for our own.
        """
        told = {
            "at": datetime.now(UTC).isoformat(),
            "user": find_user(),
            "origin": _origin(),
            "action": action,
            "command": mask_text(command),
            "done": outcome.done,
            "message": mask_text(outcome.message),
            "targets": [[row.target, row.done, mask_text(row.message)] for row in outcome.targets[:TARGETS_TOLD]],
            "count": len(outcome.targets),
            "undo": outcome.undo,
            "via": mask_text(via),
        }
        with translate_errors(self._url):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xadd(self._key, {"d": json.dumps(told)}, maxlen=KEPT, approximate=True)
            if self._lives_s is not None:
                pipeline.expire(self._key, self._lives_s)
            pipeline.execute()

    def read(self, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Read the latest entries, the newest first."""
        with translate_errors(self._url):
            rows = cast("Sequence[tuple[bytes, dict[bytes, bytes]]]", self._client.xrevrange(self._key, count=limit))
        entries = (_entry(place.decode(), fields.get(b"d", b"")) for place, fields in rows)
        return tuple(entry for entry in entries if entry is not None)


def _entry(place: str, raw: bytes) -> AuditEntry | None:
    try:
        told = cast("dict[str, Any]", json.loads(raw))
        return AuditEntry(
            id=place,
            at=datetime.fromisoformat(told["at"]),
            user=str(told["user"]),
            origin=str(told["origin"]),
            action=str(told["action"]),
            command=str(told["command"]),
            done=bool(told["done"]),
            message=str(told["message"]),
            targets=tuple(TargetOutcome(str(name), bool(done), str(text)) for name, done, text in told["targets"]),
            count=int(told["count"]),
            undo=str(told["undo"]),
            via=str(told.get("via", "")),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _origin() -> str:
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{client} (ssh)" if client else socket.gethostname()
