"""Announcements to workers and history of what operators decided about runs that no worker will report."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from celery_nexus.broker.wire.scripts import REVOKE_RESULT, Script
from celery_nexus.connection.keys import EVENT_STREAM, EVENT_STREAM_LENGTH, RESULT_KEY, REVOKED_SET
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.remembering import remember_ids
from celery_nexus.rows.broker import Message


class Announcements:
    """Writes for one application. May be shared by threads.

    Args:
        client: Connection for writing.
        layout: Names of its keys.
        result_expires_s: Seconds that its results are kept; None for ever.
    """

    def __init__(self, client: redis.Redis, layout: Layout, result_expires_s: int | None) -> None:
        self._client = client
        self._layout = layout
        self._result_expires_s = result_expires_s
        self._revoke_result = Script(client, REVOKE_RESULT)

    def mark_revoked(self, run_ids: Sequence[str]) -> None:
        """Remember that these runs must never start."""
        if run_ids:
            remember_ids(self._client, self._layout.add_prefix(REVOKED_SET), run_ids)

    def is_revoked(self, run_id: str) -> bool:
        """Tell whether a run must never start."""
        return self._client.zscore(self._layout.add_prefix(REVOKED_SET), run_id) is not None

    def end(self, messages: Sequence[Message], reason: str) -> None:
        """Tell result backend and history that the runs of messages that were taken out end as REVOKED.

        What else hangs on them is left to workers and guardian, see :mod:`celery_nexus.delivery.ends.endings`.
        """
        for message in messages:
            if message.id and not message.headers.get("ignore_result"):
                record = encode_revocation(message.id, f"{reason} by an operator")
                key = self._layout.add_prefix(RESULT_KEY + message.id)
                self._revoke_result([key], [record, self._result_expires_s or 0])
        notes = [ends.Note(reason, worker=self._name, raw=message.raw) for message in messages]
        ends.tell(self._client, self._layout.prefix, notes)

    def announce_revoked(self, run_ids: Sequence[str]) -> None:
        """Tell that these runs were revoked before they started."""
        self._announce(run_ids, {"type": "task-revoked", "terminated": False, "signum": None, "expired": False})

    def announce_retried(self, run_ids: Sequence[str]) -> None:
        """Tell that these runs were given another chance after they had failed."""
        self._announce(run_ids, {"type": "task-retried", "exception": "", "traceback": ""})

    def announce_restored(self, run_ids: Sequence[str], queue: str) -> None:
        """Tell that these runs wait again, since their deletion was taken back."""
        self._announce(run_ids, {"type": "task-restored", "queue": queue})

    @property
    def _name(self) -> str:
        return f"nexus-tui@{socket.gethostname()}"

    def _announce(self, run_ids: Sequence[str], told: dict[str, object]) -> None:
        event = {**told, "hostname": self._name, "pid": os.getpid(), "clock": 0, "utcoffset": 0}
        stream = self._layout.add_prefix(EVENT_STREAM)
        pipeline = self._client.pipeline(transaction=False)
        for run_id in run_ids:
            text = json.dumps({**event, "uuid": run_id, "timestamp": time.time()})
            pipeline.xadd(stream, {"d": text}, maxlen=EVENT_STREAM_LENGTH, approximate=True)
        pipeline.execute()


def encode_revocation(run_id: str, reason: str) -> str:
    """Write what Celery's Redis backend keeps of a revoked run (``celery/backends/base.py``, ``_get_result_meta``)."""
    error = {"exc_type": "TaskRevokedError", "exc_message": [reason], "exc_module": "celery.exceptions"}
    done_at = datetime.now(UTC).isoformat()
    record: dict[str, Any] = {
        "status": "REVOKED",
        "result": error,
        "traceback": None,
        "children": [],
        "date_done": done_at,
    }
    return json.dumps(record | {"task_id": run_id})
